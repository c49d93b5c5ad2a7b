// Fulfilments, their events and fulfilment orders as GraphQL shows them.
import { GraphQLError } from 'graphql';
import { connection, listConnection, type PageArgs } from './connection.js';
import { displayStatusOf, firstEventAt } from './fulfillments.js';
import { addressNode, legacyId, lineNode } from './graph-parts.js';
import type { Fulfillment, FulfillmentEvent, FulfillmentOrder, Line, Order } from './model.js';
import { moneyBag, times } from './money.js';
import { gid, LOCATION_ID } from './shop.js';
import { graphTime, graphTimeOrNull } from './times.js';
import { lineDiscounted } from './totals.js';

const lineOf = (order: Order, lineId: number): Line => order.lines.find(({ id }) => id === lineId)!;

/** Makes the order a fulfilment points back to; passed in, since orders show their fulfilments too. */
export type ShowOrder = (order: Order) => object;

/** The shop's one location. */
export const locationNode = () => ({
  __typename: 'Location',
  id: gid('Location', LOCATION_ID),
  legacyResourceId: legacyId(LOCATION_ID),
  name: 'Old Quay',
  isActive: true,
  isPrimary: true,
  fulfillsOnlineOrders: true,
  shipsInventory: true,
  isFulfillmentService: false,
  address: {
    address1: '5 Old Quay',
    address2: null,
    city: 'Portland',
    province: 'Maine',
    provinceCode: 'ME',
    country: 'United States',
    countryCode: 'US',
    zip: '04101',
    phone: null,
    latitude: null,
    longitude: null,
    formatted: ['5 Old Quay', 'Portland ME 04101', 'United States'],
  },
});

export const fulfillmentEventNode = (event: FulfillmentEvent) => ({
  __typename: 'FulfillmentEvent',
  id: gid('FulfillmentEvent', event.id),
  status: event.status,
  message: event.message,
  happenedAt: graphTime(event.happenedAt),
  createdAt: graphTime(event.createdAt),
  estimatedDeliveryAt: graphTimeOrNull(event.estimatedDeliveryAt),
  address1: event.address1,
  city: event.city,
  province: event.province,
  country: event.country,
  zip: event.zip,
  latitude: event.latitude,
  longitude: event.longitude,
});

const newestEstimate = (fulfillment: Fulfillment): number | null =>
  fulfillment.events.findLast(({ estimatedDeliveryAt }) => estimatedDeliveryAt !== null)?.estimatedDeliveryAt ?? null;

interface EventsArgs extends PageArgs {
  sortKey?: 'CREATED_AT' | 'HAPPENED_AT' | 'ID' | null;
}

function eventsOf({ events }: Fulfillment, args: EventsArgs) {
  const sign = args.reverse === true ? -1 : 1;
  const momentOf = ({ createdAt, happenedAt }: FulfillmentEvent): number =>
    args.sortKey === 'HAPPENED_AT' ? happenedAt : args.sortKey === 'CREATED_AT' ? createdAt : 0;
  const sorted = [...events].sort((a, b) => sign * (momentOf(a) - momentOf(b) || a.id - b.id));
  return connection(
    sorted,
    args,
    (event) => ({ value: momentOf(event), id: event.id }),
    fulfillmentEventNode,
    sign < 0,
  );
}

/** A Fulfillment of the Admin schema. */
export function fulfillmentNode(order: Order, fulfillment: Fulfillment, showOrder: ShowOrder): object {
  const rows = Math.max(fulfillment.numbers.length, fulfillment.urls.length, fulfillment.company === null ? 0 : 1);
  const trackingInfo = Array.from({ length: rows }, (_, at) => ({
    company: fulfillment.company,
    number: fulfillment.numbers[at] ?? null,
    url: fulfillment.urls[at] ?? null,
  }));
  return {
    __typename: 'Fulfillment',
    id: gid('Fulfillment', fulfillment.id),
    legacyResourceId: legacyId(fulfillment.id),
    name: fulfillment.name,
    status: fulfillment.status,
    displayStatus: displayStatusOf(fulfillment),
    createdAt: graphTime(fulfillment.createdAt),
    updatedAt: graphTime(fulfillment.updatedAt),
    deliveredAt: graphTimeOrNull(firstEventAt(fulfillment, 'DELIVERED')),
    inTransitAt: graphTimeOrNull(firstEventAt(fulfillment, 'IN_TRANSIT')),
    estimatedDeliveryAt: graphTimeOrNull(newestEstimate(fulfillment)),
    requiresShipping: true,
    totalQuantity: fulfillment.lines.reduce((count, { quantity }) => count + quantity, 0),
    trackingInfo: ({ first }: { first?: number | null }) => trackingInfo.slice(0, first ?? undefined),
    location: locationNode(),
    originAddress: null,
    service: { id: gid('FulfillmentService', 1), handle: 'manual', serviceName: 'Manual', type: 'MANUAL' },
    order: () => showOrder(order),
    events: (args: EventsArgs) => eventsOf(fulfillment, args),
    fulfillmentOrders: (args: PageArgs) => {
      const ids = new Set(fulfillment.lines.map(({ fulfillmentOrderId }) => fulfillmentOrderId));
      const list = order.fulfillmentOrders.filter(({ id }) => ids.has(id));
      return listConnection(list, args, (item) => fulfillmentOrderNode(order, item, showOrder));
    },
    fulfillmentLineItems: (args: PageArgs) =>
      listConnection(fulfillment.lines, args, ({ id, lineId, quantity }) => {
        const line = lineOf(order, lineId);
        return {
          __typename: 'FulfillmentLineItem',
          id: gid('FulfillmentLineItem', id),
          quantity,
          lineItem: lineNode(order, line),
          originalTotalSet: moneyBag(times(line.unitPrice, quantity), order),
          discountedTotalSet: moneyBag(times(lineDiscounted(line), quantity / line.quantity), order),
        };
      }),
  };
}

/** The fulfilment orders that a `query` such as "status:open" leaves. */
export function fulfillmentOrdersOf(order: Order, query: string | null | undefined): FulfillmentOrder[] {
  if (!query) return order.fulfillmentOrders;
  const match = /^(-?)status:"?(\w+)"?$/.exec(query.trim());
  if (!match) throw new GraphQLError(`the sandbox cannot search fulfillment orders by "${query}"`);
  return order.fulfillmentOrders.filter(({ status }) => (status === match[2]!.toUpperCase()) !== (match[1] === '-'));
}

const ACTIONS: Readonly<Record<FulfillmentOrder['status'], readonly string[]>> = {
  OPEN: ['CREATE_FULFILLMENT', 'HOLD', 'MARK_AS_OPEN', 'MOVE', 'SPLIT'],
  IN_PROGRESS: ['CREATE_FULFILLMENT', 'CANCEL_FULFILLMENT_ORDER'],
  CLOSED: [],
  CANCELLED: [],
};

/** A FulfillmentOrder of the Admin schema. */
export function fulfillmentOrderNode(order: Order, item: FulfillmentOrder, showOrder: ShowOrder): object {
  const { id: _address, ...destination } = addressNode(order.shippingAddress);
  return {
    __typename: 'FulfillmentOrder',
    id: gid('FulfillmentOrder', item.id),
    status: item.status,
    requestStatus: 'UNSUBMITTED',
    createdAt: graphTime(item.createdAt),
    updatedAt: graphTime(item.updatedAt),
    orderId: gid('Order', order.id),
    orderName: order.name,
    orderProcessedAt: graphTime(order.createdAt),
    order: () => showOrder(order),
    fulfillAt: null,
    fulfillBy: null,
    fulfillmentHolds: [],
    internationalDuties: null,
    deliveryMethod: null,
    supportedActions: ACTIONS[item.status].map((action) => ({ action, externalUrl: null })),
    assignedLocation: { ...locationNode().address, name: 'Old Quay', location: locationNode() },
    destination: {
      ...destination,
      __typename: 'FulfillmentOrderDestination',
      id: gid('FulfillmentOrderDestination', item.id),
      email: order.email,
    },
    fulfillments: (args: PageArgs) => {
      const list = order.fulfillments.filter(({ lines }) => lines.some((line) => line.fulfillmentOrderId === item.id));
      return listConnection(list, args, (fulfillment) => fulfillmentNode(order, fulfillment, showOrder));
    },
    lineItems: (args: PageArgs) =>
      listConnection(item.lines, args, ({ id, lineId, total, remaining }) => {
        const line = lineOf(order, lineId);
        return {
          __typename: 'FulfillmentOrderLineItem',
          id: gid('FulfillmentOrderLineItem', id),
          totalQuantity: total,
          remainingQuantity: remaining,
          requiresShipping: true,
          sku: line.sku,
          productTitle: line.title,
          variantTitle: line.variantTitle,
          vendor: line.vendor,
          inventoryItemId: gid('InventoryItem', line.variantId),
          lineItem: lineNode(order, line),
          weight: { unit: 'GRAMS', value: line.grams },
          warnings: [],
        };
      }),
  };
}
