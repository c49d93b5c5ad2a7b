import { type Logger, metrics } from '@syncline/runtime';
import type { Db } from './store.js';

const everyMs = 60_000;
/** From here on it is told: signatures that cover a time are refused at 300 s. */
const toldMs = 5_000;

/** How far this machine's clock is ahead of the database's, in milliseconds; the truth lies within half of a query's time. */
export async function measureSkewMs(db: Db): Promise<number> {
  const before = Date.now();
  const [row] = await db.query<{ now: number }>('SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now');
  return Math.round((before + Date.now()) / 2 - (row?.now ?? Number.NaN));
}

/** Watches this machine's clock against the database's. Nothing is ordered by it, but signatures with a time are judged by it. */
export function watchClock(db: Db, log: Logger): { skewMs(): number | null; stop(): void } {
  let skewMs: number | null = null;
  const measure = async () => {
    const was = skewMs;
    skewMs = await measureSkewMs(db);
    if (Math.abs(skewMs) >= toldMs && Math.abs(skewMs - (was ?? 0)) >= toldMs)
      log.warn(
        { skewMs },
        `the clock of this machine is ${Math.abs(Math.round(skewMs / 1000))} s ${skewMs > 0 ? 'ahead of' : 'behind'} the database's: webhooks whose signature covers a time may be refused, and ages are wrong; set the clock`,
      );
  };
  const look = () => void measure().catch((err) => log.debug({ err }, 'the clock could not be compared'));
  look();
  const timer = setInterval(look, everyMs);
  timer.unref();
  const unobserve = metrics.clockSkew.observe(() =>
    Promise.resolve(skewMs === null ? [] : [{ value: skewMs / 1000, attributes: {} }]),
  );
  return {
    skewMs: () => skewMs,
    stop() {
      clearInterval(timer);
      unobserve();
    },
  };
}
