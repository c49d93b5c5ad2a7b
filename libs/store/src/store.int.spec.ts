import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { testInfra } from '@syncline/infra';
import { checkStore, migrateStore } from './migrate.js';
import { openStore, type Store } from './store.js';
import { createTestDatabase } from './test-database.js';
import { findIdentities } from './transformer-identity.js';
import { lockRecords, nextRevisions, writeBatch } from './transformer-records.js';

let server: string;
let database: Awaited<ReturnType<typeof createTestDatabase>>;
let store: Store;

beforeAll(async () => {
  server = (await testInfra()).databaseUrl;
  database = await createTestDatabase(server);
  store = await openStore({ url: database.url, role: 'transformer', applicationName: 'store-test' });
}, 120_000);

afterAll(async () => {
  await store?.close();
  await database?.drop();
});

const id = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
const record = (n: number, revision: number) => ({
  id: id(n),
  kind: 'order' as const,
  revision,
  mergedInto: null,
  deleted: false,
  document: `{"n":${n}}`,
  state: '{"n":1,"p":[],"s":[]}',
});
const place = { topic: 'raw.shopify.order', partition: 0, from: 0n, next: 1n, aside: [] };

describe('migrations', () => {
  it('run once, also when several start at once, and are noticed when they are missing', async () => {
    const empty = await createTestDatabase(server, { migrate: false });
    expect((await checkStore(empty.url)).join()).toMatch(/syncline migrate/);
    const ran = await Promise.all([migrateStore(empty.url), migrateStore(empty.url), migrateStore(empty.url)]);
    expect(ran.flat()).toHaveLength(3);
    expect(await checkStore(empty.url)).toEqual([]);
    await empty.drop();
  });

  it('say where the database does not answer', async () => {
    expect((await checkStore('postgres://nobody:x@127.0.0.1:1/none')).join()).toMatch(/DATABASE_URL/);
  });
});

describe('roles', () => {
  it("keep each service from the others' tables", async () => {
    await expect(store.query('SELECT * FROM delivery.deliveries')).rejects.toMatchObject({
      message: expect.stringMatching(/42501/),
    });
    const ingestion = await openStore({ url: database.url, role: 'ingestion', applicationName: 'store-test' });
    await expect(ingestion.query('SELECT * FROM transformer.records')).rejects.toMatchObject({
      message: expect.stringMatching(/42501/),
    });
    await ingestion.close();
  });
});

describe('the batch write', () => {
  it('writes records, keys and progress at once, and reads them back under their locks', async () => {
    const tx = await store.begin();
    const [revision] = await nextRevisions(tx, 1);
    const key = { kind: 'order' as const, scope: 'shop/order', key: 'w1' };
    const ok = await writeBatch(tx, {
      records: [record(1, revision as number)],
      identities: [{ ...key, id: id(1) }],
      history: [],
      changed: { shop: 1 },
      progress: place,
    });
    await tx.commit();
    expect(ok).toBe(true);
    expect(await findIdentities(store, [key])).toMatchObject([{ id: id(1) }]);
    expect(await lockRecords(store, [id(1)])).toMatchObject([{ id: id(1), document: '{"n":1}', revision }]);
  });

  it('says so when another transaction took a key in the meantime', async () => {
    const key = { kind: 'order' as const, scope: 'shop/order', key: 'taken' };
    const write = (n: number) => ({
      records: [record(n, 1)],
      identities: [{ ...key, id: id(n) }],
      history: [],
      changed: {},
      progress: { ...place, partition: n },
    });
    const [a, b] = [await store.begin(), await store.begin()];
    expect(await writeBatch(a, write(2))).toBe(true);
    const second = writeBatch(b, write(3));
    await a.commit();
    expect(await second).toBe(false);
    await b.rollback();
    expect(await findIdentities(store, [key])).toMatchObject([{ id: id(2) }]);
  });

  it('locks in id order: batches that share records in opposite order do not wait for each other in a circle', async () => {
    const setup = await store.begin();
    await writeBatch(setup, {
      records: [record(10, 1), record(11, 1)],
      identities: [],
      history: [],
      changed: {},
      progress: place,
    });
    await setup.commit();
    const one = async (ids: string[]) =>
      store.transaction(async (tx) => {
        await lockRecords(tx, ids);
        await new Promise((r) => setTimeout(r, 5));
      });
    await Promise.all(Array.from({ length: 20 }, (_, i) => one(i % 2 ? [id(10), id(11)] : [id(11), id(10)])));
  });

  it('never gives a revision twice, also after a rollback', async () => {
    const tx = await store.begin();
    const [first] = await nextRevisions(tx, 1);
    await tx.rollback();
    const [second] = await nextRevisions(store, 1);
    expect(second).toBeGreaterThan(first as number);
  });
});

describe('failures', () => {
  it('are transient where the database is away and quote no value', async () => {
    await expect(
      openStore({ url: 'postgres://a:b@127.0.0.1:1/x', role: 'delivery', applicationName: 'x' }),
    ).rejects.toMatchObject({ kind: 'transient' });
    await expect(store.query('SELECT $1::int', ['ada@example.com'])).rejects.toMatchObject({
      kind: 'defect',
      message: expect.not.stringContaining('ada'),
    });
  });
});
