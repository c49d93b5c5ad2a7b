import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { jsonOf, until } from '../support/ask.js';
import type { OrderTruth } from '../support/sandbox.js';
import { openStory, place, type Story, scan, send } from '../support/story.js';
import { type System, startSystem } from '../support/system.js';

/** Speed is judged elsewhere. */
const allowedMs = 15_000;
let system: System;
let story: Story;

beforeAll(async () => {
  system = await startSystem();
  story = openStory(system, allowedMs, allowedMs);
}, 120_000);

afterAll(async () => {
  await story?.end();
  await system?.stop();
}, 90_000);

/** What was changed at the carrier, oldest first. */
async function madeAtTheCarrier(): Promise<string[]> {
  const { entries } = await story.ask('GET', '/log?target=carrier&writes=1');
  const effects = entries.flatMap((entry: { effects: { kind: string }[] }) => entry.effects.map(({ kind }) => kind));
  return effects.filter((kind: string) => kind !== 'webhook.created');
}
const why = async (record: string, target: string) => {
  const { code, stdout } = await system.cli('why', record, target, '--json');
  return { exitCode: code, ...(JSON.parse(stdout) as { code: string; sentence: string; well: boolean }) };
};
const connectionOf = async (name: string) => {
  const { connections } = await jsonOf(system, 'connections');
  return connections.find((one: { name: string }) => one.name === name);
};
const correct = (order: OrderTruth, trackingNumber: string) =>
  story.ask('POST', `/orders/${order.name.slice(1)}/tracking`, { trackingNumber, company: 'USPS' });

describe('an operator', () => {
  const [first, second, last] = ['9400111899223197430011', '9400111899223197430028', '9400111899223197430035'];

  it('pauses a target under changes, asks why, and sees each change delivered once after it goes on', async () => {
    const before = (await madeAtTheCarrier()).length;
    const order = await place(story, 'placed');
    const paused = await system.cli('pause', 'carrier', '--only', 'target');
    expect([paused.code, paused.stdout]).toEqual([0, 'carrier is paused as a target: nothing is written to it.\n']);
    await story.ask('POST', `/orders/${order.name.slice(1)}/fulfil`, { trackingNumber: first, company: 'USPS' });
    await correct(order, second!);
    await correct(order, last!);
    const asked = await until(system, 'the newest revision to be due', 10_000, async () => {
      const { deliveries } = await jsonOf(system, 'deliveries', 'carrier', '--state', 'pending');
      const answer = await why(last!, 'carrier').catch(() => null);
      return deliveries.length === 1 && answer?.code === 'paused' && answer;
    });
    expect(asked).toMatchObject({ exitCode: 1, well: false });
    expect(asked.sentence).toMatch(
      new RegExp(`^Shipment ${last} is not written to carrier since an operator paused carrier at 20\\S+\\.$`),
    );
    expect(await jsonOf(system, 'deliveries', 'carrier')).toMatchObject({
      deliveries: [{ target: 'carrier', state: 'pending', deliveredRevision: 0, attempts: 0, failureKind: null }],
    });
    const { stdout: status } = await system.cli('status');
    expect(status).toMatch(/^Paused: carrier as a target for /m);
    // Nobody else is held up, also not the carrier as a source.
    await story.steps.step(
      'placed while the carrier is paused → warehouse',
      allowedMs,
      async () => (await story.ask('POST', '/orders')).orders[0] as OrderTruth,
      async ({ name }) => (await story.rows('SELECT 1 FROM orders WHERE name = $1', name)).length === 1,
    );
    expect(await connectionOf('carrier')).toMatchObject({
      source: { state: 'connected', paused: null },
      target: { state: 'ok', paused: expect.any(String) },
    });

    // It lasts: the writer is killed, and comes back paused.
    const writer = () => system.local().services.find(({ name }) => name === 'writer-easypost')!;
    const { pid } = writer();
    process.kill(pid!, 'SIGKILL');
    await until(system, 'another writer, paused', 60_000, async () => {
      const now = writer();
      return now.pid !== pid && now.state === 'ready' && (await connectionOf('carrier')).target.paused !== null;
    });
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect((await madeAtTheCarrier()).length).toBe(before);

    const resumed = await system.cli('resume', 'carrier');
    expect([resumed.code, resumed.stdout]).toEqual([
      0,
      'carrier goes on as a source (it was not paused).\ncarrier goes on as a target.\n',
    ]);
    await until(system, 'the tracker', 10_000, async () => (await story.tracker(last!)) !== undefined);
    await until(system, 'all agree', 10_000, story.agree);
    expect((await madeAtTheCarrier()).slice(before)).toEqual(['tracker.created']);
    expect(await Promise.all([first!, second!].map(story.tracker))).toEqual([undefined, undefined]);
    const told = await until(system, 'it to be there', 5_000, async () => {
      const answer = await why(last!, 'carrier');
      return answer.code === 'delivered' && answer;
    });
    expect(told).toMatchObject({ exitCode: 0, well: true });
    expect((await jsonOf(system, 'deliveries')).deliveries).toEqual([]);
  }, 150_000);

  it('pauses a source: it is not polled, its webhooks still arrive', async () => {
    expect((await jsonOf(system, 'pause', 'shop', '--only', 'source')).changed).toEqual([
      { connection: 'shop', side: 'source', paused: true, was: false, inForce: 'yes' },
    ]);
    const view = await connectionOf('shop');
    expect(view).toMatchObject({
      provider: 'shopify',
      source: { paused: expect.any(String) },
      target: { paused: null },
    });
    const [cursor] = view.source.cursors;
    expect(cursor).toMatchObject({ noun: 'order', ageMs: expect.any(Number) });
    const order = await place(story, 'placed while the shop is paused');
    const answer = await why(order.name, 'warehouse');
    expect(answer).toMatchObject({ code: 'source-paused', exitCode: 1 });
    expect((await jsonOf(system, 'pause', 'shop', '--only', 'source')).changed[0].was).toBe(true);
    expect((await system.cli('resume', 'shop')).code).toBe(0);
    const since = Date.now();
    await until(system, 'a poll', 10_000, async () => {
      const { polledAt } = (await connectionOf('shop')).source.cursors[0];
      return Date.parse(polledAt) > since - 5_000;
    });
    expect(await why(order.name, 'warehouse')).toMatchObject({ code: 'delivered', exitCode: 0 });
    expect(await why(order.name, 'carrier')).toMatchObject({
      code: 'not-wanted',
      sentence: 'No flow takes a record of the kind order from shop to carrier.',
      exitCode: 0,
    });
  }, 60_000);

  it('sees a conflict that was decided, with both values, who won and why', async () => {
    const code = '9400111899223197430042';
    const { name } = await place(story, 'placed');
    await send(story, name, { trackingNumber: code, company: 'USPS' });
    await scan(story, name, code, { status: 'in_transit' });
    // The shop tells only seconds: an edit in the second of our own write could not be told from it.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    await story.ask('POST', `/orders/${name.slice(1)}/event`, { status: 'delivered' });
    const { conflicts } = await until(system, 'the conflict', 10_000, async () => {
      const found = await jsonOf(system, 'conflicts', code);
      return found.conflicts.length > 0 && found;
    });
    expect(conflicts).toMatchObject([
      {
        field: 'status',
        winner: 'carrier',
        loser: 'shop',
        why: 'owner',
        name: code,
        values: { won: 'in_transit', lost: 'delivered' },
      },
    ]);
    const { stdout } = await system.cli('conflicts');
    expect(stdout).toContain(
      `shipment ${code}  status: carrier's "in_transit" stands, not shop's "delivered": carrier owns the field`,
    );
  }, 60_000);

  it('is told what exists where a name is wrong', async () => {
    const wrong = await Promise.all([
      system.cli('pause', 'carier'),
      system.cli('pause', 'warehouse', '--only', 'source'),
      system.cli('deliveries', 'nobody'),
      system.cli('why', '#1001', 'warehose'),
      system.cli('deliveries', '--state', 'lost'),
    ]);
    expect(wrong.map(({ code }) => code)).toEqual([2, 2, 2, 2, 2]);
    expect(wrong[0]!.stderr).toContain('did you mean "carrier"?');
    expect(wrong[3]!.stderr).toContain('did you mean "warehouse"?');
    expect((await system.cli('why', 'no-such-record', 'warehouse')).code).toBe(1);
  }, 30_000);
});
