import { SyncError } from '@syncline/contracts';

/** A connection's budget of requests: a token bucket, a bound on requests under way, and pauses the provider asked for. */
export interface Limiter {
  /** Resolves when a request may start; every acquire that resolved needs one `release`. */
  acquire(signal: AbortSignal): Promise<void>;
  release(): void;
  /** Nothing starts for this long: the provider said so. */
  pause(forMs: number): void;
}

/** How long a request may stand in line before its caller is told to come back later, in milliseconds. */
const waitMsMax = 10_000;
/** Requests that may stand in line at once. */
const waitersMax = 1_000;

interface Waiter {
  start: () => void;
  refuse: (error: SyncError) => void;
}

const throttled = (retryAfterMs: number): SyncError =>
  new SyncError('throttled', "the connection's request budget is spent for now", {
    retryAfterMs: Math.max(100, Math.ceil(retryAfterMs)),
  });

/**
 * Keeps one connection within `perSecond` (with bursts) and `concurrency`. Waits are bounded: where a request would stand
 * in line for more than ten seconds it throws `throttled` with the time to come back, so nothing is held that long.
 */
export function createLimiter(
  limits: { perSecond: number; burst: number; concurrency: number },
  clock: () => number = () => performance.now(),
): Limiter {
  const waiters: Waiter[] = [];
  let tokens = limits.burst;
  let refilledAt = clock();
  let pausedUntil = 0;
  let active = 0;
  let timer: NodeJS.Timeout | undefined;

  const refill = (now: number): void => {
    tokens = Math.min(limits.burst, tokens + ((now - refilledAt) / 1000) * limits.perSecond);
    refilledAt = now;
  };

  /** Milliseconds until the request at this place in line may start, concurrency left aside. */
  const waitMs = (now: number, place: number): number =>
    Math.max(pausedUntil - now, ((place - tokens) / limits.perSecond) * 1000, 0);

  const pump = (): void => {
    clearTimeout(timer);
    timer = undefined;
    const now = clock();
    refill(now);
    while (waiters.length > 0 && active < limits.concurrency && tokens >= 1 && now >= pausedUntil) {
      tokens -= 1;
      active += 1;
      waiters.shift()?.start();
    }
    if (waiters.length > 0 && active < limits.concurrency) timer = setTimeout(pump, Math.ceil(waitMs(now, 1)) + 1);
  };

  const acquire = (signal: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      if (signal.aborted) return reject(new SyncError('transient', 'the service is stopping'));
      const now = clock();
      refill(now);
      const wait = waitMs(now, waiters.length + 1);
      if (wait > waitMsMax || waiters.length >= waitersMax) return reject(throttled(wait));
      const onAbort = (): void => {
        waiters.splice(waiters.indexOf(waiter), 1);
        reject(new SyncError('transient', 'the service is stopping'));
      };
      const waiter: Waiter = {
        start: () => {
          signal.removeEventListener('abort', onAbort);
          resolve();
        },
        refuse: (error) => {
          signal.removeEventListener('abort', onAbort);
          reject(error);
        },
      };
      signal.addEventListener('abort', onAbort, { once: true });
      waiters.push(waiter);
      pump();
    });

  return {
    acquire,
    release: () => {
      active -= 1;
      pump();
    },
    pause: (forMs) => {
      pausedUntil = Math.max(pausedUntil, clock() + forMs);
      if (forMs > waitMsMax) for (const waiter of waiters.splice(0)) waiter.refuse(throttled(forMs));
      pump();
    },
  };
}
