import { describe, expect, it } from '@jest/globals';
import type { Truth } from '../support/sandbox.js';
import type { Histories, LogEntry } from './histories.js';
import { tellTale } from './tale.js';

const t0 = Date.parse('2026-01-31T08:00:00Z');
const id = '0190a000-0000-7000-8000-000000000001';
const entry = (part: Partial<LogEntry>): LogEntry => ({
  topic: 'raw.shopify.order',
  partition: 2,
  offset: 7,
  key: 'shop/5210000000001',
  atMs: t0 + 20,
  eventId: 'evt-1',
  connection: 'shop',
  subject: '5210000000001',
  receivedAtMs: t0,
  trace: null,
  version: null,
  revision: null,
  mergedInto: null,
  sources: [],
  isTombstone: false,
  state: null,
  words: 'shopify.orders/create',
  ...part,
});
const source = { connection: 'shop', noun: 'order', externalId: '5210000000001', deleted: false, seen: t0 };

const histories: Histories = {
  changes: [
    { atMs: t0, order: '1001', what: 'place' },
    { atMs: t0 + 1, order: '1002', what: 'place' },
  ],
  answers: [{ atMs: t0 + 30, status: 200, connection: 'shop', topic: 'raw.shopify.order', eventId: 'evt-1' }],
  log: [
    entry({
      topic: 'canonical.order',
      key: id,
      subject: id,
      eventId: `${id}:4`,
      atMs: t0 + 40,
      revision: 4,
      sources: [source],
      words: 'syncline.order',
    }),
    entry({}),
    entry({ subject: '5210000000002', key: 'shop/5210000000002', eventId: 'evt-2' }),
  ],
  cursors: [],
  rows: [{ atMs: t0 + 50, kind: 'order', id, was: null, became: 4, deleted: false }],
  warehouse: [],
  writes: [],
  truth: {
    orders: [
      { id: 5210000000001, name: '#1001', fulfillments: [] },
      { id: 5210000000002, name: '#1002', fulfillments: [] },
    ],
    trackers: [],
    shipments: [],
  } as unknown as Truth,
  objects: [],
  differences: [],
  owed: { webhooks: 0, pending: 0, dead: 0 },
  unready: [],
  poisons: [],
  secrets: [],
  logs: [],
  struck: [{ atMs: t0 + 10, what: 'kill victim transformer' }],
};

describe('the story of a record', () => {
  it('is told in time order from all histories, by any of its names, and of no other', () => {
    for (const name of [
      'order #1001: note is gone',
      `order ${id}: revision 2 came after 4`,
      'webhook evt-1 was acknowledged',
    ]) {
      const lines = tellTale(name, histories).split('\n').slice(1);
      expect(lines.map((line) => line.trim().split(/\s+/).slice(0, 2).join(' '))).toEqual([
        '08:00:00.000 source',
        '08:00:00.010 *',
        '08:00:00.020 log',
        '08:00:00.030 shop',
        '08:00:00.040 log',
        '08:00:00.050 warehouse',
      ]);
      expect(lines.join('\n')).not.toMatch(/1002|evt-2/);
    }
  });
});
