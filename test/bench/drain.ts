import { rawHeaders, rawKey, rawTopic } from '@syncline/contracts';
import { MicroBatchProducer } from '@syncline/messaging';
import pg from 'pg';
import { type Metered, meter } from './meter.js';
import { naiveTables } from './naive.js';
import { expected, orderBody } from './orders.js';
import { makePlace, type Place } from './place.js';

/** How much a backlog holds. */
export interface Backlog {
  orders: number;
  versions: number;
  /** Messages between two versions of an order. */
  apart: number;
}

/** One contender's way through the backlog. */
export interface Drained {
  recordsPerSecond: number;
  seconds: number;
  /** Rows written to the target's order table: coalescing writes fewer than it reads. */
  rowsWritten: number;
  used: Record<string, Metered>;
}

export const shopToWarehouse = `connections:
  shop: { provider: shopify, settings: { url: "http://127.0.0.1:9" }, secrets: { clientId: bench, clientSecret: bench } }
  warehouse: { provider: postgres, secrets: { url: "\${WAREHOUSE_URL}" } }
flows:
  - { kinds: [order, shipment], from: [shop], to: [warehouse] }
`;

/** The backlog in the order it came in: an order is placed, paid a while later and changed again some time after that. */
export function arrivals({ orders, versions, apart }: Backlog): [n: number, version: number][] {
  const all: [at: number, n: number, version: number][] = [];
  for (let n = 0; n < orders; n++) for (let v = 1; v <= versions; v++) all.push([n * versions + (v - 1) * apart, n, v]);
  return all.sort((a, b) => a[0] - b[0]).map(([, n, v]) => [n, v]);
}

/** Fills raw.shopify.order with versions of orders as an ingestor would. */
export async function fillWith(place: Place, all: Iterable<[n: number, version: number]>): Promise<void> {
  const producer = new MicroBatchProducer(place.kafka);
  await producer.connect();
  const topic = rawTopic('shopify', 'order');
  const rest = all[Symbol.iterator]();
  for (;;) {
    const chunk = Array.from({ length: 500 }, () => rest.next()).flatMap((next) => (next.done ? [] : [next.value]));
    if (chunk.length === 0) break;
    const sends = chunk.map(([n, version]) => {
      const { externalId, version: at } = expected(n, version);
      const headers = rawHeaders(
        {
          eventId: `${n}/${version}`,
          connection: 'shop',
          type: 'orders/updated',
          externalId,
          occurredAt: at,
          origin: 'webhook',
          apiVersion: null,
          receivedAt: Date.now(),
          readAt: null,
        },
        'shopify',
      );
      return producer.send({ topic, key: rawKey('shop', externalId), value: orderBody(n, version), headers });
    });
    await Promise.all(sends);
  }
  await producer.disconnect();
}

/** Through both hops: raw topic → transformer → canonical topic → writer → warehouse. */
export async function drainSyncline(backlog: Backlog): Promise<Drained> {
  const place = await makePlace(shopToWarehouse);
  try {
    await fillWith(place, arrivals(backlog));
    await place.warehouse.query('CREATE TABLE bench_writes (n bigint); INSERT INTO bench_writes VALUES (0)');
    await place.warehouse.query(`CREATE FUNCTION bench_count() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE bench_writes SET n = n + (SELECT count(*) FROM written); RETURN NULL; END $$;
      CREATE TRIGGER bench_ins AFTER INSERT ON orders REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION bench_count();
      CREATE TRIGGER bench_upd AFTER UPDATE ON orders REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION bench_count()`);
    const [writer, transformer] = await Promise.all([
      place.run('writer', 'apps/writers/postgres/dist/main.js'),
      place.run('transformer', 'apps/transformer/dist/main.js'),
    ]);
    const stop = meter({ ...place.servers, transformer: transformer.pid, writer: writer.pid });
    const end = await untilAll(place, `SELECT count(*)::int AS n FROM orders WHERE tags @> '{vip}'`, backlog.orders);
    const used = stop();
    await verify(place, backlog);
    const seconds = (end - (await firstBatchAt(place))) / 1000;
    const written = Number((await place.warehouse.query('SELECT n FROM bench_writes')).rows[0]?.n ?? 0);
    return { seconds, recordsPerSecond: (backlog.orders * backlog.versions) / seconds, rowsWritten: written, used };
  } finally {
    await place.stop();
  }
}

/** One hop: raw topic → consumer → tables. */
export async function drainNaive(backlog: Backlog): Promise<Drained> {
  const place = await makePlace(shopToWarehouse);
  try {
    await fillWith(place, arrivals(backlog));
    await place.warehouse.query(naiveTables);
    const naive = await place.run('naive', 'test/dist/bench/naive.js', {}, ['serve']);
    const stop = meter({ ...place.servers, naive: naive.pid });
    let first = 0;
    while (first === 0) first = await firstNaiveAt(place);
    const end = await untilAll(
      place,
      `SELECT count(*)::int AS n FROM naive_orders WHERE note LIKE '%version ${backlog.versions}:%'`,
      backlog.orders,
    );
    const seconds = (end - first) / 1000;
    return {
      seconds,
      recordsPerSecond: (backlog.orders * backlog.versions) / seconds,
      rowsWritten: backlog.orders * backlog.versions,
      used: stop(),
    };
  } finally {
    await place.stop();
  }
}

/** When the transformer began its first batch, by the database's clock, in milliseconds since the epoch. */
async function firstBatchAt(place: Place): Promise<number> {
  const store = new pg.Client({ connectionString: place.infra.databaseUrl });
  await store.connect();
  const { rows } = await store.query<{ at: number }>(
    'SELECT extract(epoch FROM min(at))::float8 * 1000 AS at FROM transformer.history',
  );
  await store.end();
  return rows[0]?.at ?? Number.NaN;
}

/** When the naive consumer began its first transaction; 0 while it has not. Its first rows are overwritten soon. */
async function firstNaiveAt(place: Place): Promise<number> {
  const { rows } = await place.warehouse.query<{ at: number | null }>(
    'SELECT extract(epoch FROM min(synced_at))::float8 * 1000 AS at FROM naive_orders',
  );
  if (rows[0]?.at) return rows[0].at;
  await new Promise((r) => setTimeout(r, 50));
  return 0;
}

/** Waits until a count is reached and returns when, by the database's clock, in milliseconds since the epoch. */
async function untilAll(place: Place, sql: string, count: number): Promise<number> {
  const began = Date.now();
  for (;;) {
    const n = (await place.warehouse.query<{ n: number }>(sql)).rows[0]?.n;
    if (n === count)
      return (
        (
          await place.warehouse.query<{ at: number }>(
            'SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS at',
          )
        ).rows[0] as { at: number }
      ).at;
    if (Date.now() - began > 300_000) throw new Error(`only ${n} of ${count} orders arrived within 300 s`);
    await new Promise((r) => setTimeout(r, 200));
  }
}

/** Every order must stand in the warehouse as its newest version says. */
async function verify(place: Place, backlog: Backlog): Promise<void> {
  const { rows } = await place.warehouse.query<{ note: string; total_minor: string; x: string }>(
    `SELECT record->'data'->>'note' AS note, total_minor, record->'sources'->0->>'externalId' AS x FROM orders ORDER BY 3`,
  );
  for (let n = 0; n < backlog.orders; n++) {
    const want = expected(n, backlog.versions);
    const row = rows[n];
    if (row?.x !== want.externalId || row.note !== want.note || Number(row.total_minor) !== want.totalMinor)
      throw new Error(`order ${want.externalId} is not as its newest version says`);
  }
}
