import { describe, expect, it } from '@jest/globals';
import { headerText } from '@syncline/contracts';
import type { BackfillView } from './backfill-request.js';
import type { RunningIngestor } from './start.js';
import {
  arrived,
  bodies,
  name,
  object,
  records,
  source,
  start,
  statusOf,
  store,
  times,
  until,
} from './testing/ingestor-harness.js';

const day = 86_400_000;
const quiet = { POLL_INTERVAL_MS: '3600000' };
/** Objects that changed three days ago, minutes apart: polls, which begin a day ago, never see them. */
const old = (count: number) => {
  const from = Date.now() - 3 * day;
  return Array.from({ length: count }, (_, n) => object(n, from + n * 60_000));
};

async function order(r: RunningIngestor, query: Record<string, string>) {
  const text = new URLSearchParams({ connection: name, kind: 'shipment', ...query });
  const reply = await fetch(`${r.url}/backfills?${text}`, { method: 'POST' });
  return { status: reply.status, json: (await reply.json()) as { error?: string; backfills: BackfillView[] } };
}
const shown = async (r: RunningIngestor) =>
  ((await (await fetch(`${r.url}/backfills`)).json()) as { backfills: BackfillView[] }).backfills;
const ended = (r: RunningIngestor) =>
  until(
    'its end',
    () => shown(r),
    (all) => all.length > 0 && all.every((b) => b.state !== 'running'),
  ).then((all) => all[0]!);
const watermark = async (r: RunningIngestor) => (await statusOf(r)).polls[0]?.watermark ?? null;
const started = async (env: NodeJS.ProcessEnv = {}) => {
  const ingestor = await start({ ...quiet, ...env }, { times: { ...times, backfillLookMs: 300 } });
  await until(
    'the first poll',
    () => watermark(ingestor),
    (w) => w !== null,
  );
  return ingestor;
};

describe('a backfill', () => {
  it('publishes what changed in its window as read, leaves the poll’s cursor alone and says how it went', async () => {
    source.objects = old(35);
    const ingestor = await started();
    const before = await watermark(ingestor);
    const [sinceMs, untilMs] = [source.objects[5]!.version - 2_000, source.objects[29]!.version];
    const { status, json } = await order(ingestor, {
      since: new Date(sinceMs).toISOString(),
      until: new Date(untilMs).toISOString(),
    });
    expect(status).toBe(200);
    expect(json.backfills).toMatchObject([{ noun: 'tracker', state: 'running', share: null, leftMs: null }]);
    const end = await ended(ingestor);
    expect(end).toMatchObject({ state: 'done', found: 25, published: 25, missing: 0, share: 1, reason: null });
    expect(end.perSecond).toBeGreaterThan(1);
    expect(await bodies()).toEqual(
      source.objects
        .slice(5, 30)
        .map((o) => o.body)
        .sort(),
    );
    for (const { headers } of await records()) {
      expect(headerText(headers, 'sync-origin')).toBe('backfill');
      expect(Number(headerText(headers, 'sync-read-at'))).toBeGreaterThan(Date.now() - 60_000);
    }
    expect(await watermark(ingestor)).toBe(before);
  });

  it('counts and publishes nothing where it is dry', async () => {
    source.objects = old(15);
    const ingestor = await started();
    await order(ingestor, { since: '10d', dryRun: 'true' });
    expect(await ended(ingestor)).toMatchObject({ state: 'done', dryRun: true, found: 15, published: 0 });
    expect(await records()).toEqual([]);
  });

  it('goes on where it was when its process is gone, with rate and time left meanwhile', async () => {
    source.objects = old(30);
    source.pageSize = 5;
    const one = await started();
    source.pagesLeft = 2;
    await order(one, { since: new Date(source.objects[0]!.version).toISOString(), until: '1d' });
    await until('two pages', arrived, (n) => n === 10);
    const [under] = await until(
      'the reason',
      () => shown(one),
      (all) => all[0]?.reason !== null,
    );
    expect(under).toMatchObject({ state: 'running', found: 10, checkpoint: '10' });
    expect(under!.share).toBeGreaterThan(0);
    expect(under!.leftMs).toBeGreaterThan(0);
    await one.close();
    source.pagesLeft = null;
    source.requests = [];
    const two = await started();
    expect(await ended(two)).toMatchObject({ state: 'done', found: 30, published: 30 });
    expect(source.requests.filter((r) => /from=5$/.test(r))).toEqual([]);
    const ids = (await records()).map((r) => headerText(r.headers, 'ce_id'));
    expect(new Set(ids).size).toBe(30);
    expect(ids).toHaveLength(30);
  });

  it('is one process’s at a time', async () => {
    source.objects = old(40);
    source.pageSize = 2;
    // Slow enough that the other one looks for work meanwhile.
    const slow = { BACKFILL_SHARE: '0.02' };
    const [one] = await Promise.all([started(slow), started(slow)]);
    await order(one!, { since: '10d' });
    expect(await ended(one!)).toMatchObject({ found: 40, published: 40 });
    expect(await records()).toHaveLength(40);
  });

  it('begins again where the source refuses its checkpoint', async () => {
    source.objects = old(10);
    const ingestor = await started();
    source.pagesLeft = 0;
    const { json } = await order(ingestor, { since: '10d' });
    await until(
      'a failure',
      () => shown(ingestor),
      (all) => all[0]?.reason !== null,
    );
    await store.query(`UPDATE backfills SET checkpoint = 'expired', found = 99 WHERE id = $1`, [json.backfills[0]!.id]);
    source.pagesLeft = null;
    expect(await ended(ingestor)).toMatchObject({ state: 'done', found: 10 });
  });

  it('reads named objects whenever they changed; what does not exist is counted, not deleted', async () => {
    source.objects = old(6);
    const ingestor = await started();
    await order(ingestor, { ids: 'o1, o4,gone' });
    expect(await ended(ingestor)).toMatchObject({ state: 'done', found: 2, published: 2, missing: 1, share: 1 });
    expect(await bodies()).toEqual([source.objects[1]!.body, source.objects[4]!.body].sort());
  });

  it('ends at once when it is cancelled', async () => {
    source.objects = old(30);
    source.pageSize = 5;
    const ingestor = await started();
    source.pagesLeft = 1;
    await order(ingestor, { since: '10d' });
    await until('a page', arrived, (n) => n === 5);
    const reply = await order(ingestor, { cancel: 'true' });
    expect(reply.json).toMatchObject({ cancelled: [{ state: 'cancelled', found: 5 }] });
    source.pagesLeft = null;
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(await arrived()).toBe(5);
    expect((await shown(ingestor))[0]).toMatchObject({ state: 'cancelled' });
  });

  it('ends at its next page when it is cancelled while it reads', async () => {
    source.objects = old(30);
    source.pageSize = 1;
    const ingestor = await started({ BACKFILL_SHARE: '0.01' });
    await order(ingestor, { since: '10d' });
    await until('a page', arrived, (n) => n > 0);
    const { json } = await order(ingestor, { cancel: 'true' });
    expect(json).toMatchObject({ cancelled: [{ state: 'cancelled' }] });
    const then = await arrived();
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect((await arrived()) - then).toBeLessThanOrEqual(2);
  });

  it.each<[RegExp, Record<string, string>]>([
    [/connection must be one of .*, not "nobody"/, { connection: 'nobody' }],
    [/easypost has no "parcel": kind is one of shipment, tracker/, { kind: 'parcel' }],
    [/since is "yesterday": write a span/, { since: 'yesterday' }],
    [/since must be before until/, { since: '1d', until: '2d' }],
    [/ids is empty/, { ids: ' , ' }],
    [/give ids, or since and until/, { ids: 'a', since: '1d' }],
    [/501 objects, 500 are taken/, { ids: Array.from({ length: 501 }, (_, n) => n).join() }],
  ])('says %s', async (said, query) => {
    const ingestor = await start(quiet);
    const { status, json } = await order(ingestor, query);
    expect([status, json.error]).toEqual([400, expect.stringMatching(said)]);
  });

  it('refuses a second one of the same objects', async () => {
    source.objects = old(30);
    const ingestor = await started();
    source.pagesLeft = 0;
    expect((await order(ingestor, { since: '10d' })).status).toBe(200);
    expect((await order(ingestor, { since: '10d' })).json.error).toMatch(/is under way already/);
  });
});
