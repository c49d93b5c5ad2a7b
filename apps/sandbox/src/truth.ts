// The whole state in plain words, for comparing another system with it field by field.
import type { Carrier } from './carrier/carrier.js';
import type { Shipment, Tracker } from './carrier/model.js';
import { wireTime } from './carrier/wire.js';
import { displayStatusOf, shipmentStatusOf } from './shop/fulfillments.js';
import type { Fulfillment, Order } from './shop/model.js';
import { formatMinor } from './shop/money.js';
import { gid, type Shop } from './shop/shop.js';
import {
  financialStatusOf,
  fulfillableQuantity,
  fulfilledQuantity,
  fulfillmentStatusOf,
  totalsOf,
} from './shop/totals.js';

const fulfillmentTruth = (fulfillment: Fulfillment) => ({
  id: fulfillment.id,
  gid: gid('Fulfillment', fulfillment.id),
  name: fulfillment.name,
  status: fulfillment.status,
  displayStatus: displayStatusOf(fulfillment),
  shipmentStatus: shipmentStatusOf(fulfillment),
  trackingCompany: fulfillment.company,
  trackingNumbers: fulfillment.numbers,
  trackingUrls: fulfillment.urls,
  lines: fulfillment.lines.map(({ lineId, quantity }) => ({ lineId, quantity })),
  events: fulfillment.events.map(({ id, status, message, happenedAt, city }) => ({
    id,
    status,
    message,
    city,
    happenedAt: wireTime(happenedAt),
  })),
  createdAt: wireTime(fulfillment.createdAt),
  updatedAt: wireTime(fulfillment.updatedAt),
});

/** An order as it is now; amounts are strings in the currency named beside them. */
export function orderTruth(order: Order) {
  const totals = totalsOf(order);
  const both = (bag: readonly [number, number]) => ({
    shop: formatMinor(bag[0], order.currency),
    presentment: formatMinor(bag[1], order.presentmentCurrency),
  });
  return {
    id: order.id,
    gid: gid('Order', order.id),
    name: order.name,
    email: order.email,
    currency: order.currency,
    presentmentCurrency: order.presentmentCurrency,
    financialStatus: financialStatusOf(order),
    fulfillmentStatus: fulfillmentStatusOf(order),
    cancelledAt: order.cancelledAt === null ? null : wireTime(order.cancelledAt),
    cancelReason: order.cancelReason,
    note: order.note,
    tags: order.tags,
    customAttributes: order.customAttributes,
    shippingAddress: order.shippingAddress,
    totals: {
      subtotal: both(totals.subtotal),
      shipping: both(totals.shipping),
      tax: both(totals.tax),
      discounts: both(totals.discounts),
      total: both(totals.total),
      currentTotal: both(totals.currentTotal),
      refunded: both(totals.refunded),
      outstanding: both(totals.outstanding),
    },
    lines: order.lines.map((line) => ({
      id: line.id,
      sku: line.sku,
      title: line.title,
      quantity: line.quantity,
      currentQuantity: line.currentQuantity,
      fulfilledQuantity: fulfilledQuantity(order, line.id),
      fulfillableQuantity: fulfillableQuantity(order, line.id),
      unitPrice: both(line.unitPrice),
    })),
    refunds: order.refunds.map(({ id, note, lines }) => ({
      id,
      note,
      lines: lines.map(({ lineId, quantity }) => ({ lineId, quantity })),
    })),
    fulfillments: order.fulfillments.map(fulfillmentTruth),
    metafields: order.metafields.map(({ namespace, key, type, value }) => ({ namespace, key, type, value })),
    createdAt: wireTime(order.createdAt),
    updatedAt: wireTime(order.updatedAt),
  };
}

const trackerTruth = (tracker: Tracker) => ({
  id: tracker.id,
  trackingCode: tracker.code,
  carrier: tracker.carrier,
  status: tracker.status,
  statusDetail: tracker.statusDetail,
  shipmentId: tracker.shipmentId,
  scans: tracker.scans.map(({ status, statusDetail, message, at, city }) => ({
    status,
    statusDetail,
    message,
    city,
    at: wireTime(at),
  })),
  createdAt: wireTime(tracker.createdAt),
  updatedAt: wireTime(tracker.updatedAt),
});

const shipmentTruth = (carrier: Carrier) => (shipment: Shipment) => ({
  id: shipment.id,
  reference: shipment.reference,
  bought: shipment.boughtRateId !== null,
  carrier: shipment.rates.find(({ id }) => id === shipment.boughtRateId)?.carrier ?? null,
  trackerId: shipment.trackerId,
  trackingCode: carrier.data.trackers.get(shipment.trackerId ?? '')?.code ?? null,
});

/** Both systems' state. */
export const truth = (shop: Shop, carrier: Carrier) => ({
  at: new Date().toISOString(),
  orders: [...shop.data.orders.values()].map(orderTruth),
  trackers: [...carrier.data.trackers.values()].map(trackerTruth),
  shipments: [...carrier.data.shipments.values()].map(shipmentTruth(carrier)),
});
