import { describe, expect, it } from '@jest/globals';
import { removePause, storePause } from '@syncline/store';
import {
  arrived,
  bodies,
  name,
  object,
  pollNow,
  source,
  start,
  statusOf,
  store,
  until,
} from './testing/ingestor-harness.js';
import { sign } from './testing/source.js';

const moment = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
type Running = Awaited<ReturnType<typeof start>>;
const paused = async (ingestor: Running) =>
  (await statusOf(ingestor)) as Awaited<ReturnType<typeof statusOf>> & { paused: number | null; underWay: number };
const inForce = (ingestor: Running) =>
  until(
    'the pause',
    () => paused(ingestor),
    (s) => s.paused !== null && s.underWay === 0,
  );
const webhook = (ingestor: Running, body: string) =>
  fetch(`${ingestor.webhooksUrl}/webhooks/${name}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-signature': sign(body) },
    body,
  });
const reads = () => source.requests.filter((r) => r.includes('/objects'));

describe('a paused source', () => {
  it('is not polled, takes webhooks as ever, and is read from where it stood when it goes on', async () => {
    source.objects = [object(1)];
    const ingestor = await start();
    await until(
      'the first poll',
      () => statusOf(ingestor),
      (s) => (s.polls[0]?.watermark ?? null) !== null,
    );
    await storePause(store, name);
    const { polls } = await inForce(ingestor);
    const before = reads().length;
    source.objects.push(object(2, Date.now() - 5_000));
    await moment(700);
    expect(await pollNow(ingestor)).toMatchObject({ outcome: 'paused' });
    expect(reads()).toHaveLength(before);
    expect((await statusOf(ingestor)).polls[0]?.watermark).toBe(polls[0]?.watermark);

    const sent = '{"id":"hooked","version":7}';
    expect((await webhook(ingestor, sent)).status).toBe(200);
    expect(await bodies()).toContain(sent);

    await removePause(store, name);
    await until('what changed meanwhile', bodies, (b) => b.includes(source.objects[1]!.body));
  });

  it('stays paused over a restart', async () => {
    source.objects = [object(1)];
    await storePause(store, name);
    const ingestor = await start();
    await inForce(ingestor);
    await moment(500);
    expect(reads()).toEqual([]);
    await removePause(store, name);
    await until('the backfill', arrived, (n) => n === 1);
  });

  it('ends a poll under way behind a page, and goes on with the next page later', async () => {
    source.objects = Array.from({ length: 60 }, (_, n) => object(n));
    source.pageMs = 300;
    const ingestor = await start();
    await until('the first page', arrived, (n) => n >= 10);
    await storePause(store, name);
    const status = await inForce(ingestor);
    expect(status.polls).toMatchObject([{ watermark: null, resuming: true }]);
    const read = reads().length;
    expect(await arrived()).toBeLessThan(60);
    await removePause(store, name);
    await until('the rest', arrived, (n) => n >= 60);
    expect(reads()[read]).toMatch(/from=[1-9]0/);
    expect([...new Set(await bodies())]).toHaveLength(60);
  });

  it('is not read because a webhook names an object, and the poll brings that later', async () => {
    source.objects = [];
    const ingestor = await start({ POLL_INTERVAL_MS: '60000' });
    await until(
      'the first poll',
      () => statusOf(ingestor),
      (s) => (s.polls[0]?.watermark ?? null) !== null,
    );
    await storePause(store, name);
    await inForce(ingestor);
    source.objects = [object(5, Date.now() - 1_000)];
    const before = source.requests.length;
    expect((await webhook(ingestor, '{"id":"o9","version":1,"also":"o5"}')).status).toBe(200);
    await moment(600);
    expect(source.requests.slice(before).filter((r) => r.includes('o5'))).toEqual([]);
    await removePause(store, name);
    await until('the object it named', bodies, (b) => b.includes(source.objects[0]!.body));
  });
});
