import { describe, expect, it } from '@jest/globals';
import { deliveries, matchLines, normalRef, story, timelineLines } from './timeline.js';

const at = Date.parse('2026-11-23T10:00:00.000Z');
const told = story.parse({
  record: { id: 'o-1' },
  history: [
    { revision: 7, at, connection: 'shop', origin: 'webhook', changed: ['name', 'total'], traceId: 'abc' },
    { revision: 9, at: at + 60_000, connection: 'carrier', origin: 'poll', changed: [] },
  ],
  sources: [{ connection: 'shop', noun: 'order', externalId: '55', behind: ['status'] }],
  related: [{ id: 's-1', kind: 'shipment', name: '9400', status: 'delivered' }],
});
const { deliveries: delivered } = deliveries.parse({
  deliveries: [
    {
      target: 'warehouse',
      state: 'delivered',
      desiredRevision: 9,
      deliveredRevision: 9,
      attempts: 1,
      updatedAt: at + 60_300,
    },
    {
      target: 'shop',
      state: 'dead',
      desiredRevision: 9,
      deliveredRevision: 7,
      externalId: '55',
      attempts: 4,
      updatedAt: at,
      failureReason: 'Order is closed',
    },
  ],
});
const match = { id: 'o-1', kind: 'order', name: '#1042', revision: 9 };

describe('a record’s story', () => {
  it('tells sources, history and deliveries', () => {
    expect(timelineLines(match, told, delivered)).toEqual([
      'order #1042  revision 9  o-1',
      '',
      'Lives at',
      '  shop: order 55, lacks status',
      '  with shipment 9400, delivered',
      '',
      'What happened',
      '  2026-11-23T10:00:00.000Z  r7  shop by webhook  name, total  trace abc',
      '  2026-11-23T10:01:00.000Z  r9  carrier by poll  nothing changed',
      '',
      'Deliveries',
      '  warehouse: delivered r9, 300 ms after the change',
      '  shop: dead r7 as 55, wanted r9, 4 attempts: Order is closed',
    ]);
  });

  it('names only some of what a first sight brought', () => {
    const changed = Array.from({ length: 12 }, (_, i) => `field${i}`);
    const first = story.parse({ record: { id: 'o-1' }, history: [{ revision: 1, at, connection: 'shop', changed }] });
    expect(timelineLines(match, first, []).join('\n')).toMatch(/field7 and 4 more/);
  });

  it('lists several matches', () => {
    expect(matchLines([match, { ...match, id: 'o-2', name: null }]).slice(1)).toEqual([
      'o-1  order  #1042  9',
      'o-2  order  -      9',
    ]);
  });

  it.each([
    ['#1042', '1042'],
    [' 1042 ', '1042'],
    ['EZ1000000001', 'EZ1000000001'],
  ])('takes %j as %s', (typed, ref) => expect(normalRef(typed)).toBe(ref));
});
