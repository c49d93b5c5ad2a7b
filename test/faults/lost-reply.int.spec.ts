// Requests that arrive and whose answer does not, requests refused, slow ones, broken ones: at the end everything is there once.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { control, readTruth } from '../support/sandbox.js';
import { type System, startSystem } from '../support/system.js';
import { untilEqual } from '../support/truth.js';
import { surplus } from './effects.js';
import type { Write } from './histories.js';
import { owed } from './nemesis.js';
import { until } from './patience.js';
import { recordWrites } from './promises.js';
import { dice, newNumber, seedOf } from './trade.js';

/** What the writers wait after an answer was lost before they look whether the object is there; by default 20 s. They give up a request after 10 s. */
const settleMs = 3_000;
const doneMsMax = 60_000;
const seed = seedOf();
const random = dice(seed);

let system: System;
let recorded: ReturnType<typeof recordWrites>;

beforeAll(async () => {
  process.stdout.write(`seed ${seed}\n`);
  system = await startSystem({ env: { SETTLE_MS: String(settleMs), POLL_INTERVAL_MS: '10000' } });
  recorded = recordWrites(system);
}, 150_000);

afterAll(() => system?.stop({ keep: process.env.FAULTS_KEEP === 'true' }), 90_000);

const post = (path: string, body: object) => control(system, 'POST', path, body);

/** The two requests that make something, as a fault's `match` finds them. */
const creates = { carrier: 'POST /v2/trackers', shop: 'fulfillmentCreate' } as const;
type Target = keyof typeof creates;

/** Does what makes Syncline create one object at the target, and returns its tracking number. */
async function cause(target: Target): Promise<string> {
  const { orders } = await post('/orders', {});
  const name: string = orders[0].name;
  if (target === 'shop') return (await post('/shipments', { reference: name })).tracking_code;
  const number = newNumber(random);
  await post(`/orders/${name.slice(1)}/fulfil`, { trackingNumber: number, company: 'USPS' });
  return number;
}

/** Waits until shop and carrier both know the parcel, scans it, and waits until the shop shows the scan. */
async function arrives(number: string): Promise<void> {
  const parcels = async () =>
    (await readTruth(system)).orders
      .flatMap(({ fulfillments }) => fulfillments)
      .filter(({ trackingNumbers }) => trackingNumbers.includes(number));
  await until(`parcel ${number} at the carrier`, doneMsMax, () => control(system, 'GET', `/trackers/${number}`));
  await until(`parcel ${number} in the shop`, doneMsMax, async () => (await parcels()).length > 0);
  await post(`/trackers/${number}/scan`, { status: 'in_transit' });
  await until(`the scan of parcel ${number} in the shop`, doneMsMax, async () =>
    (await parcels()).some(({ shipmentStatus }) => shipmentStatus === 'IN_TRANSIT'),
  );
}

/** Plays a fault on the next `count` creates at the target, and returns them with all that came after at that target. */
async function play(target: Target, fault: object, count: number): Promise<Write[]> {
  await recorded.note();
  const before = recorded.writes.length;
  await post('/faults', { target, match: creates[target], count, ...fault });
  const numbers = await Promise.all(Array.from({ length: count }, () => cause(target)));
  await Promise.all(numbers.map(arrives));
  const { faults } = await control(system, 'GET', '/faults');
  expect(faults).toEqual([]);
  await untilEqual(system, doneMsMax);
  // What a writer does not know the outcome of is not over yet, whatever the target looks like.
  await until('nothing pending', doneMsMax, async () => (await owed(system)).pending === 0);
  await recorded.note();
  return recorded.writes.slice(before).filter((write) => write.target === target);
}

const isCreate = ({ path, operation }: Write): boolean =>
  path === '/v2/trackers' || operation === 'mutation fulfillmentCreate';

/** Requests begun after a refusal and before its time was over; those that were under way already are no fault. */
function tooEarly(refused: Write, writes: readonly Write[], waitMs: number): string[] {
  const underWayMs = 150;
  return writes.flatMap(({ at, tookMs, path, operation }) => {
    const afterMs = Date.parse(at) - tookMs - Date.parse(refused.at);
    const early = afterMs > underWayMs && afterMs < waitMs - underWayMs;
    return early ? [`${operation ?? path} ${afterMs} ms after a 429 that asked for ${waitMs}`] : [];
  });
}

describe.each(['carrier', 'shop'] as const)('the %s', (target) => {
  it.each(['lost-reply', 'garbage'])(
    'makes no second object after a %s',
    async (mode) => {
      const writes = (await play(target, { mode }, 3)).filter(isCreate);
      // What was done and not heard of is looked up, not asked for again.
      expect(writes.map(({ fault, effects }) => [fault, effects.length])).toEqual(
        [mode, mode, mode].map((m) => [m, 1]),
      );
      expect(surplus(await readTruth(system), recorded.writes)).toEqual([]);
    },
    180_000,
  );

  it.each([
    ['a second of delay', { mode: 'slow', delayMs: 1_000 }],
    ['a delay longer than we wait', { mode: 'slow', delayMs: 11_500 }],
    ['a 500', { mode: '5xx', status: 500 }],
    ['a 503', { mode: '5xx', status: 503 }],
    ['a reset connection', { mode: 'reset' }],
  ])(
    'gets everything once after %s',
    async (_, fault) => {
      await play(target, fault, 2);
      expect(surplus(await readTruth(system), recorded.writes)).toEqual([]);
    },
    180_000,
  );

  it.each(['seconds', 'decimal', 'date', 'none'])(
    'is left alone as long as a 429 asks: Retry-After as %s',
    async (retryAfter) => {
      const waitMs = 2_000;
      const writes = await play(target, { mode: '429', retryAfter, retryAfterSeconds: waitMs / 1000 }, 2);
      const refused = writes.filter(({ fault }) => fault === '429');
      expect(refused.length).toBe(2);
      if (retryAfter !== 'none') expect(refused.flatMap((one) => tooEarly(one, writes, waitMs))).toEqual([]);
      expect(surplus(await readTruth(system), recorded.writes)).toEqual([]);
    },
    120_000,
  );
});

describe('in the end', () => {
  it('a throttled shop got everything once', async () => {
    await play('shop', { mode: 'throttled' }, 2);
    expect(surplus(await readTruth(system), recorded.writes)).toEqual([]);
  }, 120_000);

  it('nothing is owed and nothing was given up', async () => {
    await until('nothing pending', doneMsMax, async () => (await owed(system)).pending === 0);
    expect(await owed(system)).toEqual({ webhooks: 0, pending: 0, dead: 0 });
  }, 90_000);
});
