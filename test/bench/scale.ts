// Whether a record costs the same whatever number of records is known: a backlog of all of them is drained with small heaps,
// then changes of some of them are timed, and the same is done where few are known.
import pg from 'pg';
import { fillWith, shopToWarehouse } from './drain.js';
import { type Metered, median, meter } from './meter.js';
import { makePlace, type Place } from './place.js';

/** Old-space limit of each service, in MB. */
export const heapMbMax = 256;

/** What is measured with so many known records. */
export interface Scaled {
  known: number;
  /** Draining the backlog that made them known. */
  drainSeconds: number;
  /** Highest resident memory of the services meanwhile, in MB. */
  peakMb: Record<string, number>;
  /** Medians of the probes: CPU seconds of the services and of the servers, and seconds, per 1,000 changes. */
  cpu: number;
  serverCpu: number;
  seconds: number;
}

const probes = 3;

/** Makes `known` records known, then measures `changes` changes of them, spread evenly, a few times. */
export async function scaled(known: number, changes: number): Promise<Scaled> {
  const place = await makePlace(shopToWarehouse);
  try {
    await countWrites(place);
    await fillWith(
      place,
      each(known, (n) => [n, 1]),
    );
    const small = { NODE_OPTIONS: `--max-old-space-size=${heapMbMax}` };
    const [writer, transformer] = await Promise.all([
      place.run('writer', 'apps/writers/postgres/dist/main.js', small),
      place.run('transformer', 'apps/transformer/dist/main.js', small),
    ]);
    const services = { transformer: transformer.pid, writer: writer.pid };
    const stop = meter({ ...place.servers, ...services });
    const began = performance.now();
    await untilWritten(place, known);
    const drainSeconds = (performance.now() - began) / 1000;
    const used = stop();
    await settle(place);
    const found: { cpu: number; serverCpu: number; seconds: number }[] = [];
    for (let probe = 1; probe <= probes; probe++) {
      const metered = meter({ ...place.servers, ...services });
      const from = performance.now();
      await fillWith(
        place,
        each(changes, (i) => [Math.floor((i * known) / changes), 1 + probe]),
      );
      await untilWritten(place, known + probe * changes);
      const seconds = (performance.now() - from) / 1000;
      const cost = metered();
      const per = (names: readonly string[]) =>
        (names.reduce((sum, name) => sum + ((cost[name] as Metered).cpuSeconds ?? 0), 0) / changes) * 1000;
      found.push({
        cpu: per(Object.keys(services)),
        serverCpu: per(Object.keys(place.servers)),
        seconds: (seconds / changes) * 1000,
      });
    }
    const middle = (of: (one: (typeof found)[number]) => number) => median(found.map(of));
    return {
      known,
      drainSeconds,
      peakMb: Object.fromEntries(Object.keys(services).map((name) => [name, (used[name] as Metered).peakMb])),
      cpu: middle((f) => f.cpu),
      serverCpu: middle((f) => f.serverCpu),
      seconds: middle((f) => f.seconds),
    };
  } finally {
    await place.stop();
  }
}

function* each<T>(count: number, make: (i: number) => T): Generator<T> {
  for (let i = 0; i < count; i++) yield make(i);
}

/** Counts rows as they are written: asking the tables would cost more the more rows they have. */
async function countWrites(place: Place): Promise<void> {
  await place.warehouse.query(`CREATE SEQUENCE bench_written;
    CREATE FUNCTION bench_count() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM nextval('bench_written'); RETURN NULL; END $$;
    CREATE TRIGGER bench_count AFTER INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION bench_count()`);
}

/** Waits until so many rows were written in all. */
async function untilWritten(place: Place, count: number): Promise<void> {
  let last = -1;
  let movedAt = Date.now();
  for (;;) {
    const { rows } = await place.warehouse.query<{ n: string }>(
      'SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS n FROM bench_written',
    );
    const n = Number(rows[0]?.n);
    if (n >= count) return;
    if (n !== last) [last, movedAt] = [n, Date.now()];
    if (Date.now() - movedAt > 120_000)
      throw new Error(`${n} of ${count} rows were written, and no more for 2 minutes`);
    await new Promise((r) => setTimeout(r, 100));
  }
}

/** What a database does by itself after a large load is done now, so that it does not fall into a measurement. */
async function settle(place: Place): Promise<void> {
  const store = new pg.Client({ connectionString: place.infra.databaseUrl });
  await store.connect();
  await store.query('VACUUM ANALYZE');
  await store.query('CHECKPOINT');
  await store.end();
  await place.warehouse.query('VACUUM ANALYZE');
}
