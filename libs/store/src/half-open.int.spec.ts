import { connect, createServer, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { testInfra } from '@syncline/infra';
import { openStore, type Store } from './store.js';
import { createTestDatabase } from './test-database.js';

// A network that goes silent without closing a connection: nothing tells the client that its answer will never come.
let database: Awaited<ReturnType<typeof createTestDatabase>>;
let store: Store;
let silent = false;
const sockets = new Set<Socket>();
const network = createServer((incoming) => {
  const { hostname, port } = new URL(database.url);
  const outgoing = connect(Number(port), hostname);
  for (const [from, to] of [
    [incoming, outgoing],
    [outgoing, incoming],
  ] as const) {
    sockets.add(from);
    from.on('data', (bytes) => void (silent || to.write(bytes)));
    from.on('error', () => to.destroy());
    from.on('close', () => to.destroy());
  }
});

beforeAll(async () => {
  database = await createTestDatabase((await testInfra()).databaseUrl);
  await new Promise<void>((resolve) => network.listen(0, '127.0.0.1', resolve));
  const url = new URL(database.url);
  url.port = String((network.address() as { port: number }).port);
  const about = { role: 'transformer', applicationName: 'half-open-test', poolSize: 2, answerMsMax: 1_000 } as const;
  store = await openStore({ url: url.href, ...about });
}, 120_000);

afterAll(async () => {
  await store?.close();
  for (const socket of sockets) socket.destroy();
  network.close();
  await database?.drop();
});

it('a query whose answer never comes fails in time, and its connection is not used again', async () => {
  await Promise.all([store.query('SELECT 1'), store.query('SELECT 2')]);
  silent = true;
  const began = performance.now();
  const lost = await Promise.allSettled([store.query('SELECT 3'), store.query('SELECT 4')]);
  expect(lost.map((end) => end.status === 'rejected' && end.reason.kind)).toEqual(['transient', 'transient']);
  expect(performance.now() - began).toBeLessThan(10_000);
  silent = false;
  expect(await store.query<{ n: number }>('SELECT 5 AS n')).toEqual([{ n: 5 }]);
  expect(await Promise.all([store.query('SELECT 6 AS n'), store.query('SELECT 7 AS n')])).toEqual([
    [{ n: 6 }],
    [{ n: 7 }],
  ]);
}, 30_000);

it('so does a transaction, whose locks are another one’s afterwards', async () => {
  await store.query("INSERT INTO progress (topic, partition) VALUES ('half-open', 0)");
  const tx = await store.begin();
  await tx.query("SELECT * FROM progress WHERE topic = 'half-open' FOR UPDATE");
  silent = true;
  await expect(tx.query('SELECT 1')).rejects.toMatchObject({ kind: 'transient' });
  await tx.rollback();
  silent = false;
  const [row] = await store.transaction((next) =>
    next.query<{ partition: number }>("SELECT partition FROM progress WHERE topic = 'half-open' FOR UPDATE"),
  );
  expect(row?.partition).toBe(0);
}, 30_000);
