import { describe, expect, it } from '@jest/globals';
import type { Facts } from './facts.js';
import { whyNot } from './sentence.js';

const nowMs = Date.parse('2026-11-23T10:00:00.000Z');
const soon = nowMs + 4_000;

const record: Facts['record'] = {
  id: 'e0c8cf5c-0000-4000-8000-000000000001',
  kind: 'shipment',
  name: '1Z999',
  revision: 12,
  deleted: false,
  mergedInto: null,
  document: { data: { trackingNumber: '1Z999' } },
  sources: [{ connection: 'shop', noun: 'fulfillment', externalId: '7', deleted: false, behind: [] }],
  held: [],
  intents: [],
  ambiguous: [],
};
const there = { connection: 'carrier', noun: 'tracker', externalId: 'trk_1', deleted: false, behind: [] as string[] };
const writer: NonNullable<Facts['writer']> = {
  state: 'ok',
  reason: null,
  paused: null,
  heldUntil: null,
  takes: { shipment: ['shop'] },
  pending: 3,
};
const row: NonNullable<Facts['delivery']> = {
  target: 'carrier',
  state: 'pending',
  desiredRevision: 12,
  deliveredRevision: 0,
  deleted: false,
  attempts: 0,
  dueAt: nowMs - 5,
  waitsFor: null,
  failureKind: null,
  failureReason: null,
  pendingCreate: false,
  settleUntil: null,
  underWay: false,
};
const delivered = { ...row, state: 'delivered', deliveredRevision: 12 };
const base: Facts = {
  nowMs,
  target: 'carrier',
  record,
  delivery: delivered,
  writer,
  lag: { records: 0, seconds: null },
  transformerLag: 0,
  pausedSources: [],
  notApplying: null,
  names: {},
};

type Case = [code: string, isWell: boolean, what: Partial<Facts>, sentence: string];

const cases: Case[] = [
  ['delivered', true, {}, 'Shipment 1Z999 is at carrier, up to date (r12).'],
  [
    'merged',
    true,
    { record: { ...record, mergedInto: 'another-id' } },
    'Shipment 1Z999 turned out to be another record, another-id: ask about that one.',
  ],
  ['writer-down', false, { writer: null }, 'The writer of carrier does not answer, so shipment 1Z999 waits.'],
  [
    'not-wanted',
    true,
    { delivery: null, writer: { ...writer, takes: { order: ['shop'] } } },
    'No flow takes a record of the kind shipment from shop to carrier.',
  ],
  [
    'not-applying',
    true,
    { delivery: { ...row, state: 'unwanted' }, notApplying: 'has no tracking number' },
    'Shipment 1Z999 has no place at carrier: it has no tracking number.',
  ],
  [
    'mentioned',
    false,
    { record: { ...record, name: record.id, document: null, sources: [] }, delivery: null },
    `Shipment ${record.id} is only mentioned by another record: nothing of it has been read yet.`,
  ],
  [
    'ambiguous',
    false,
    {
      delivery: { ...row, state: 'unwanted' },
      record: { ...record, ambiguous: [{ scope: 'tracking', connection: 'shop', externalId: '7', id: 'other' }] },
    },
    'Shipment 1Z999 is not at carrier under its key: record other has the same tracking number, and the two were not joined, since both live at shop.',
  ],
  [
    'waits-for-link',
    false,
    { delivery: { ...row, state: 'waiting', waitsFor: ['o1'] }, names: { o1: 'order #1001' } },
    'Shipment 1Z999 waits for order #1001 to be known at carrier, which it refers to there.',
  ],
  [
    'waits-for-link',
    false,
    { delivery: { ...row, state: 'waiting', waitsFor: [] } },
    'Shipment 1Z999 waits for a record it does not name yet to be known at carrier, which it refers to there.',
  ],
  [
    'throttled',
    false,
    { delivery: { ...row, failureKind: 'throttled', dueAt: soon } },
    'Shipment 1Z999 is not written to carrier until 2026-11-23T10:00:04.000Z, since carrier throttled us.',
  ],
  [
    'throttled',
    false,
    { delivery: row, writer: { ...writer, state: 'throttled', heldUntil: soon } },
    'Shipment 1Z999 is not written to carrier until 2026-11-23T10:00:04.000Z, since carrier throttled us.',
  ],
  [
    'unwanted',
    true,
    { delivery: { ...row, state: 'unwanted' } },
    'Shipment 1Z999 has no place at carrier: the flows and its connector bring nothing of it there.',
  ],
  [
    'dead',
    false,
    {
      delivery: {
        ...row,
        state: 'dead',
        attempts: 1,
        failureKind: 'rejected',
        failureReason: 'the carrier is not served',
      },
    },
    'Shipment 1Z999 was given up at carrier after 1 attempt (rejected: the carrier is not served); "syncline deliveries carrier --state dead" lists what was.',
  ],
  [
    'paused',
    false,
    { delivery: row, writer: { ...writer, paused: '2026-11-23T09:58:00.000Z' } },
    'Shipment 1Z999 is not written to carrier since an operator paused carrier at 2026-11-23T09:58:00.000Z.',
  ],
  [
    'paused',
    false,
    { delivery: { ...row, deleted: true }, writer: { ...writer, paused: '2026-11-23T09:58:00.000Z' } },
    'The deletion of shipment 1Z999 is not written to carrier since an operator paused carrier at 2026-11-23T09:58:00.000Z.',
  ],
  [
    'paused',
    false,
    {
      delivery: { ...delivered, desiredRevision: 11, deliveredRevision: 11 },
      lag: { records: 5, seconds: 3 },
      writer: { ...writer, paused: '2026-11-23T09:58:00.000Z' },
    },
    'Shipment 1Z999 is not written to carrier since an operator paused carrier at 2026-11-23T09:58:00.000Z.',
  ],
  [
    'unauthorized',
    false,
    { delivery: row, writer: { ...writer, state: 'unauthorized', reason: 'HTTP 401' } },
    'Shipment 1Z999 is not written to carrier since carrier refuses our credentials (HTTP 401).',
  ],
  [
    'circuit-open',
    false,
    { delivery: row, writer: { ...writer, state: 'unreachable', reason: 'HTTP 503' } },
    'Shipment 1Z999 is not written to carrier since carrier failed too often in a row (HTTP 503); it is tried again by and by.',
  ],
  [
    'create-unknown',
    false,
    {
      delivery: {
        ...row,
        pendingCreate: true,
        settleUntil: soon,
        dueAt: soon,
        failureKind: 'transient',
        failureReason: 'no reply',
        attempts: 1,
      },
    },
    'The outcome of its create at carrier is unknown (transient: no reply): what became of it is looked up at carrier at 2026-11-23T10:00:04.000Z, when the request can no longer arrive.',
  ],
  [
    'write-unknown',
    false,
    { delivery: { ...row, settleUntil: soon, failureKind: 'transient', failureReason: 'no reply', attempts: 1 } },
    'The outcome of a write at carrier is unknown (transient: no reply): it is decided anew at 2026-11-23T10:00:04.000Z, when the request can no longer arrive.',
  ],
  [
    'retrying',
    false,
    { delivery: { ...row, attempts: 3, dueAt: soon, failureKind: 'transient', failureReason: 'HTTP 500' } },
    'Shipment 1Z999 failed 3 times at carrier (transient: HTTP 500) and is tried again at 2026-11-23T10:00:04.000Z.',
  ],
  [
    'postponed',
    false,
    { delivery: { ...row, dueAt: soon } },
    'Shipment 1Z999 is parked until 2026-11-23T10:00:04.000Z: another write of it is under way.',
  ],
  ['under-way', false, { delivery: { ...row, underWay: true } }, 'Shipment 1Z999 is being written to carrier now.'],
  ['due', false, { delivery: row }, 'Shipment 1Z999 is due at carrier now, with 2 others.'],
  [
    'consumer-lag',
    false,
    { delivery: { ...delivered, desiredRevision: 11, deliveredRevision: 11 }, lag: { records: 40, seconds: 2.5 } },
    'The writer of carrier is 40 records behind, the oldest 2.5 s old; r12 of shipment 1Z999 is among them.',
  ],
  [
    'lag-unknown',
    false,
    { delivery: null, lag: null },
    'The writer of carrier has not taken in r12 of shipment 1Z999 yet, and Kafka does not say how far it is.',
  ],
  ['not-taken-in', false, { delivery: null }, 'The writer of carrier has not taken in r12 of shipment 1Z999 yet.'],
  [
    'own-record',
    true,
    { delivery: null, record: { ...record, sources: [there] } },
    "Shipment 1Z999 is carrier's own record, and nothing of it has to be brought there.",
  ],
  [
    'held',
    false,
    {
      record: { ...record, sources: [there], held: [{ connection: 'carrier', noun: 'tracker', since: nowMs - 3_000 }] },
    },
    'A change of shipment 1Z999 at carrier has been held for 3.0 s, until the receipt of a write of ours there comes (30 s at most).',
  ],
  [
    'lacking',
    false,
    { record: { ...record, sources: [{ ...there, behind: ['status'] }] } },
    'Shipment 1Z999 is at carrier (r12) but for status: the answer to a write of it is still awaited, or it was not kept.',
  ],
  [
    'deleted',
    true,
    { record: { ...record, deleted: true }, delivery: { ...delivered, deleted: true } },
    'Shipment 1Z999 was deleted at its source, and carrier has been told (r12).',
  ],
  [
    'deleted',
    true,
    { record: { ...record, deleted: true }, delivery: { ...row, state: 'unwanted', deleted: true } },
    'Shipment 1Z999 was deleted at its source and was never at carrier.',
  ],
  [
    'source-paused',
    false,
    { pausedSources: ['shop'] },
    'Shipment 1Z999 is at carrier as far as we know (r12), but shop is paused as a source: later changes come by webhook alone.',
  ],
  [
    'transformer-lag',
    false,
    { transformerLag: 9 },
    'Shipment 1Z999 is at carrier as far as we know (r12); 9 messages of sources are not mapped yet.',
  ],
];

describe('why a record is not where it should be', () => {
  it.each(cases)('%s (well: %s) %j', (code, isWell, what, sentence) => {
    expect(whyNot({ ...base, ...what })).toEqual({ code, sentence, well: isWell });
  });

  it('is always one sentence', () => {
    for (const [, , what] of cases) {
      const said = whyNot({ ...base, ...what }).sentence;
      expect(said).toMatch(/^\S.*\.$/);
      expect(said.replace(/\d\.\d/g, '')).not.toMatch(/\. [A-Z]/);
    }
  });
});
