// The query root. What is not here answers with an error that names the field.
import { GraphQLError } from 'graphql';
import { connection, type PageArgs } from './connection.js';
import { fulfillmentNode, fulfillmentOrderNode, locationNode } from './graph-fulfillment.js';
import { orderNode } from './graph-order.js';
import { refundNode } from './graph-refund.js';
import type { Fulfillment, FulfillmentOrder, Order, Subscription } from './model.js';
import { restShop } from './rest-shop.js';
import { API_VERSION } from './schema.js';
import { SearchError, type SortKey, sortValue } from './search.js';
import { gid, idFromGid, LOCATION_ID, SHOP_CURRENCY, SHOP_DOMAIN, SHOP_ID, type Shop } from './shop.js';
import { graphTime } from './times.js';

const SORT_KEYS: readonly string[] = [
  'UPDATED_AT',
  'CREATED_AT',
  'PROCESSED_AT',
  'ORDER_NUMBER',
  'ID',
] satisfies SortKey[];
const COUNT_MAX = 10_000;

/** The number in a global id of the type; throws Shopify's error where it is no global id at all. */
export function numberOf(value: string, type: string): number | undefined {
  if (!/^gid:\/\/shopify\/[A-Za-z]+\/.+$/.test(value)) {
    throw new GraphQLError(`Invalid global id '${value}'`, { extensions: { code: 'argumentLiteralsIncompatible' } });
  }
  return idFromGid(value, type);
}

/** The order with that global id. */
export const findOrder = (shop: Shop, id: string): Order | undefined =>
  shop.data.orders.get(numberOf(id, 'Order') ?? -1);

const ownerOf = (shop: Shop, id: number | undefined): Order | undefined =>
  shop.data.orders.get(shop.owners.get(id ?? -1) ?? -1);

/** The fulfilment with that global id, and its order. */
export function findFulfillment(shop: Shop, id: string): { order: Order; fulfillment: Fulfillment } | undefined {
  const number = numberOf(id, 'Fulfillment');
  const order = ownerOf(shop, number);
  const fulfillment = order?.fulfillments.find((candidate) => candidate.id === number);
  return order && fulfillment ? { order, fulfillment } : undefined;
}

/** The fulfilment order with that global id, and its order. */
export function findFulfillmentOrder(
  shop: Shop,
  id: string,
): { order: Order; fulfillmentOrder: FulfillmentOrder } | undefined {
  const number = numberOf(id, 'FulfillmentOrder');
  const order = ownerOf(shop, number);
  const fulfillmentOrder = order?.fulfillmentOrders.find((candidate) => candidate.id === number);
  return order && fulfillmentOrder ? { order, fulfillmentOrder } : undefined;
}

/** The refund with that global id, as a node, or null. */
function refundById(shop: Shop, id: string): object | null {
  const number = numberOf(id, 'Refund');
  const order = ownerOf(shop, number);
  const refund = order?.refunds.find((candidate) => candidate.id === number);
  return order && refund ? { ...refundNode(order, refund), order: () => orderNode(order) } : null;
}

/** A WebhookSubscription of the Admin schema. */
export const subscriptionNode = (subscription: Subscription) => ({
  __typename: 'WebhookSubscription',
  id: gid('WebhookSubscription', subscription.id),
  legacyResourceId: String(subscription.id),
  topic: subscription.topic,
  uri: subscription.uri,
  callbackUrl: subscription.uri,
  endpoint: { __typename: 'WebhookHttpEndpoint', callbackUrl: subscription.uri },
  format: 'JSON',
  filter: null,
  includeFields: subscription.includeFields,
  metafieldNamespaces: [],
  metafields: [],
  name: subscription.name,
  apiVersion: { handle: API_VERSION, displayName: API_VERSION, supported: true },
  createdAt: graphTime(subscription.createdAt),
  updatedAt: graphTime(subscription.updatedAt),
});

function shopNode() {
  const rest = restShop();
  return {
    __typename: 'Shop',
    id: gid('Shop', SHOP_ID),
    name: rest.name,
    email: rest.email,
    contactEmail: rest.customer_email,
    myshopifyDomain: SHOP_DOMAIN,
    url: `https://${SHOP_DOMAIN}`,
    primaryDomain: { id: gid('Domain', 1), host: SHOP_DOMAIN, url: `https://${SHOP_DOMAIN}`, sslEnabled: true },
    currencyCode: SHOP_CURRENCY,
    enabledPresentmentCurrencies: rest.enabled_presentment_currencies,
    ianaTimezone: rest.iana_timezone,
    timezoneAbbreviation: 'EST',
    timezoneOffset: '-0500',
    timezoneOffsetMinutes: -300,
    weightUnit: 'KILOGRAMS',
    unitSystem: 'METRIC_SYSTEM',
    taxesIncluded: false,
    taxShipping: false,
    setupRequired: false,
    orderNumberFormatPrefix: '#',
    orderNumberFormatSuffix: '',
    shopOwnerName: rest.shop_owner,
    plan: {
      displayName: rest.plan_display_name,
      publicDisplayName: rest.plan_display_name,
      partnerDevelopment: true,
      shopifyPlus: false,
    },
    createdAt: '2026-01-05T15:00:00Z',
    updatedAt: '2026-01-05T15:00:00Z',
  };
}

interface OrdersArgs extends PageArgs {
  query?: string | null;
  sortKey?: string | null;
}

function findEntries(shop: Shop, { query, sortKey, reverse }: OrdersArgs) {
  const key = (sortKey ?? 'PROCESSED_AT') as SortKey;
  if (!SORT_KEYS.includes(key)) throw new GraphQLError(`the sandbox cannot sort orders by ${key}`);
  try {
    return { key, entries: shop.index.find(query ?? '', key, reverse === true) };
  } catch (error) {
    if (error instanceof SearchError) throw new GraphQLError(error.message);
    throw error;
  }
}

function orders(shop: Shop, args: OrdersArgs) {
  const { key, entries } = findEntries(shop, args);
  return connection(
    entries,
    args,
    (entry) => ({ value: sortValue(entry, key), id: entry.id }),
    ({ id }) => orderNode(shop.data.orders.get(id)!),
    args.reverse === true,
  );
}

interface SubscriptionsArgs extends PageArgs {
  topics?: string[] | null;
  callbackUrl?: string | null;
  uri?: string | null;
}

function subscriptions(shop: Shop, args: SubscriptionsArgs) {
  const address = args.uri ?? args.callbackUrl;
  const list = shop.data.subscriptions.filter(
    ({ topic, uri }) => (!args.topics?.length || args.topics.includes(topic)) && (!address || uri === address),
  );
  const sorted = args.reverse ? [...list].reverse() : list;
  return connection(sorted, args, ({ id }) => ({ value: 0, id }), subscriptionNode, args.reverse === true);
}

function nodeById(shop: Shop, id: string): object | null {
  const order = findOrder(shop, id);
  if (order) return orderNode(order);
  const fulfillment = findFulfillment(shop, id);
  if (fulfillment) return fulfillmentNode(fulfillment.order, fulfillment.fulfillment, orderNode);
  const found = findFulfillmentOrder(shop, id);
  if (found) return fulfillmentOrderNode(found.order, found.fulfillmentOrder, orderNode);
  const refund = refundById(shop, id);
  if (refund) return refund;
  const subscription = shop.data.subscriptions.find(
    (candidate) => candidate.id === numberOf(id, 'WebhookSubscription'),
  );
  if (subscription) return subscriptionNode(subscription);
  return numberOf(id, 'Location') === LOCATION_ID ? locationNode() : null;
}

/** The fields of QueryRoot that the sandbox resolves. */
export const queryRoot = (shop: Shop, scopes: readonly string[]) => ({
  shop: shopNode,
  node: ({ id }: { id: string }) => nodeById(shop, id),
  nodes: ({ ids }: { ids: string[] }) => ids.map((id) => nodeById(shop, id)),
  order: ({ id }: { id: string }) => {
    const order = findOrder(shop, id);
    return order ? orderNode(order) : null;
  },
  orders: (args: OrdersArgs) => orders(shop, args),
  ordersCount: (args: OrdersArgs & { limit?: number | null }) => {
    const limit = args.limit ?? COUNT_MAX;
    const count = findEntries(shop, args).entries.length;
    return { count: Math.min(count, limit), precision: count > limit ? 'AT_LEAST' : 'EXACT' };
  },
  fulfillment: ({ id }: { id: string }) => {
    const found = findFulfillment(shop, id);
    return found ? fulfillmentNode(found.order, found.fulfillment, orderNode) : null;
  },
  fulfillmentOrder: ({ id }: { id: string }) => {
    const found = findFulfillmentOrder(shop, id);
    return found ? fulfillmentOrderNode(found.order, found.fulfillmentOrder, orderNode) : null;
  },
  refund: ({ id }: { id: string }) => refundById(shop, id),
  location: () => locationNode(),
  locations: (args: PageArgs) =>
    connection(
      [locationNode()],
      args,
      () => ({ value: 0, id: LOCATION_ID }),
      (location) => location,
    ),
  webhookSubscription: ({ id }: { id: string }) => nodeById(shop, id),
  webhookSubscriptions: (args: SubscriptionsArgs) => subscriptions(shop, args),
  webhookSubscriptionsCount: () => ({ count: shop.data.subscriptions.length, precision: 'EXACT' }),
  currentAppInstallation: () => ({
    __typename: 'AppInstallation',
    id: gid('AppInstallation', 580_111),
    accessScopes: scopes.map((handle) => ({ handle, description: handle.replaceAll('_', ' ') })),
  }),
});
