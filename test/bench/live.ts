import { createHmac } from 'node:crypto';
import pg from 'pg';
import { Pool } from 'undici';
import { shopToWarehouse } from './drain.js';
import { HeapProbe, type Held } from './heap.js';
import { type Metered, meter, percentile } from './meter.js';
import { expected, orderBody } from './orders.js';
import { makePlace, type Place } from './place.js';

/** A steady load of webhooks. */
export interface Load {
  perSecond: number;
  seconds: number;
  /** How often on the way the services are asked what they hold after a garbage collection; 0: never. */
  heaps?: number;
}

/** What became of it. Freshness is from sending the request until the row is committed, in milliseconds. */
export interface Live {
  sent: number;
  refused: number;
  arrived: number;
  duplicated: number;
  p50: number;
  p95: number;
  p99: number;
  used: Record<string, Metered>;
  /** Resident memory of the services after a third of the time and at the end, in MB. */
  memory: { early: number; late: number };
  heaps: Record<string, Held>[];
}

const secret = 'bench';

/** Sends signed order webhooks over HTTP at a steady rate and times each until its row is committed in the warehouse. */
export async function live({ perSecond, seconds, heaps: count = 0 }: Load): Promise<Live> {
  const place = await makePlace(shopToWarehouse);
  const probe = new HeapProbe();
  const heaps: Record<string, Held>[] = [];
  let asking: NodeJS.Timeout | undefined;
  try {
    const env = (name: string) => (count > 0 ? probe.env(name) : {});
    const [writer, transformer, ingestor] = await Promise.all([
      place.run('writer', 'apps/writers/postgres/dist/main.js', env('writer')),
      place.run('transformer', 'apps/transformer/dist/main.js', env('transformer')),
      place.run('ingestor', 'apps/ingestors/shopify/dist/main.js', {
        ...env('ingestor'),
        HTTP_PORT: '0',
        POLL_INTERVAL_MS: '3600000',
      }),
    ]);
    const address = `${String(ingestor.ready.webhooks)}/webhooks/shop`;
    const committed = await listen(place);
    await send(address, [900_000], 50, new Map());
    await new Promise((r) => setTimeout(r, 3_000));
    const services = { ingestor: ingestor.pid, transformer: transformer.pid, writer: writer.pid };
    const stop = meter({ ...place.servers, ...services });
    const early = setTimeout(
      () => {
        memory.early = Object.values(meter(services)()).reduce((sum, m) => sum + m.peakMb, 0);
      },
      (seconds * 1000) / 3,
    );
    const memory = { early: 0, late: 0 };
    const sentAt = new Map<string, number>();
    if (count > 0) {
      for (const [name, pid] of Object.entries(services)) probe.add(name, pid);
      asking = setInterval(
        () => probe.ask().then((held) => heaps.push(held), console.error),
        ((seconds - 1) * 1000) / count,
      );
    }
    const numbers = Array.from({ length: perSecond * seconds }, (_, i) => i);
    const refused = await send(address, numbers, perSecond, sentAt);
    const until = Date.now() + 15_000;
    const keys = [...sentAt.keys()];
    while (Date.now() < until && keys.some((k) => !committed.has(k))) await new Promise((r) => setTimeout(r, 100));
    clearTimeout(early);
    clearInterval(asking);
    memory.late = Object.values(meter(services)()).reduce((sum, m) => sum + m.peakMb, 0);
    const used = stop();
    const times = keys
      .flatMap((k) => (committed.has(k) ? [(committed.get(k)?.at ?? 0) - (sentAt.get(k) ?? 0)] : []))
      .sort((a, b) => a - b);
    const duplicated = keys.filter((k) => (committed.get(k)?.times ?? 0) > 1).length;
    return {
      sent: keys.length,
      refused,
      arrived: times.length,
      duplicated,
      p50: percentile(times, 0.5),
      p95: percentile(times, 0.95),
      p99: percentile(times, 0.99),
      used,
      memory,
      heaps,
    };
  } finally {
    clearInterval(asking);
    probe.close();
    await place.stop();
  }
}

/** Hears of every committed row: PostgreSQL delivers a notification when its transaction commits. */
async function listen(place: Place): Promise<Map<string, { at: number; times: number }>> {
  await place.warehouse.query(`CREATE FUNCTION bench_notify() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_notify('bench', NEW.name); RETURN NULL; END $$;
    CREATE TRIGGER bench_notify AFTER INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION bench_notify()`);
  const heard = new Map<string, { at: number; times: number }>();
  const client = new pg.Client({ connectionString: place.infra.warehouseUrl });
  client.on('error', () => undefined);
  client.on('notification', ({ payload }) => {
    const known = heard.get(payload ?? '');
    if (known) known.times++;
    else heard.set(payload ?? '', { at: performance.now(), times: 1 });
  });
  await client.connect();
  await client.query('LISTEN bench');
  return heard;
}

/** Sends one webhook per number, spread evenly; returns how many were not answered 2xx. */
async function send(
  address: string,
  numbers: readonly number[],
  perSecond: number,
  sentAt: Map<string, number>,
): Promise<number> {
  const url = new URL(address);
  const pool = new Pool(url.origin, { connections: 20 });
  let refused = 0;
  const running: Promise<void>[] = [];
  const began = performance.now();
  for (const [i, n] of numbers.entries()) {
    const due = began + (i * 1000) / perSecond;
    const wait = due - performance.now();
    if (wait > 1) await new Promise((r) => setTimeout(r, wait));
    const body = orderBody(n, 1);
    const headers = {
      'content-type': 'application/json',
      'x-shopify-topic': 'orders/create',
      'x-shopify-hmac-sha256': createHmac('sha256', secret).update(body).digest('base64'),
      'x-shopify-shop-domain': 'bench.example',
      'x-shopify-api-version': '2026-07',
      'x-shopify-webhook-id': `bench-${n}`,
      'x-shopify-triggered-at': new Date(expected(n, 1).version).toISOString(),
    };
    sentAt.set(`#${n}`, performance.now());
    running.push(
      pool.request({ path: url.pathname, method: 'POST', headers, body }).then(async (reply) => {
        await reply.body.dump();
        if (reply.statusCode >= 300) refused++;
      }),
    );
  }
  await Promise.allSettled(running);
  await pool.close();
  return refused;
}
