// The judgements: each takes recorded histories and returns what breaks a promise, one sentence each.
import { canonicalTopic, header, headerText, type Kind, kinds } from '@syncline/contracts';
import { type KafkaSettings, readTopic } from '@syncline/messaging';
import { control } from '../support/sandbox.js';
import type { System } from '../support/system.js';
import type { Write } from './histories.js';
import { rowsOf } from './nemesis.js';
import type { Acknowledged } from './witness.js';

const readerOf = (system: System): KafkaSettings => ({
  brokers: system.local().kafkaBrokers.split(','),
  clientId: 'judge',
});

/** Webhooks that were answered 2xx and whose record is not on its raw topic. */
export async function lost(system: System, acknowledged: readonly Acknowledged[]): Promise<string[]> {
  const found: string[] = [];
  // A reading ends where the topic ended when it began: what is acknowledged after that is not its business.
  const before = [...acknowledged];
  for (const topic of new Set(before.map((one) => one.topic))) {
    const there = new Set<string>();
    for await (const record of readTopic(readerOf(system), topic))
      there.add(headerText(record.headers, header.id) ?? '');
    for (const one of before)
      if (one.topic === topic && !there.has(one.eventId))
        found.push(`${one.connection}: webhook ${one.eventId} was acknowledged and is not on ${topic}`);
  }
  return found;
}

/** What an independent reader sees go back on the canonical topics, and where they end on another state than the warehouse. */
export async function inverted(system: System): Promise<{ found: string[]; events: number; repeated: number }> {
  const found: string[] = [];
  let events = 0;
  let repeated = 0;
  for (const kind of kinds) {
    const newest = new Map<string, number>();
    for await (const record of readTopic(readerOf(system), canonicalTopic(kind))) {
      events++;
      const revision = Number(headerText(record.headers, header.revision));
      const before = newest.get(record.key) ?? 0;
      if (revision < before) found.push(`${kind} ${record.key}: revision ${revision} came after ${before}`);
      if (revision === before) repeated++;
      newest.set(record.key, revision);
    }
    found.push(...(await unlikeWarehouse(system, kind, newest)));
  }
  return { found, events, repeated };
}

async function unlikeWarehouse(system: System, kind: Kind, newest: Map<string, number>): Promise<string[]> {
  const rows = await rowsOf<{ id: string; revision: string }>(system, `SELECT id, revision FROM ${kind}s`);
  const has = new Map(rows.map(({ id, revision }) => [id, Number(revision)]));
  return [...newest]
    .filter(([id, revision]) => has.get(id) !== revision)
    .map(([id, revision]) => `${kind} ${id}: ends at revision ${revision}, the warehouse has ${has.get(id)}`);
}

/** Makes the warehouse note every write of a row that does not raise its revision. */
export async function watchRevisions(system: System): Promise<void> {
  await rowsOf(
    system,
    `CREATE TABLE went_back (kind text, id uuid, was bigint, became bigint);
     CREATE FUNCTION note_went_back() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
       IF NEW.revision <= OLD.revision THEN INSERT INTO went_back VALUES (TG_TABLE_NAME, OLD.id, OLD.revision, NEW.revision); END IF;
       RETURN NULL; END $$;
     ${kinds.map((kind) => `CREATE TRIGGER note_went_back AFTER UPDATE ON ${kind}s FOR EACH ROW EXECUTE FUNCTION note_went_back();`).join('')}`,
  );
}

/** What the warehouse noted since `watchRevisions`. */
export async function wentBack(system: System): Promise<string[]> {
  const rows = await rowsOf(system, 'SELECT * FROM went_back');
  return rows.map(({ kind, id, was, became }) => `${kind} ${id}: revision ${became} was written over ${was}`);
}

/** Reads what was asked of the sandbox since the last call; its journal keeps only so many requests. */
export function recordWrites(system: System): { writes: Write[]; note(): Promise<void> } {
  const writes: Write[] = [];
  return {
    writes,
    note: async () => {
      const { entries } = await control(system, 'GET', `/log?writes=1&since=${writes.at(-1)?.n ?? 0}`);
      writes.push(...entries);
    },
  };
}
