import { randomBytes } from 'node:crypto';
import { DataSource } from 'typeorm';
import { migrateStore } from './migrate.js';

/**
 * A migrated database of its own on a running server, for one test file. `url` must be allowed to create databases.
 * With `migrate: false` it is left empty.
 */
export async function createTestDatabase(
  url: string,
  options: { migrate?: boolean } = {},
): Promise<{ url: string; drop(): Promise<void> }> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  const admin = async (sql: string) => {
    const source = new DataSource({ type: 'postgres', url, poolSize: 1 });
    await source.initialize();
    try {
      await source.query(sql);
    } finally {
      await source.destroy();
    }
  };
  await admin(`CREATE DATABASE ${name}`);
  const own = new URL(url);
  own.pathname = `/${name}`;
  if (options.migrate !== false) await migrateStore(own.href);
  return { url: own.href, drop: () => admin(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`) };
}
