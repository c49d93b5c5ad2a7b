import type { BatchTarget } from '@syncline/connector-sdk';
import { type Kind, SyncError } from '@syncline/contracts';
import pg from 'pg';
import { z } from 'zod';
import { orderMap, shipmentMap } from './columns.js';
import { toSyncError } from './failures.js';
import { checkSchema, migrate, missingColumns } from './schema.js';
import { statementsOf } from './statements.js';
import { writeBatch } from './write.js';

const settings = z.object({
  schema: z
    .string()
    .regex(/^[a-z_][a-z0-9_]{0,62}$/, 'expected lower-case letters, digits and _')
    .default('public')
    .describe('Schema of the tables; made where it is missing'),
  onDelete: z
    .enum(['archive', 'delete', 'ignore'])
    .default('archive')
    .describe('What a deletion does: archive sets deleted_at, delete removes the rows, ignore leaves them as they are'),
  connections: z.int().min(1).max(50).default(4).describe('Sessions a writer holds at most'),
  statementMsMax: z
    .int()
    .min(1000)
    .max(600_000)
    .default(20_000)
    .describe('Milliseconds a statement may take before it counts as failed'),
});

const secrets = z.object({
  url: z
    .string()
    .regex(/^postgres(ql)?:\/\//, 'expected postgres://user:password@host:port/database')
    .describe('Address of the database with user and password; add ?sslmode=verify-full for TLS'),
});

/** What a writer needs of a connection of provider `postgres`. */
export interface WarehouseContext {
  readonly connection: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly secrets: Readonly<Record<string, unknown>>;
}

/** An open warehouse: its targets by kind. */
export interface OpenWarehouse {
  readonly targets: Readonly<Record<Kind, BatchTarget>>;
  /** Proves address, credentials and tables. Throws a SyncError with what to fix. */
  check(): Promise<void>;
  close(): Promise<void>;
}

const answerMsExtra = 5_000;
const connectMsMax = 5_000;

/** Opens the warehouse of a connection, with its tables made or upgraded first. Throws a SyncError. */
async function open(context: WarehouseContext): Promise<OpenWarehouse> {
  const options = settings.parse(context.settings);
  const { url } = secrets.parse(context.secrets);
  await migrate(url, options.schema);
  const pool = new pg.Pool({
    connectionString: url,
    max: options.connections,
    application_name: `syncline-${context.connection}`.slice(0, 63),
    pipeline: true,
    keepAlive: true,
    connectionTimeoutMillis: connectMsMax,
    statement_timeout: options.statementMsMax,
    idle_in_transaction_session_timeout: options.statementMsMax,
    // For a server that no longer answers at all.
    query_timeout: options.statementMsMax + answerMsExtra,
  });
  // A session that ends is replaced at the next write; what it broke is reported by the write it was in.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  const target = (kind: Kind): BatchTarget => {
    const statements = statementsOf(kind === 'order' ? orderMap : shipmentMap, kind, options.schema);
    return {
      shape: 'batch',
      write: (items) => writeBatch(pool, { kind, statements, onDelete: options.onDelete }, items),
    };
  };
  return {
    targets: { order: target('order'), shipment: target('shipment') },
    check: async () => {
      const problems = await missingColumns(pool, options.schema).catch((thrown: unknown) => {
        throw toSyncError(thrown);
      });
      if (problems.length > 0) throw new SyncError('unauthorized', problems.join('; '));
    },
    close: () => pool.end(),
  };
}

/** PostgreSQL as a target: typed tables for analysts, kept at the newest revision of every record. Never read back. */
export const warehouse = {
  provider: 'postgres',
  title: 'PostgreSQL warehouse',
  settings,
  secrets,
  open,
  migrate,
  checkSchema,
};
