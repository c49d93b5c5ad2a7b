import {
  type Delivery,
  type Verdict,
  verifyHmac,
  type WebhookRequest,
  type WebhookSpec,
} from '@syncline/connector-sdk';
import { SyncError } from '@syncline/contracts';
import { register } from './register.js';
import { id, idOf, millis, needId, object, type Wire } from './wire.js';

/** Topics whose body is a whole order. */
const orderTopics = new Set([
  'orders/create',
  'orders/updated',
  'orders/paid',
  'orders/cancelled',
  'orders/fulfilled',
  'orders/partially_fulfilled',
  'orders/delete',
]);
const fulfillmentTopics = new Set(['fulfillments/create', 'fulfillments/update']);

/** One header's text; null where it is missing or came more than once. */
const headerOf = (request: WebhookRequest, name: string): string | null => {
  const value = request.headers[name];
  return typeof value === 'string' && value !== ''
    ? value
    : Array.isArray(value) && value.length === 1
      ? (value[0] ?? null)
      : null;
};

/** Shopify signs the raw body with the app's client secret (X-Shopify-Hmac-Sha256, base64). The time is not signed. */
const verify = (request: WebhookRequest, secrets: readonly string[]): Verdict =>
  verifyHmac(request, secrets, { header: 'x-shopify-hmac-sha256', algorithm: 'sha256', encoding: 'base64' });

function itemOf(request: WebhookRequest, topic: string, wire: Wire, noun: 'order' | 'fulfillment'): Delivery {
  const externalId = needId(wire, noun);
  const aggregateId = noun === 'order' ? externalId : id(wire.order_id);
  if (aggregateId === null) throw new SyncError('unmappable', 'the fulfillment names no order', { path: 'order_id' });
  const occurredAt = millis(headerOf(request, 'x-shopify-triggered-at'));
  const version = typeof wire.updated_at === 'string' ? wire.updated_at : String(occurredAt ?? request.receivedAt);
  return {
    kind: 'item',
    // Shopify repeats a delivery under the same id. A delivery without one is known by what it says.
    eventId: headerOf(request, 'x-shopify-webhook-id') ?? `${topic}:${externalId}:${version}`,
    type: topic,
    occurredAt,
    apiVersion: headerOf(request, 'x-shopify-api-version'),
    item: { noun, aggregateId, externalId, version, body: request.body.toString('utf8') },
  };
}

function parse(request: WebhookRequest, body: unknown): Delivery {
  const topic = headerOf(request, 'x-shopify-topic');
  if (topic === null) throw new SyncError('unmappable', 'the webhook names no topic', { path: 'x-shopify-topic' });
  if (topic === 'app/uninstalled') return { kind: 'uninstalled' };
  const outer = object(body);
  if (orderTopics.has(topic))
    return itemOf(request, topic, idOf(outer) === null ? object(outer.order) : outer, 'order');
  if (fulfillmentTopics.has(topic))
    return itemOf(request, topic, idOf(outer) === null ? object(outer.fulfillment) : outer, 'fulfillment');
  return { kind: 'ignored', type: topic };
}

/** Webhooks of a shop: bodies in REST's shape, whatever API the app uses. */
export const webhook: WebhookSpec = { secrets: ['clientSecret', 'previousClientSecret'], verify, parse, register };
