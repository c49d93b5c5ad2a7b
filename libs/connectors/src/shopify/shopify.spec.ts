import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { describeConformance, fixtureEnvelope } from '@syncline/connector-sdk/testing';
import type { Observation, RawEnvelope } from '@syncline/contracts';
import { operations } from './documents.js';
import { shopify } from './index.js';
import { endedStatuses, financialStatuses, fulfillmentStatuses, shipmentStatuses } from './statuses.js';

type Body = Record<string, unknown>;
const here = new URL('./fixtures/', import.meta.url);
const bodyOf = (name: string): Body => JSON.parse(readFileSync(new URL(`${name}.json`, here), 'utf8')).body;

describeConformance({
  connector: shopify,
  fixtures: here,
  webhook: {
    header: 'x-shopify-hmac-sha256',
    body: JSON.stringify(bodyOf('order/webhook')),
    sign: (body, secret) => ({
      'x-shopify-topic': 'orders/updated',
      'x-shopify-webhook-id': 'b54557e4-bdd9-4b37-8a5f-bf7d70bcd043',
      'x-shopify-triggered-at': '2026-09-02T09:12:11.412000Z',
      'x-shopify-api-version': '2026-07',
      'x-shopify-hmac-sha256': createHmac('sha256', secret).update(body).digest('base64'),
    }),
  },
});

const map = (body: unknown, envelope: Partial<RawEnvelope> = {}, noun = 'order'): Observation[] =>
  shopify.objects[noun]?.toCanonical({ envelope: fixtureEnvelope(envelope), body }) ?? [];
const fieldsOf = (body: unknown, noun = 'order') => map(body, {}, noun)[0]?.fields as Record<string, never>;

describe('the two shapes of one order', () => {
  it.each([
    ['order/webhook', 'order/node', 'order'],
    ['fulfillment/webhook', 'fulfillment/node', 'fulfillment'],
  ])('%s and %s say the same', (rest, node, noun) => {
    const said = (name: string) =>
      map(bodyOf(name), {}, noun).map(({ externalId, version, fields, native, keys, refs }) => ({
        externalId,
        version,
        fields,
        native,
        keys,
        refs,
      }));
    expect(said(node)).toEqual(said(rest));
  });

  it('says the same of a fulfilment alone and inside its order', () => {
    expect(map(bodyOf('order/webhook'))[1]).toEqual(map(bodyOf('fulfillment/webhook'), {}, 'fulfillment')[0]);
  });
});

describe('times of a state', () => {
  const body = bodyOf('order/webhook');
  it('orders webhooks of one second by when they were triggered, and polls by when they were read', () => {
    expect(map(body, { occurredAt: 5 })[0]).toMatchObject({ version: Date.UTC(2026, 8, 2, 9, 12, 9), tie: 5 });
    expect(map(body, { occurredAt: 5 })[0]).not.toHaveProperty('readAt');
    expect(map(body, { readAt: 7, origin: 'poll' })[0]).toMatchObject({ readAt: 7 });
    expect(map(body, { readAt: 7 })[0]).not.toHaveProperty('tie');
  });
  it('gives a fulfilment inside an order its own version', () => {
    expect(map(body)[1]?.version).toBe(Date.UTC(2026, 8, 2, 9, 12, 8));
  });
  it('takes a deletion at its time, else when it came', () => {
    expect(map({ id: 1 }, { type: 'orders/delete', occurredAt: 9 })[0]).toMatchObject({
      deleted: true,
      version: 9,
      tie: 9,
    });
    expect(map({ id: 1 }, { type: 'orders/delete', receivedAt: 11 })[0]).toMatchObject({ deleted: true, version: 11 });
  });
});

describe('odd orders', () => {
  const order = bodyOf('order/webhook');
  it.each([
    [{ financial_status: 'chargeback' }, 'financialStatus', 'financial_status', 'chargeback'],
    [{ fulfillment_status: 'teleported' }, 'fulfillmentStatus', 'fulfillment_status', 'teleported'],
    [{ financial_status: 'constructor' }, 'financialStatus', 'financial_status', 'constructor'],
  ])('keeps an unknown status visible: %j', (change, field, native, word) => {
    const [o] = map({ ...order, ...change });
    expect([o?.fields[field], o?.native[native]]).toEqual(['unknown', word]);
  });

  it.each([
    [{ cancelled_at: '2026-09-03T00:00:00Z', closed_at: '2026-09-03T00:00:00Z' }, 'cancelled'],
    [{ closed_at: '2026-09-03T00:00:00Z' }, 'completed'],
    [{}, 'open'],
  ])('stands as a whole: %j', (change, status) => {
    expect(fieldsOf({ ...order, ...change }).status).toBe(status);
  });

  it('leaves out what the message does not name, and says null for what it empties', () => {
    const { note: _note, tags: _tags, refunds: _refunds, customer: _customer, line_items: _lines, ...rest } = order;
    const fields = fieldsOf(rest);
    for (const absent of ['note', 'tags', 'refunds', 'customer', 'lines']) expect(fields).not.toHaveProperty(absent);
    expect(fieldsOf({ ...order, note: '', customer: null, shipping_address: null, tags: '' })).toMatchObject({
      note: null,
      customer: null,
      shippingAddress: null,
      tags: [],
    });
  });

  it('reads money of yen and of amounts finer than a cent', () => {
    const yen = fieldsOf({ id: 1, currency: 'JPY', total_price: '1350.00', line_items: [{ id: 2, price: '10.50' }] });
    expect(yen).toMatchObject({
      total: { shop: { minor: 1350, currency: 'JPY' }, presentment: null },
      lines: [{ unitPrice: { shop: { minor: 11, exact: '10.5' } } }],
    });
    const fine = fieldsOf({
      id: 1,
      currency: 'EUR',
      line_items: [{ id: 2, price: '0.12500', tax_lines: [{ price: '0.005' }] }],
    });
    expect(fine).toMatchObject({ lines: [{ unitPrice: { shop: { minor: 13, exact: '0.125' } } }] });
  });

  it('adds up refunds only from what was really given back in the order’s one currency', () => {
    const transactions = [
      { kind: 'refund', status: 'success', amount: '10.00', currency: 'EUR' },
      { kind: 'refund', status: 'failure', amount: '99.00', currency: 'EUR' },
      { kind: 'refund', status: 'pending', amount: '5.00', currency: 'EUR' },
    ];
    const one = {
      id: 1,
      currency: 'EUR',
      presentment_currency: 'EUR',
      refunds: [
        { id: 2, transactions, order_adjustments: [{ amount: '-3.00' }], refund_line_items: [] },
        { id: 3, transactions: [], refund_line_items: [] },
      ],
    };
    expect(fieldsOf(one)).toMatchObject({
      refundedTotal: { shop: { minor: 1000, currency: 'EUR' }, presentment: null },
      refunds: [{ amount: { shop: { minor: 1000 } } }, { amount: { shop: { minor: 0 } } }],
    });
    const two = fieldsOf({ ...one, presentment_currency: 'USD' });
    expect(two).not.toHaveProperty('refundedTotal');
    expect(two.refunds).toMatchObject([{ amount: null }, { amount: null }]);
  });

  it('takes an id beyond what JSON numbers hold from its global id, and refuses it where there is none', () => {
    expect(
      map(JSON.parse('{"id":9007199254740993,"admin_graphql_api_id":"gid://shopify/Order/9007199254740993"}'))[0]
        ?.externalId,
    ).toBe('9007199254740993');
    expect(() => map(JSON.parse('{"id":9007199254740993}'))).toThrow(/id/);
  });

  it('keeps text PostgreSQL can hold', () => {
    expect(fieldsOf({ id: 1, note: 'a\u0000b\ud800c' }).note).toBe('ab\ufffdc');
    expect(fieldsOf({ id: 1, note: '\u0000' }).note).toBeNull();
  });

  it('maps lists of orders and says nothing of a refund alone', () => {
    expect(map({ orders: [{ id: 1 }, { id: 2 }] }).map((o) => o.externalId)).toEqual(['1', '2']);
    expect(map({ refund: { id: 1, order_id: 2, refund_line_items: [] } })).toEqual([]);
    expect(map({ id: 1, order_id: 2, refund_line_items: [] })).toEqual([]);
    for (const none of [null, [], 'x', {}, { product: { id: 1 } }])
      expect(() => map(none)).toThrow(expect.objectContaining({ kind: 'unmappable' }));
  });

  it.each([
    ['ON_HOLD', false, 'unfulfilled'],
    ['IN_PROGRESS', true, 'partial'],
    ['UNFULFILLED', false, 'unfulfilled'],
    ['FULFILLED', true, 'fulfilled'],
    ['RESTOCKED', false, 'restocked'],
    ['SOMETHING_NEW', true, 'unknown'],
  ])('reads how much was fulfilled where GraphQL says %s', (word, shipped, status) => {
    const node = bodyOf('order/node');
    const body = { ...node, displayFulfillmentStatus: word, ...(shipped ? {} : { fulfillments: [] }) };
    expect(fieldsOf(body).fulfillmentStatus).toBe(status);
  });
});

describe('shipment statuses', () => {
  const parcel = bodyOf('fulfillment/webhook');
  const node = bodyOf('fulfillment/node');
  it.each([
    ['label_printed', 'LABEL_PRINTED', 'label_created'],
    ['label_purchased', 'LABEL_PURCHASED', 'label_created'],
    ['confirmed', 'CONFIRMED', 'label_created'],
    ['carrier_picked_up', 'CARRIER_PICKED_UP', 'in_transit'],
    ['in_transit', 'IN_TRANSIT', 'in_transit'],
    ['delayed', 'DELAYED', 'in_transit'],
    ['out_for_delivery', 'OUT_FOR_DELIVERY', 'out_for_delivery'],
    ['attempted_delivery', 'ATTEMPTED_DELIVERY', 'attempted'],
    ['ready_for_pickup', 'READY_FOR_PICKUP', 'ready_for_pickup'],
    ['delivered', 'DELIVERED', 'delivered'],
    ['failure', 'FAILURE', 'failed'],
    [null, 'FULFILLED', 'pending'],
    [null, 'MARKED_AS_FULFILLED', 'pending'],
    [null, 'SUBMITTED', 'pending'],
    ['beamed_up', 'BEAMED_UP', 'unknown'],
  ])('%s and %s are %s', (word, display, status) => {
    const [rest] = map({ ...parcel, shipment_status: word }, {}, 'fulfillment');
    const [graph] = map({ ...node, displayStatus: display }, {}, 'fulfillment');
    expect([rest?.fields.status, graph?.fields.status]).toEqual([status, status]);
    expect(graph?.native).toEqual(rest?.native);
  });

  it.each([
    ['cancelled', 'cancelled'],
    ['error', 'failed'],
    ['failure', 'failed'],
    ['odd', 'unknown'],
  ])('a fulfilment that is %s is %s', (word, status) => {
    expect(fieldsOf({ ...parcel, status: word }, 'fulfillment').status).toBe(status);
  });

  it('joins by carrier and number, and not where the carrier is unknown or the fulfilment cancelled', () => {
    const keys = (change: Body) => map({ ...parcel, ...change }, {}, 'fulfillment')[0]?.keys;
    expect(keys({})).toEqual([{ scope: 'tracking', key: 'dhl_express:4423110045' }]);
    expect(keys({ tracking_company: 'Dragon Post' })).toEqual([]);
    expect(keys({ status: 'cancelled' })).toEqual([]);
    expect(keys({ tracking_number: null, tracking_numbers: [] })).toEqual([]);
  });
});

describe('settings', () => {
  const settings = (value: unknown) => shopify.settings.safeParse(value);
  it('takes a shop address and a duration, and refuses what would send secrets in the clear', () => {
    expect(settings({ url: 'https://acme.myshopify.com' }).data).toEqual({
      url: 'https://acme.myshopify.com',
      since: '60d',
    });
    expect(settings({ url: 'http://127.0.0.1:9000', since: '12h' }).success).toBe(true);
    for (const url of ['http://acme.myshopify.com', 'acme.myshopify.com', 'ftp://x', 'http://localhost.example.com'])
      expect(settings({ url }).success).toBe(false);
    for (const since of ['60', 'd', '0d', '-1d', '1y'])
      expect(settings({ url: 'https://a.b', since }).success).toBe(false);
  });
});

describe('speed', () => {
  it('maps a webhook in well under a tenth of a millisecond', () => {
    const body = bodyOf('order/webhook');
    for (let i = 0; i < 3_000; i += 1) map(body);
    const rounds = Array.from({ length: 7 }, () => {
      const startedAt = process.cpuUsage().user;
      for (let i = 0; i < 1_000; i += 1) map(body);
      return (process.cpuUsage().user - startedAt) / 1_000;
    });
    expect(Math.min(...rounds)).toBeLessThan(100);
  });
});

it('names every operation as its document does', () => {
  for (const { name, document, safe } of Object.values(operations))
    expect(document).toMatch(new RegExp(`^${safe ? 'query' : 'mutation'} ${name}\\b`));
});

it('documents every setting, secret and status word in the README', () => {
  const readme = readFileSync(new URL('./README.md', import.meta.url), 'utf8').replace(/ +/g, ' ');
  for (const [name, field] of [...Object.entries(shopify.settings.shape), ...Object.entries(shopify.secrets.shape)])
    expect(readme).toContain(`| \`${name}\` | ${field.description} |`);
  for (const table of [financialStatuses, fulfillmentStatuses, shipmentStatuses, endedStatuses])
    for (const [word, status] of Object.entries(table)) expect(readme).toContain(`| \`${word}\` | ${status} |`);
});
