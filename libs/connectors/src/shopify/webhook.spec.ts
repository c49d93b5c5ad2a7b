import { describe, expect, it } from '@jest/globals';
import { shopify } from './index.js';

describe('webhook topics', () => {
  const request = (topic: string | undefined, body: unknown, more: Record<string, string> = {}) => ({
    headers: { 'x-shopify-topic': topic, ...more },
    body: Buffer.from(JSON.stringify(body)),
    receivedAt: 1_000,
  });
  const parse = (topic: string | undefined, body: unknown, more = {}) =>
    shopify.webhook?.parse(request(topic, body, more), body);

  it.each([
    'orders/create',
    'orders/updated',
    'orders/paid',
    'orders/cancelled',
    'orders/fulfilled',
    'orders/partially_fulfilled',
    'orders/delete',
  ])('%s is an order', (topic) => {
    expect(parse(topic, { id: 5 })).toMatchObject({
      kind: 'item',
      type: topic,
      item: { noun: 'order', externalId: '5', aggregateId: '5', body: '{"id":5}' },
    });
  });
  it.each(['fulfillments/create', 'fulfillments/update'])('%s goes with its order', (topic) => {
    expect(parse(topic, { id: 5, order_id: 6 })).toMatchObject({
      kind: 'item',
      item: { noun: 'fulfillment', externalId: '5', aggregateId: '6' },
    });
    expect(() => parse(topic, { id: 5 })).toThrow(expect.objectContaining({ kind: 'unmappable', path: 'order_id' }));
  });
  it('ignores what it did not ask for and sees an uninstall', () => {
    for (const topic of ['products/update', 'refunds/create', 'orders/edited', 'fulfillment_events/create'])
      expect(parse(topic, { id: 1 })).toEqual({ kind: 'ignored', type: topic });
    expect(parse('app/uninstalled', { id: 1 })).toEqual({ kind: 'uninstalled' });
    expect(() => parse(undefined, { id: 1 })).toThrow(expect.objectContaining({ path: 'x-shopify-topic' }));
  });
  it('keeps the delivery id, time and version of the request, and names a delivery without id by what it says', () => {
    const headers = {
      'x-shopify-webhook-id': 'w1',
      'x-shopify-triggered-at': '2026-09-02T09:12:11.412Z',
      'x-shopify-api-version': '2026-07',
    };
    expect(parse('orders/updated', { id: 5 }, headers)).toMatchObject({
      eventId: 'w1',
      occurredAt: Date.UTC(2026, 8, 2, 9, 12, 11, 412),
      apiVersion: '2026-07',
    });
    expect(parse('orders/updated', { id: 5, updated_at: 'T' })).toMatchObject({
      eventId: 'orders/updated:5:T',
      occurredAt: null,
    });
  });
});
