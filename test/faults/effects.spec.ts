import { describe, expect, it } from '@jest/globals';
import type { Truth } from '../support/sandbox.js';
import { surplus } from './effects.js';
import type { Write } from './histories.js';

const write = (n: number, part: Partial<Write>): Write => ({
  n,
  at: '2026-01-31T08:00:00.000Z',
  target: 'carrier',
  method: 'POST',
  path: '/v2/trackers',
  operation: null,
  input: null,
  status: 200,
  effects: [],
  fault: null,
  tookMs: 1,
  ...part,
});
const tracker = (n: number, part: Partial<Write> = {}) =>
  write(n, {
    input: { tracker: { tracking_code: '94001' } },
    effects: [{ kind: 'tracker.created', id: `trk_${n}` }],
    ...part,
  });
const event = (n: number) =>
  write(n, {
    target: 'shop',
    path: '/admin/api/2026-07/graphql.json',
    effects: [{ kind: 'fulfillment.event', id: `${n}` }],
  });

/** One order sent under one number, whose parcel was scanned in transit twice and then delivered. */
function truth(events = ['IN_TRANSIT', 'DELIVERED'], numbers = ['94001']): Truth {
  const fulfillments = numbers.map((number, i) => ({
    name: `#1001.${i + 1}`,
    status: 'SUCCESS',
    trackingNumbers: [number],
    events: events.map((status, id) => ({ id, status })),
  }));
  const scans = ['in_transit', 'in_transit', 'delivered'].map((status) => ({ status }));
  return {
    orders: [{ name: '#1001', fulfillments }],
    trackers: [{ trackingCode: '94001', scans }],
    shipments: [],
  } as unknown as Truth;
}

describe('the judgement of effects', () => {
  it('finds nothing where each change had one', () => {
    expect(surplus(truth(), [tracker(1), event(2), event(3)])).toEqual([]);
  });

  it.each<[string, Truth, Write[], string]>([
    ['a tracker asked for twice', truth(), [tracker(1), tracker(2, { effects: [] })], 'tracker asked for 94001: 2'],
    [
      'one asked for again after a lost reply',
      truth(),
      [tracker(1, { status: null, fault: 'lost-reply' }), tracker(2, { effects: [] })],
      'tracker asked for 94001: 2',
    ],
    ['a second fulfilment', truth(undefined, ['94001', '94001']), [], 'order #1001: fulfilment of 94001: 2'],
    ['an event said twice', truth(['IN_TRANSIT', 'IN_TRANSIT']), [], 'fulfilment #1001.1: IN_TRANSIT was said twice'],
    ['an event nobody scanned', truth(), [event(1), event(2), event(3)], 'fulfillment.event: 3 writes, 2 had a cause'],
  ])('finds %s', (_, is, writes, said) => {
    expect(surplus(is, writes).some((line) => line.startsWith(said))).toBe(true);
  });
});
