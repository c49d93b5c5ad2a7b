import { describe, expect, it } from '@jest/globals';
import { headerText } from '@syncline/contracts';
import { takeLease } from '@syncline/store';
import {
  arrived,
  bodies,
  name,
  object,
  pollNow,
  records,
  source,
  start,
  statusOf,
  store,
  until,
} from './testing/ingestor-harness.js';

describe('an ingestor that polls', () => {
  it('reads an existing system page by page, then only what is new, and its status says so', async () => {
    source.objects = Array.from({ length: 35 }, (_, n) => object(n));
    const ingestor = await start();
    await until('the backfill', arrived, (n) => n >= 35);
    expect(await bodies()).toEqual(source.objects.map((o) => o.body).sort());
    const [first] = await records();
    expect(headerText(first?.headers, 'sync-origin')).toBe('backfill');
    expect(headerText(first?.headers, 'ce_id')).toBe(
      `tracker/${first?.key.split('/')[1]}/${JSON.parse(first!.value!.toString()).v}`,
    );
    expect(Number(headerText(first?.headers, 'sync-read-at'))).toBeGreaterThan(Date.now() - 60_000);

    source.objects.push(object(99, Date.now() - 10_000));
    await until('the new object', bodies, (b) => b.includes(source.objects.at(-1)!.body));
    const before = source.requests.length;
    await until(
      'more polls',
      async () => source.requests.length,
      (n) => n > before + 6,
    );
    expect(await records()).toHaveLength(36); // the overlap repeats nothing
    const status = await until(
      'the counts',
      () => statusOf(ingestor),
      (s) => s.accepted === 36,
    );
    expect(status).toMatchObject({ state: 'connected', webhook: { state: 'registered' } });
    expect(Math.abs(Date.now() - status.polls[0]!.watermark!)).toBeLessThan(5_000);
    expect([...source.registered]).toEqual([`${ingestor.webhooksUrl}/webhooks/${name}`]);
  });

  it('keeps its cursor and counts over a restart, and never moves the cursor past what was not read', async () => {
    source.objects = Array.from({ length: 25 }, (_, n) => object(n));
    source.pagesLeft = 1;
    const one = await start();
    await until('the first page', arrived, (n) => n === 10);
    expect((await statusOf(one)).polls).toMatchObject([{ watermark: null, resuming: true }]);
    await one.close();
    source.pagesLeft = null;
    source.requests = [];
    const two = await start();
    await until('the rest', arrived, (n) => n >= 25);
    // It went on from the checkpoint: the first page was not asked for again.
    expect(source.requests.find((r) => r.includes('/objects'))).toContain('from=10');
    // What the overlap reads again after a restart has the same event ids: consumers drop it.
    expect([...new Set(await bodies())]).toEqual(source.objects.map((o) => o.body).sort());
    const ids = (await records()).map((r) => headerText(r.headers, 'ce_id'));
    expect(new Set(ids).size).toBe(25);
    await until(
      'the counts',
      () => statusOf(two),
      (s) => s.accepted === ids.length,
    );
  });

  it('has a watermark also where the source has nothing to show', async () => {
    const ingestor = await start();
    const { polls } = await until(
      'a poll',
      () => statusOf(ingestor),
      (s) => (s.polls[0]?.watermark ?? null) !== null,
    );
    expect(Date.now() - polls[0]!.watermark!).toBeGreaterThan(500_000); // nobody told us the source's time
    source.objects = [object(1, Date.now() - 590_000)];
    await until('the object', arrived, (n) => n === 1);
    expect(headerText((await records())[0]?.headers, 'sync-origin')).toBe('poll');
  });

  it('begins a poll again when the source refuses its checkpoint', async () => {
    source.objects = Array.from({ length: 15 }, (_, n) => object(n));
    await store.query(
      `INSERT INTO cursors (connection, noun, token, poll_since, poll_mark, checkpoint) VALUES ($1, 'tracker', 0, 0, 1, 'expired')`,
      [name],
    );
    await start();
    await until('everything', arrived, (n) => n >= 15);
  });

  it('shares the work: two processes read everything, and one goes on when the other is gone', async () => {
    source.objects = Array.from({ length: 20 }, (_, n) => object(n));
    const [one] = await Promise.all([start(), start()]);
    await until('the backfill', arrived, (n) => n >= 20);
    await new Promise((resolve) => setTimeout(resolve, 500));
    // The overlap is read again by a process that takes over, at most once each, under the same ids.
    const ids = (await records()).map((r) => headerText(r.headers, 'ce_id'));
    expect(new Set(ids).size).toBe(20);
    expect(ids.length).toBeLessThanOrEqual(40);
    await one!.close();
    source.objects.push(object(50, Date.now() - 5_000));
    await until('the new object', bodies, (b) => b.includes(source.objects.at(-1)!.body));
  });

  it('waits for a lease that a dead process left, and no longer', async () => {
    source.objects = [object(1)];
    await takeLease(store, { name: `poll:${name}:tracker`, holder: 'dead', ttlMs: 1_200 });
    const ingestor = await start();
    expect(await pollNow(ingestor)).toMatchObject({ outcome: 'elsewhere' });
    await until('the object', arrived, (n) => n === 1);
  });

  it('reads everything of a source whose clock is off, and steps back', async () => {
    source.clockAheadMs = 600_000;
    const ingestor = await start({ POLL_INTERVAL_MS: '60000' });
    const watermark = async () => (await statusOf(ingestor)).polls[0]?.watermark ?? null;
    await until('the first poll', watermark, (w) => w !== null);
    const changes = async (n: number) => {
      source.objects.push(object(n, Date.now() + source.clockAheadMs));
      expect(await pollNow(ingestor)).toMatchObject({ outcome: 'polled' });
    };
    await changes(1);
    expect(await bodies()).toContain(source.objects.at(-1)!.body);
    source.clockAheadMs = -600_000;
    await changes(2); // read by the poll that notices the step, or by the next one
    await changes(3);
    expect(await bodies()).toEqual(expect.arrayContaining(source.objects.map((o) => o.body)));
  });
});
