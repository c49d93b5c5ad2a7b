// Hand-made histories: a good one that no judge objects to, and for each promise bad ones that its judge must refuse.
import { describe, expect, it } from '@jest/globals';
import type { Truth } from '../support/sandbox.js';
import { judge, promises } from './check.js';
import type { Histories, LogEntry, SeenSource, Write } from './histories.js';

const t0 = Date.parse('2026-01-31T08:00:00Z');
const orderId = '0190a000-0000-7000-8000-000000000001';
const trace = 'a'.repeat(32);

const entry = (part: Partial<LogEntry>): LogEntry => ({
  topic: 'raw.shopify.order',
  partition: 2,
  offset: 1,
  key: 'shop/5001',
  atMs: t0 + 10,
  eventId: 'evt-1',
  connection: 'shop',
  subject: '5001',
  receivedAtMs: t0 + 10,
  trace,
  version: t0,
  revision: null,
  mergedInto: null,
  sources: [],
  isTombstone: false,
  state: null,
  words: '',
  ...part,
});
const seen = (part: Partial<SeenSource> = {}): SeenSource => ({
  connection: 'shop',
  noun: 'order',
  externalId: '5001',
  deleted: false,
  seen: t0,
  ...part,
});
const event = (revision: number, part: Partial<LogEntry> = {}) =>
  entry({
    topic: 'canonical.order',
    key: orderId,
    subject: orderId,
    eventId: `${orderId}:${revision}`,
    offset: revision,
    revision,
    version: null,
    sources: [seen()],
    state: { note: 'a' },
    ...part,
  });
const receipt = (part: Partial<LogEntry>) =>
  entry({ topic: 'receipts.easypost', key: orderId, subject: null, eventId: null, version: null, ...part });
const write = (part: Partial<Write>): Write => ({
  n: 1,
  at: '2026-01-31T08:00:01.000Z',
  target: 'carrier',
  method: 'POST',
  path: '/v2/trackers',
  operation: null,
  input: { tracker: { tracking_code: '94001' } },
  status: 200,
  effects: [],
  fault: null,
  tookMs: 1,
  ...part,
});
const truth = (events: string[] = ['IN_TRANSIT', 'DELIVERED'], numbers = ['94001']): Truth =>
  ({
    orders: [
      {
        name: '#1001',
        fulfillments: numbers.map((number, i) => ({
          name: `#1001.${i + 1}`,
          status: 'SUCCESS',
          trackingNumbers: [number],
          events: events.map((status) => ({ status })),
        })),
      },
    ],
    trackers: [{ trackingCode: '94001', scans: [{ status: 'in_transit' }, { status: 'delivered' }] }],
    shipments: [],
  }) as unknown as Truth;

/** An order that was placed, mapped and written; a message nobody can map; and a poll that came after. */
const good: Histories = {
  changes: [{ atMs: t0, order: '1001', what: 'place' }],
  answers: [
    { atMs: t0 + 12, status: 200, connection: 'shop', topic: 'raw.shopify.order', eventId: 'evt-1' },
    { atMs: t0 + 13, status: 503, connection: 'shop', topic: 'raw.shopify.order', eventId: 'evt-2' },
  ],
  log: [
    entry({}),
    entry({ offset: 2, eventId: 'bad-1', subject: '999', version: null }),
    entry({ offset: 3, eventId: 'evt-3' }),
    event(1),
    event(4),
    receipt({}),
    entry({ topic: 'invalid.transformer', eventId: 'bad-1', subject: '999' }),
  ],
  cursors: [{ atMs: t0 + 9_000, connection: 'shop', noun: 'order', watermark: t0 + 4_000 }],
  rows: [
    { atMs: t0 + 20, kind: 'order', id: orderId, was: null, became: 1, deleted: false },
    { atMs: t0 + 30, kind: 'order', id: orderId, was: 1, became: 4, deleted: false },
  ],
  warehouse: [{ kind: 'order', id: orderId, revision: 4, deleted: false }],
  writes: [write({ effects: [{ kind: 'tracker.created', id: 'trk_1' }] })],
  truth: truth(),
  objects: [{ connection: 'shop', noun: 'order', externalId: '5001', updatedAtMs: t0, state: { note: 'a' } }],
  differences: [],
  owed: { webhooks: 0, pending: 0, dead: 0 },
  unready: [],
  poisons: [{ eventId: 'bad-1', topic: 'raw.shopify.order' }],
  secrets: ['shpss_0123', 'ada@example.com'],
  logs: [{ service: 'transformer', line: '{"msg":"a batch failed","attempt":1}' }],
  struck: [],
};
const without = (eventId: string) => good.log.filter((one) => one.eventId !== eventId);

const bad: [promise: number, what: string, history: Partial<Histories>, said: RegExp][] = [
  [1, 'an acknowledged webhook that is nowhere', { log: without('evt-1') }, /webhook evt-1 was acknowledged/],
  [
    2,
    'a cursor past what never came',
    { log: good.log.map((one) => (one.version === null ? one : { ...one, version: t0 - 5_000 })) },
    /cursor of order passed/,
  ],
  [2, 'a cursor past what came later', { cursors: [{ ...good.cursors[0]!, atMs: t0 + 5 }] }, /was not in Kafka/],
  [3, 'a target that differs', { differences: ['order #1001: note should be "a" and is "b"'] }, /note should be/],
  [3, 'a delivery given up', { owed: { webhooks: 0, pending: 0, dead: 1 } }, /1 dead at the end/],
  [3, 'a service that stays down', { unready: ['transformer'] }, /transformer is not ready/],
  [
    4,
    'a row written over with an older revision',
    { rows: [...good.rows, { ...good.rows[1]!, was: 4, became: 2 }] },
    /revision 2 was written over 4/,
  ],
  [
    4,
    'a row written again',
    { rows: [...good.rows, { ...good.rows[1]!, was: 4, became: 4 }] },
    /revision 4 was written over 4/,
  ],
  [4, 'a parcel that goes back', { truth: truth(['DELIVERED', 'IN_TRANSIT']) }, /told IN_TRANSIT after DELIVERED/],
  [5, 'a tracker asked for twice', { writes: [...good.writes, write({ n: 2 })] }, /asked for 94001: 2 times/],
  [5, 'a second fulfilment', { truth: truth(undefined, ['94001', '94001']) }, /fulfilment of 94001: 2 times/],
  [
    6,
    'poison that is shown nowhere',
    { log: good.log.filter((e) => e.topic !== 'invalid.transformer') },
    /bad-1 is on no invalid topic/,
  ],
  [
    6,
    'a partition that stands still',
    { log: [...good.log, entry({ offset: 9, eventId: 'evt-9', subject: '5009' })] },
    /1 messages behind/,
  ],
  [
    7,
    'a write that nothing asked for',
    { writes: [...good.writes, write({ path: '/graphql', effects: [{ kind: 'order.tags', id: '5001' }] })] },
    /order.tags: 1 writes, 0 had a cause/,
  ],
  [8, 'a topic that goes back', { log: [...good.log, event(2, { offset: 9 })] }, /revision 2 at .* came after 4/],
  [
    8,
    'a topic that ends before the warehouse',
    { log: without(`${orderId}:4`) },
    /ends at revision 1, the warehouse has 4/,
  ],
  [
    8,
    'a record that is not on its topic',
    { warehouse: [...good.warehouse, { kind: 'order', id: 'x', revision: 3, deleted: false }] },
    /order x: is in the warehouse and not on its topic/,
  ],
  [
    8,
    'a delete without a tombstone',
    { warehouse: [{ ...good.warehouse[0]!, deleted: true }] },
    /ends alive, the warehouse says otherwise/,
  ],
  [
    8,
    'a topic that ends on what was',
    { log: [...without(`${orderId}:4`), event(4, { state: { note: 'b' } })] },
    /note is "a", its topic ends on "b"/,
  ],
  [
    8,
    'an object that no event is about',
    { log: good.log.map((e) => ({ ...e, sources: [] })), poisons: [] },
    /no record/,
  ],
  [
    9,
    'an older state of a source',
    {
      log: [...good.log, event(5, { sources: [seen({ seen: t0 - 1 })] })],
      warehouse: [{ ...good.warehouse[0]!, revision: 5 }],
    },
    /is of \d+, after \d+/,
  ],
  [
    10,
    'a tombstone of what is still there',
    {
      log: [...good.log, event(5, { isTombstone: true, sources: [] })],
      warehouse: [{ ...good.warehouse[0]!, revision: 5, deleted: true }],
      objects: [{ ...good.objects[0]!, state: null }],
    },
    /taken for deleted/,
  ],
  [
    10,
    'a source taken for deleted',
    {
      log: [...good.log, event(5, { sources: [seen({ deleted: true })] })],
      warehouse: [{ ...good.warehouse[0]!, revision: 5 }],
    },
    /taken for deleted/,
  ],
  [
    11,
    'an address in a log',
    { logs: [{ service: 'ingestor-shopify', line: 'order of ada@example.com' }] },
    /log of ingestor-shopify/,
  ],
  [
    12,
    'an event without a trace',
    { log: [...good.log, event(5, { trace: null })], warehouse: [{ ...good.warehouse[0]!, revision: 5 }] },
    /belongs to no trace/,
  ],
  [
    12,
    'an event of a trace of its own',
    { log: [...good.log, event(5, { trace: 'b'.repeat(32) })], warehouse: [{ ...good.warehouse[0]!, revision: 5 }] },
    /no message and no receipt began/,
  ],
  [
    12,
    'a receipt of a trace of its own',
    { log: [...good.log, receipt({ offset: 2, trace: 'c'.repeat(32) })] },
    /no event began/,
  ],
];

describe('the judges', () => {
  it('object to nothing where all is well', () => {
    expect(judge(good)).toEqual([]);
  });

  it.each(bad)('refuse, by promise %i, %s', (promise, _, history, said) => {
    const found = judge({ ...good, ...history });
    expect([...new Set(found.map((finding) => finding.promise))]).toEqual([promise]);
    expect(found.map(({ sentence }) => sentence).join('\n')).toMatch(said);
  });

  it('refuse something for every promise', () => {
    expect([...new Set(bad.map(([promise]) => promise))]).toEqual(Object.keys(promises).map(Number));
  });

  it('take a join for no deletion, and what its source deleted for one', () => {
    const joined = [
      event(5, { isTombstone: true, sources: [], mergedInto: 'other' }),
      event(6, { key: 'other', subject: 'other', eventId: 'other:6' }),
    ];
    const warehouse = [{ ...good.warehouse[0]!, revision: 5, deleted: true }];
    const both = [...warehouse, { kind: 'order', id: 'other', revision: 6, deleted: false }];
    expect(judge({ ...good, log: [...good.log, ...joined], warehouse: both })).toEqual([]);
    const deleted = event(5, { isTombstone: true, sources: [] });
    expect(judge({ ...good, log: [...good.log, deleted], warehouse, objects: [] })).toEqual([]);
  });
});
