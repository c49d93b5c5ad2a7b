import { z } from 'zod';
import { money } from './money.js';
import { address, instant, place } from './parts.js';

const text = z.string().nullable();

/**
 * Where a parcel is. pending = known, nothing happened yet; label_created = announced to the carrier; unknown = the source
 * said something no table knows, or says itself that it does not know (its words are in `sources[].native`).
 */
export const shipmentStatus = z.enum([
  'pending',
  'label_created',
  'in_transit',
  'out_for_delivery',
  'ready_for_pickup',
  'attempted',
  'delivered',
  'returned',
  'failed',
  'cancelled',
  'unknown',
]);
export type ShipmentStatus = z.infer<typeof shipmentStatus>;

/** One scan or message of the carrier. */
export const trackingEvent = z.object({
  at: instant.nullable(),
  status: shipmentStatus,
  native: text.describe("The provider's own status word"),
  message: text,
  place: place.nullable(),
});
export type TrackingEvent = z.infer<typeof trackingEvent>;

/** What of an order is in the parcel; `lineId` is the order line's id at the source that named it. */
export const shipmentLine = z.object({ lineId: text, sku: text, title: text, quantity: z.int() });
export type ShipmentLine = z.infer<typeof shipmentLine>;

/** What a shipment can say, in fields that are merged one by one (absent and null as in `orderData`). */
export const shipmentData = z.object({
  orderId: text.describe('Canonical id of the order it belongs to; null while no source has named one'),
  orderName: text.describe("The order as the source names it: its name or the carrier's reference"),
  status: shipmentStatus,
  carrier: text.describe('Carrier code of the alias table in contracts; null where the text names no known carrier'),
  carrierName: text.describe('The carrier as the source writes it'),
  service: text,
  trackingNumber: text,
  trackingNumbers: z.array(z.string()),
  trackingUrl: text,
  lines: z.array(shipmentLine),
  events: z.array(trackingEvent).describe('Oldest first'),
  estimatedDeliveryAt: instant.nullable(),
  shippedAt: instant.nullable(),
  deliveredAt: instant.nullable(),
  signedBy: text,
  grams: z.number().nullable().describe('Weight of the parcel in grams'),
  origin: address.nullable(),
  destination: address.nullable(),
  isReturn: z.boolean().nullable(),
  cost: money.nullable().describe('What the label cost'),
  labelUrl: text,
});
export type ShipmentData = z.infer<typeof shipmentData>;
