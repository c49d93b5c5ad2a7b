import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { testInfra } from '@syncline/infra';
import { checkStore, migrateStore } from './migrate.js';
import { migrations } from './migrations/index.js';
import { openStore, type Store } from './store.js';
import { createTestDatabase } from './test-database.js';
import { findIdentities } from './transformer-identity.js';
import { giveBack, giveTo, lockOwners, readProgress } from './transformer-progress.js';
import { countChanges, lockRecords, nextRevisions, writeBatch } from './transformer-records.js';

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
const owner = ['test.0', 'test.1'];
const at = (partition: number) => [{ topic: 'raw.shopify.order', partition, next: 1n, aside: [] }];
/** Takes the partitions these tests write for. */
const owned = (by = owner) =>
  store.transaction(async (tx) => {
    const of = [0, 2, 3].flatMap(at);
    const before = await lockOwners(tx, of);
    await giveTo(tx, by, of);
    return before;
  });

describe('migrations', () => {
  it('run once, also when several start at once, and are noticed when they are missing', async () => {
    const empty = await createTestDatabase(server, { migrate: false });
    expect((await checkStore(empty.url)).join()).toMatch(/syncline migrate/);
    const ran = await Promise.all([migrateStore(empty.url), migrateStore(empty.url), migrateStore(empty.url)]);
    expect(ran.flat()).toHaveLength(migrations.length);
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
  beforeAll(() => owned());

  it('writes records, keys and progress at once, and reads them back under their locks', async () => {
    const tx = await store.begin();
    const [revision] = await nextRevisions(tx, 1);
    const key = { kind: 'order' as const, scope: 'shop/order', key: 'w1' };
    const ok = await writeBatch(tx, {
      records: [record(1, revision as number)],
      identities: [{ ...key, id: id(1) }],
      history: [],
      changed: { shop: 1 },
      progress: at(0),
      owner,
    });
    await tx.commit();
    expect(ok).toBe('written');
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
      progress: at(n),
      owner,
    });
    const [a, b] = [await store.begin(), await store.begin()];
    expect(await writeBatch(a, write(2))).toBe('written');
    const second = writeBatch(b, write(3));
    await a.commit();
    expect(await second).toBe('key taken');
    await b.rollback();
    expect(await findIdentities(store, [key])).toMatchObject([{ id: id(2) }]);
  });

  it('writes only for the owner of the partition, and a new owner waits for what the last one is committing', async () => {
    const write = (n: number, aside: string[], by = owner) => ({
      records: [record(n, 1)],
      identities: [],
      history: [],
      changed: { shop: 1 },
      progress: at(2).map((p) => ({ ...p, next: 7n, aside })),
      owner: by,
    });
    const last = await store.begin();
    expect(await writeBatch(last, write(20, [id(20)]))).toBe('written');
    let gone = false;
    const taken = owned(['next.0']).then((before) => {
      gone = true;
      return before;
    });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(gone).toBe(false);
    await last.commit();
    expect(await taken).toEqual(owner);
    expect(await readProgress(store, owner, at(2)[0]!)).toBeNull();
    expect(await readProgress(store, ['next.0'], at(2)[0]!)).toMatchObject({ next: 7n, aside: [id(20)] });
    const zombie = await store.begin();
    expect(await writeBatch(zombie, write(21, []))).toBe('not the owner');
    await zombie.rollback();
    await giveBack(store, owner, at(2)[0]!);
    expect(await owned()).toEqual(['next.0']);
    for (const place of [0, 2, 3].flatMap(at)) await giveBack(store, owner, place);
    expect(await owned()).toEqual([]);
  });

  it('counts changes, of each connection all partitions together', async () => {
    const before = (await countChanges(store)).shop ?? 0;
    const write = (partition: number) => ({
      records: [],
      identities: [],
      history: [],
      changed: { shop: 2 },
      progress: at(partition),
      owner,
    });
    // Neither waits for the other: both are open at once.
    const [a, b] = [await store.begin(), await store.begin()];
    expect([await writeBatch(a, write(0)), await writeBatch(b, write(2))]).toEqual(['written', 'written']);
    await Promise.all([a.commit(), b.commit()]);
    expect((await countChanges(store)).shop).toBe(before + 4);
  });

  it('locks in id order: batches that share records in opposite order do not wait for each other in a circle', async () => {
    const setup = await store.begin();
    await writeBatch(setup, {
      records: [record(10, 1), record(11, 1)],
      identities: [],
      history: [],
      changed: {},
      progress: at(0),
      owner,
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
