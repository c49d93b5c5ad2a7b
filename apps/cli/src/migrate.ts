import { declaredTopics } from '@syncline/contracts';
import { migrateTopics } from '@syncline/messaging';
import { type SynclineConfig, targetsOf } from '@syncline/runtime';
import { migrateStore } from '@syncline/store';
import { warehouse } from '@syncline/warehouse';

/** What a migration changed, by where. Empty lists: everything was there already. */
export interface Migrated {
  topics: string[];
  store: string[];
  warehouses: Record<string, string[]>;
}

/** Makes topics, the store's tables and those of every warehouse of the configuration, or brings them up to date. Safe to repeat. */
export async function migrate(
  config: SynclineConfig,
  addresses: { kafkaBrokers: readonly string[]; databaseUrl: string },
): Promise<Migrated> {
  const targets = targetsOf(config);
  const topics = async (): Promise<string[]> => {
    const kafka = { brokers: [...addresses.kafkaBrokers], clientId: 'syncline-migrate' };
    const { created, changed } = await migrateTopics(kafka, declaredTopics(targets.map((target) => target.connection)));
    return [...created, ...changed];
  };
  const warehouses = async (): Promise<Record<string, string[]>> => {
    const done: Record<string, string[]> = {};
    for (const target of targets.filter(({ provider }) => provider === warehouse.provider)) {
      done[target.connection] = await warehouse.migrate(String(config.connections[target.connection]!.secrets.url));
    }
    return done;
  };
  const [made, store, tables] = await Promise.all([topics(), migrateStore(addresses.databaseUrl), warehouses()]);
  return { topics: made, store, warehouses: tables };
}

/** A migration in one line for people. */
export function migratedText(migrated: Migrated): string {
  const tables = Object.values(migrated.warehouses).flat();
  const parts = [
    migrated.topics.length > 0 ? `${migrated.topics.length} topics` : '',
    migrated.store.length > 0 ? `store (${migrated.store.length} migrations)` : '',
    tables.length > 0 ? `warehouse (${tables.length} migrations)` : '',
  ].filter((part) => part !== '');
  return parts.length > 0 ? `Made or updated: ${parts.join(', ')}` : 'Topics, store and warehouse are up to date';
}
