import { testInfra } from '@syncline/infra';
import pg from 'pg';

/** A new empty database on the shared test server, for one test file. */
export async function testDatabase(): Promise<{ url: string; client: pg.Client; drop(): Promise<void> }> {
  const { warehouseUrl } = await testInfra();
  const name = `warehouse_test_${process.pid}_${Math.random().toString(36).slice(2, 8)}`;
  const admin = new pg.Client(warehouseUrl);
  await admin.connect();
  await admin.query(`CREATE DATABASE ${name}`);
  const url = new URL(warehouseUrl);
  url.pathname = `/${name}`;
  const client = new pg.Client(url.href);
  await client.connect();
  return {
    url: url.href,
    client,
    drop: async () => {
      await client.end();
      await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
      await admin.end();
    },
  };
}
