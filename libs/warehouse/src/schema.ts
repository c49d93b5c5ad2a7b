import pg from 'pg';
import { DataSource } from 'typeorm';
import { orderMap, shipmentMap, type TableMap } from './columns.js';
import { toSyncError } from './failures.js';
import { WarehouseTables1764000000000 } from './migrations/tables.js';
import { quoteName } from './statements.js';

const migrations = [WarehouseTables1764000000000];
const migrationsTable = 'syncline_migrations';
/** Any number nobody else locks: two writers that start together migrate one after the other. */
const migrationLock = 7_354_200;
const connectMsMax = 10_000;
const migrateMsMax = 600_000;

/**
 * Makes or upgrades the warehouse's tables in `schema` (made where it is missing) and returns the names of the migrations
 * that ran. Safe to call from several processes at once. Throws a SyncError.
 */
export async function migrate(url: string, schema = 'public'): Promise<string[]> {
  const source = new DataSource({
    type: 'postgres',
    url,
    schema,
    applicationName: 'syncline-warehouse-migration',
    migrations,
    migrationsTableName: migrationsTable,
    migrationsTransactionMode: 'all',
    connectTimeoutMS: connectMsMax,
    // A lock is held by one session while another one migrates.
    poolSize: 2,
    extra: { statement_timeout: migrateMsMax, options: `-c search_path=${quoteName(schema)}` },
  });
  try {
    await source.initialize();
    const runner = source.createQueryRunner();
    try {
      await runner.query('SELECT pg_advisory_lock($1)', [migrationLock]);
      await runner.query(`CREATE SCHEMA IF NOT EXISTS ${quoteName(schema)}`);
      return (await source.runMigrations()).map((migration) => migration.name);
    } finally {
      // The session ends with the DataSource, and the lock with it.
      await runner.release();
    }
  } catch (thrown) {
    throw toSyncError(thrown);
  } finally {
    if (source.isInitialized) await source.destroy();
  }
}

/** Sentences about what the warehouse's tables lack; [] = fine. Throws a SyncError where it cannot be asked. */
export async function checkSchema(url: string, schema = 'public'): Promise<string[]> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: connectMsMax,
    query_timeout: connectMsMax,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await missingColumns(client, schema);
  } catch (thrown) {
    throw toSyncError(thrown);
  } finally {
    await client.end();
  }
}

/** Compares the columns the statements write with those that are there. */
export async function missingColumns(client: Pick<pg.Client, 'query'>, schema: string): Promise<string[]> {
  const { rows } = await client.query<{ table: string; columns: string[] }>(
    `SELECT table_name AS table, array_agg(column_name::text) AS columns FROM information_schema.columns
     WHERE table_schema = $1 GROUP BY table_name`,
    [schema],
  );
  const present = new Map(rows.map((row) => [row.table, new Set(row.columns)]));
  return Object.entries(writtenColumns()).flatMap(([table, columns]) => {
    const there = present.get(table);
    if (!there) return [`table ${schema}.${table} is missing: run the migration`];
    const lacking = columns.filter((column) => !there.has(column));
    return lacking.length === 0 ? [] : [`table ${schema}.${table} lacks ${lacking.join(', ')}: run the migration`];
  });
}

function writtenColumns(): Record<string, string[]> {
  const of = (map: TableMap): [string, string[]][] => [
    [map.table, ['id', 'revision', 'synced_at', 'deleted_at', 'merged_into', ...map.columns.map(([name]) => name)]],
    [map.child.table, [map.child.parentKey, 'synced_at', ...map.child.columns.map(([name]) => name)]],
  ];
  return Object.fromEntries([
    ...of(orderMap),
    ...of(shipmentMap),
    ['erased_records', ['id', 'kind', 'revision', 'merged_into', 'deleted_at']],
  ]);
}
