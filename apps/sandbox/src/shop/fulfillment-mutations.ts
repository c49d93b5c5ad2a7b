// The mutations about fulfilments and their events.
import {
  addFulfillmentEvent,
  cancelFulfillment,
  createFulfillment,
  type Tracking,
  updateTracking,
} from './fulfillments.js';
import { fulfillmentEventNode, fulfillmentNode } from './graph-fulfillment.js';
import { orderNode } from './graph-order.js';
import { findFulfillment, findFulfillmentOrder, numberOf } from './graph-queries.js';
import type { FulfillmentEvent } from './model.js';
import { Refused } from './orders.js';
import { type Effect, type Payload, refusable } from './payload.js';
import { gid, type Shop } from './shop.js';

interface FulfillmentInput {
  lineItemsByFulfillmentOrder: {
    fulfillmentOrderId: string;
    fulfillmentOrderLineItems?: { id: string; quantity: number }[] | null;
  }[];
  trackingInfo?: Tracking | null;
}

function fulfillmentCreate(shop: Shop, effect: Effect, input: FulfillmentInput): Payload {
  return refusable(
    () => {
      const parts = input.lineItemsByFulfillmentOrder.map((entry) => {
        const found = findFulfillmentOrder(shop, entry.fulfillmentOrderId);
        if (!found) throw new Refused('Fulfillment order does not exist.', ['fulfillment']);
        const lines = entry.fulfillmentOrderLineItems?.map(({ id, quantity }) => ({
          id: numberOf(id, 'FulfillmentOrderLineItem') ?? -1,
          quantity,
        }));
        return { ...found, lines };
      });
      const order = parts[0]?.order;
      if (!order)
        throw new Refused('Line items by fulfillment order must not be empty.', [
          'fulfillment',
          'lineItemsByFulfillmentOrder',
        ]);
      if (parts.some((part) => part.order !== order)) {
        throw new Refused('All fulfillment orders must belong to the same order.', ['fulfillment']);
      }
      const fulfillment = createFulfillment(shop, order, parts, input.trackingInfo);
      effect('fulfillment.created', gid('Fulfillment', fulfillment.id));
      return { fulfillment: fulfillmentNode(order, fulfillment, orderNode) };
    },
    { fulfillment: null },
  );
}

const requireFulfillment = (shop: Shop, id: string, field: string[], message: string) => {
  const found = findFulfillment(shop, id);
  if (!found) throw new Refused(message, field);
  return found;
};

function trackingUpdate(
  shop: Shop,
  effect: Effect,
  args: { fulfillmentId: string; trackingInfoInput: Tracking },
): Payload {
  return refusable(
    () => {
      const { order, fulfillment } = requireFulfillment(
        shop,
        args.fulfillmentId,
        ['fulfillmentId'],
        'Fulfillment does not exist.',
      );
      updateTracking(shop, order, fulfillment, args.trackingInfoInput);
      effect('fulfillment.tracking', args.fulfillmentId);
      return { fulfillment: fulfillmentNode(order, fulfillment, orderNode) };
    },
    { fulfillment: null },
  );
}

type EventInput = Omit<Partial<FulfillmentEvent>, 'happenedAt' | 'estimatedDeliveryAt'> & {
  fulfillmentId: string;
  status: string;
  happenedAt?: string | null;
  estimatedDeliveryAt?: string | null;
};

function eventCreate(shop: Shop, effect: Effect, input: EventInput): Payload {
  return refusable(
    () => {
      const { fulfillmentId, happenedAt, estimatedDeliveryAt, ...plain } = input;
      const field = ['fulfillmentEvent', 'fulfillmentId'];
      const { order, fulfillment } = requireFulfillment(shop, fulfillmentId, field, 'Fulfillment does not exist.');
      const event = addFulfillmentEvent(shop, order, fulfillment, {
        ...plain,
        ...(happenedAt ? { happenedAt: secondOf(happenedAt, 'happenedAt') } : {}),
        estimatedDeliveryAt: estimatedDeliveryAt ? secondOf(estimatedDeliveryAt, 'estimatedDeliveryAt') : null,
      });
      effect('fulfillment.event', gid('FulfillmentEvent', event.id));
      return { fulfillmentEvent: fulfillmentEventNode(event) };
    },
    { fulfillmentEvent: null },
  );
}

function secondOf(text: string, field: string): number {
  const at = Date.parse(text);
  if (Number.isNaN(at)) throw new Refused(`${field} is not a time; write it as ISO 8601`, ['fulfillmentEvent', field]);
  return Math.floor(at / 1000) * 1000;
}

/** The fields of Mutation about fulfilments that the sandbox resolves. */
export const fulfillmentMutations = (shop: Shop, effect: Effect) => ({
  fulfillmentCreate: (args: { fulfillment: FulfillmentInput }) => fulfillmentCreate(shop, effect, args.fulfillment),
  fulfillmentCreateV2: (args: { fulfillment: FulfillmentInput }) => fulfillmentCreate(shop, effect, args.fulfillment),
  fulfillmentTrackingInfoUpdate: (args: Parameters<typeof trackingUpdate>[2]) => trackingUpdate(shop, effect, args),
  fulfillmentTrackingInfoUpdateV2: (args: Parameters<typeof trackingUpdate>[2]) => trackingUpdate(shop, effect, args),
  fulfillmentEventCreate: (args: { fulfillmentEvent: EventInput }) => eventCreate(shop, effect, args.fulfillmentEvent),
  fulfillmentCancel: ({ id }: { id: string }) =>
    refusable(
      () => {
        const { order, fulfillment } = requireFulfillment(shop, id, ['id'], 'Fulfillment does not exist.');
        cancelFulfillment(shop, order, fulfillment);
        effect('fulfillment.cancelled', id);
        return { fulfillment: fulfillmentNode(order, fulfillment, orderNode) };
      },
      { fulfillment: null },
    ),
});
