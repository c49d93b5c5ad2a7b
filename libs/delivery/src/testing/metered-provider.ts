import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One request as the provider saw it. */
export interface Arrival {
  at: number;
  who: string;
  refused: boolean;
}

/** A provider over HTTP that counts requests by a bucket, and refuses with 429 what does not fit. */
export interface MeteredProvider {
  url: string;
  arrivals: Arrival[];
  /** Changes the bucket. `told` says it in every answer, as a cost bucket of one point a request. */
  limit(limit: { perSecond: number; burst: number }, told: boolean): void;
  /** Refuses the next request with this Retry-After, and says when. */
  refuseOnce(retryAfterS: number): Promise<number>;
  close(): Promise<void>;
}

/** Starts a provider with a full bucket. */
export async function startMeteredProvider(first: { perSecond: number; burst: number }): Promise<MeteredProvider> {
  let { perSecond, burst } = first;
  let telling = false;
  let level = burst;
  let at = performance.now();
  let refusing: { retryAfterS: number; done: (at: number) => void } | null = null;
  const arrivals: Arrival[] = [];
  const server = createServer((req, res) => {
    const now = performance.now();
    level = Math.min(burst, level + ((now - at) / 1000) * perSecond);
    at = now;
    const refused = refusing !== null || level < 1;
    arrivals.push({ at: now, who: String(req.headers['x-spender']), refused });
    if (refused) {
      res.writeHead(429, { 'retry-after': String(refusing?.retryAfterS ?? 1) }).end('{}');
      refusing?.done(now);
      refusing = null;
      return;
    }
    level -= 1;
    const throttleStatus = { maximumAvailable: burst, currentlyAvailable: Math.floor(level), restoreRate: perSecond };
    const cost = { requestedQueryCost: 1, actualQueryCost: 1, throttleStatus };
    res.end(JSON.stringify(telling ? { extensions: { cost } } : {}));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    arrivals,
    limit: (limit, told) => {
      ({ perSecond, burst } = limit);
      level = Math.min(level, burst);
      telling = told;
    },
    refuseOnce: (retryAfterS) =>
      new Promise((done) => {
        refusing = { retryAfterS, done };
      }),
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
