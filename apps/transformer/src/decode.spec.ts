import { describe, expect, it } from '@jest/globals';
import { rawHeaders, rawTopic, receiptsTopic, SyncError } from '@syncline/contracts';
import type { InboundRecord } from '@syncline/messaging';
import { decode, type Step } from './decode.js';
import { fixtureBodies, fuzzTopology } from './testing/fuzz-messages.js';

const topology = fuzzTopology();
const order = fixtureBodies('shopify', 'order').find((body) => 'total_tax_set' in (body as object)) as object;
const tracker = fixtureBodies('easypost', 'tracker').find((body) => (body as { result?: object }).result) as {
  result: object;
};

const message = (topic: string, text: string, headers: object = {}): InboundRecord => ({
  topic,
  partition: 0,
  offset: 0n,
  key: 'k',
  value: Buffer.from(text),
  headers: { ...headers },
  timestamp: 0,
});
const headersOf = (connection: string, provider: string, over: object = {}) => ({
  ...rawHeaders(
    {
      ...{ eventId: 'e', type: 'orders/updated', externalId: '1', occurredAt: null, origin: 'webhook' },
      ...{ connection, apiVersion: null, receivedAt: 1, readAt: null },
    },
    provider,
  ),
  ...over,
});
const shop = (text: string, over: object = {}) =>
  message(rawTopic('shopify', 'order'), text, headersOf('shop', 'shopify', over));
const carrier = (body: unknown) =>
  message(rawTopic('easypost', 'tracker'), JSON.stringify(body), headersOf('carrier', 'easypost'));
const receipt = (over: object) =>
  message(
    receiptsTopic('easypost'),
    JSON.stringify({
      ...{ type: 'receipt', id: '6f1c1c5e-9d0e-4a52-8f0a-2f6f1e7f0001', kind: 'shipment', connection: 'carrier' },
      ...{ noun: 'tracker', revision: 1, at: 1, outcome: 'written', externalId: 'trk_1', sent: {}, tries: [] },
      ...{ observed: null, ...over },
    }),
  );
const text = (over: object = {}) => JSON.stringify({ ...order, ...over });
const nested = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;

const shallow = receipt({ sent: { note: 'HERE' } });
const deepReceipt = { ...shallow, value: Buffer.from(String(shallow.value).replace('"HERE"', nested)) };

const refusal = (record: InboundRecord): SyncError => {
  try {
    decode(record, topology);
  } catch (thrown) {
    if (thrown instanceof SyncError) return thrown;
    throw thrown;
  }
  throw new Error('it was taken');
};
const fieldsOf = (record: InboundRecord): Record<string, unknown> => {
  const [step] = decode(record, topology) as [Step];
  if (step.type !== 'observation') throw new Error('no observation');
  return step.observation.fields;
};

describe('what JSON can say and databases cannot keep', () => {
  it.each<[string, InboundRecord, string]>([
    ['no JSON', shop('{"id":'), '$'],
    ['no message', { ...shop('{}'), value: null }, '$'],
    ['nesting that no mapping expects', { ...carrier({}), value: Buffer.from(nested) }, '$'],
    [
      'an id over 2^53',
      shop(text({ id: 0, admin_graphql_api_id: null }).replace('"id":0', '"id":9007199254740993')),
      'id',
    ],
    ['an id that is 1e400', shop(text({ id: 0, admin_graphql_api_id: null }).replace('"id":0', '"id":1e400')), 'id'],
    [
      'an id longer than an index takes',
      carrier({ ...tracker, result: { ...tracker.result, id: `trk_${'é'.repeat(300)}` } }),
      'externalId',
    ],
    ['a name longer than an index takes', shop(text({ name: `#${'漢'.repeat(3_000)}` })), 'keys'],
    ['a change in the year 12026', shop(text({ updated_at: '+012026-01-01T00:00:00Z' })), 'version'],
    ['a NUL in the event id', shop(text(), { ce_id: 'a\u0000b' }), 'ce_id'],
    ['a time of receipt that is no number', shop(text(), { 'sync-received-at': 'soon' }), 'sync-received-at'],
    ['no such connection', shop(text(), { ce_source: '/connections/__proto__' }), 'ce_source'],
    ['another provider’s connection', shop(text(), { ce_source: '/connections/carrier' }), 'ce_source'],
    ['a receipt without a record', receipt({ id: 'x' }), 'id'],
    ['a receipt with a NUL', receipt({ sent: { note: 'a\u0000' } }), 'sent.note'],
    ['a receipt with half a surrogate pair', receipt({ tries: [{ note: '\ud800' }] }), 'tries.0.note'],
    ['a receipt nested deeply', deepReceipt, '$'],
  ])('%s → the invalid topic, with the path', (_, record, path) => {
    expect(refusal(record)).toMatchObject({ kind: 'unmappable', path });
  });

  it.each<[string, string, object]>([
    ['__proto__ keys', text().replace('{', '{"__proto__":{"note":"x","polluted":1},'), {}],
    [
      'duplicate keys: the last counts',
      text().replace('{', '{"note":"first",').replace(/}$/, ',"note":"last"}'),
      { note: 'last' },
    ],
    ['a NUL in a text', text({ note: 'a\u0000b' }), { note: 'ab' }],
    ['half a surrogate pair', text({ note: 'a\ud800b' }), { note: 'a\ufffdb' }],
    [
      'an amount of 1e400',
      text({ total_tax: 0, total_tax_set: undefined }).replace('"total_tax":0', '"total_tax":1e400'),
      { taxTotal: null },
    ],
    ['a date of the year 12026', text({ cancelled_at: '+012026-01-01T00:00:00Z' }), { cancelledAt: null }],
    ['a date of the year 0', text({ cancelled_at: '0000-01-01T00:00:00Z' }), { cancelledAt: null }],
  ])('%s → mapped safely', (_, json, fields) => {
    expect(fieldsOf(shop(json))).toMatchObject(fields);
    expect('polluted' in {}).toBe(false);
  });
});
