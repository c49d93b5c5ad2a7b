import { type ConnectionContext, defineConnector, learnedFromCost } from '@syncline/connector-sdk';
import { SyncError } from '@syncline/contracts';
import { ask } from './api.js';
import { apiVersion, operations } from './documents.js';
import { secrets, settings } from './manifest.js';
import { orderToCanonical } from './order.js';
import { pollOrders, readFulfillment, readOrder } from './poll.js';
import { shipmentToCanonical } from './shipment.js';
import { webhook } from './webhook.js';
import { object, objects } from './wire.js';
import { orderTarget } from './write-order.js';
import { shipmentTarget } from './write-shipment.js';

/** Any of these lets orders be read. */
const readScopes = ['read_orders', 'write_orders', 'read_all_orders'];

async function check(context: ConnectionContext): Promise<void> {
  const reply = await ask(context, operations.shop);
  const scopes = objects(object(reply.json.data.currentAppInstallation).accessScopes).map((s) => String(s.handle));
  if (!scopes.some((scope) => readScopes.includes(scope)))
    throw new SyncError('unauthorized', 'the app lacks the scope read_orders: add it to the app and install it again');
}

/** Shopify, by its GraphQL Admin API and its webhooks. */
export const shopify = defineConnector({
  provider: 'shopify',
  title: 'Shopify',
  settings,
  secrets,
  apiVersion,
  baseUrl: ({ url }) => new URL(url).origin,
  auth: {
    type: 'clientCredentials',
    tokenPath: '/admin/oauth/access_token',
    clientIdSecret: 'clientId',
    clientSecretSecret: 'clientSecret',
    header: 'x-shopify-access-token',
  },
  // Points of query cost: the standard plan's bucket (https://shopify.dev/docs/api/usage/limits) until the first answer tells
  // the shop's own. A query costs up to 1,000, most of ours less than 100.
  limits: { perSecond: 100, burst: 2_000, concurrency: 8, costFirst: 100, learn: learnedFromCost },
  objects: {
    order: { kind: 'order', toCanonical: orderToCanonical, poll: pollOrders, read: readOrder, settleMs: 5_000 },
    fulfillment: { kind: 'shipment', toCanonical: shipmentToCanonical, read: readFulfillment },
  },
  webhook,
  check,
  targets: { shipment: shipmentTarget, order: orderTarget },
});
