import { describe, expect, it } from '@jest/globals';
import { SyncError } from '@syncline/contracts';
import { createLimiter } from './limiter.js';

const running = new AbortController().signal;

const settled = async (work: Promise<void>): Promise<'started' | 'waiting' | SyncError> =>
  Promise.race([
    work.then(
      () => 'started' as const,
      (e: SyncError) => e,
    ),
    new Promise<'waiting'>((resolve) => setTimeout(resolve, 5, 'waiting')),
  ]);

describe('limiter', () => {
  it('lets a burst through and then keeps the rate', async () => {
    const limiter = createLimiter({ perSecond: 50, burst: 3, concurrency: 10 });
    const startedAt = performance.now();
    for (let i = 0; i < 8; i += 1) {
      await limiter.acquire(running);
      limiter.release();
    }
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(95);
  });

  it('holds requests while as many as allowed are under way', async () => {
    const limiter = createLimiter({ perSecond: 1000, burst: 10, concurrency: 1 });
    await limiter.acquire(running);
    const second = limiter.acquire(running);
    expect(await settled(second)).toBe('waiting');
    limiter.release();
    await second;
  });

  it('refuses with the time to come back where the wait would be long', async () => {
    const limiter = createLimiter({ perSecond: 1, burst: 1, concurrency: 10 });
    limiter.pause(60_000);
    const refused = await settled(limiter.acquire(running));
    expect(refused).toMatchObject({ kind: 'throttled' });
    expect((refused as SyncError).retryAfterMs).toBeGreaterThan(59_000);
  });

  it('tells requests that stand in line when a long pause begins', async () => {
    const limiter = createLimiter({ perSecond: 1000, burst: 10, concurrency: 1 });
    await limiter.acquire(running);
    const second = limiter.acquire(running);
    limiter.pause(20_000);
    await expect(second).rejects.toMatchObject({ kind: 'throttled', retryAfterMs: 20_000 });
  });

  it('lets go of requests in line when the service stops', async () => {
    const limiter = createLimiter({ perSecond: 1000, burst: 10, concurrency: 1 });
    await limiter.acquire(running);
    const stop = new AbortController();
    const second = limiter.acquire(stop.signal);
    const third = limiter.acquire(running);
    stop.abort();
    await expect(second).rejects.toMatchObject({ kind: 'transient' });
    await expect(limiter.acquire(stop.signal)).rejects.toMatchObject({ kind: 'transient' });
    limiter.release();
    await third;
  });
});
