import 'reflect-metadata';
import { DataSource } from 'typeorm';
import { migrations } from './migrations/index.js';
import { roleName, type StoreRole, storeError } from './store.js';

const roles: readonly StoreRole[] = ['ingestion', 'transformer', 'delivery', 'grants'];
/** Serializes migrations of several starters; any constant does, it only has to be ours. */
const lockKey = 7_261_002;

const dataSource = (url: string) =>
  new DataSource({
    type: 'postgres',
    url,
    applicationName: 'syncline migrate',
    migrations,
    migrationsTableName: 'syncline_migrations',
    poolSize: 2,
    extra: { connectionTimeoutMillis: 5_000, query_timeout: 60_000 },
  });

/**
 * Brings the store to the present form: roles, one schema each, tables. Safe to run at once from several places.
 * Returns the names of the migrations that ran. The url's user must be allowed to create roles and schemas.
 */
export async function migrateStore(url: string): Promise<string[]> {
  const source = dataSource(url);
  try {
    await source.initialize();
    const runner = source.createQueryRunner();
    await runner.connect();
    try {
      await runner.query('SELECT pg_advisory_lock($1)', [lockKey]);
      for (const role of roles) await runner.query(roleSql(role));
      await runner.query(schemaSql());
      const ran = await source.runMigrations({ transaction: 'each' });
      await runner.query(roles.map((r) => grantSql(r)).join(';'));
      return ran.map((m) => m.name);
    } finally {
      await runner.query('SELECT pg_advisory_unlock($1)', [lockKey]).catch(() => undefined);
      await runner.release();
    }
  } catch (cause) {
    throw storeError(cause);
  } finally {
    if (source.isInitialized) await source.destroy();
  }
}

// Roles are global to the server: two databases migrated at once may both try to make them.
const roleSql = (role: StoreRole) => `DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${roleName(role)}') THEN CREATE ROLE ${roleName(role)} NOLOGIN; END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$`;
const schemaSql = () => roles.map((r) => `CREATE SCHEMA IF NOT EXISTS ${r}`).join(';');
const grantSql = (role: StoreRole) =>
  `GRANT USAGE ON SCHEMA ${role} TO ${roleName(role)};
   GRANT ALL ON ALL TABLES IN SCHEMA ${role} TO ${roleName(role)};
   GRANT ALL ON ALL SEQUENCES IN SCHEMA ${role} TO ${roleName(role)}`;

/** What stands between this database and a start: sentences with the fix, none where all is well. */
export async function checkStore(url: string): Promise<string[]> {
  const source = dataSource(url);
  try {
    await source.initialize();
    const version = Number((await source.query('SHOW server_version_num'))[0].server_version_num);
    const problems =
      version < 150_000 ? [`PostgreSQL ${Math.floor(version / 10_000)} is too old: 15 or newer is needed`] : [];
    if (await source.showMigrations()) problems.push('the store is not migrated: run `syncline migrate`');
    return problems;
  } catch (cause) {
    return [`the database does not answer (${storeError(cause).message}): check DATABASE_URL`];
  } finally {
    if (source.isInitialized) await source.destroy();
  }
}
