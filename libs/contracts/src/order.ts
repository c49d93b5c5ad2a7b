import { z } from 'zod';
import { currencyCode, money, moneyBag } from './money.js';
import { address, attribute, instant } from './parts.js';

const text = z.string().nullable();

/** Where an order stands as a whole. `unknown`: the source said something no table knows; its words are in `sources[].native`. */
export const orderStatus = z.enum([
  'pending',
  'open',
  'on_hold',
  'completed',
  'cancelled',
  'failed',
  'draft',
  'unknown',
]);
export const financialStatus = z.enum([
  'pending',
  'authorized',
  'partially_paid',
  'paid',
  'partially_refunded',
  'refunded',
  'voided',
  'expired',
  'failed',
  'unknown',
]);
export const fulfillmentStatus = z.enum([
  'unfulfilled',
  'scheduled',
  'on_hold',
  'in_progress',
  'partial',
  'fulfilled',
  'restocked',
  'cancelled',
  'returned',
  'unknown',
]);

/** A tax on an order, a line or a delivery. */
export const taxLine = z.object({ title: text, rate: z.number().nullable(), amount: moneyBag });
export type TaxLine = z.infer<typeof taxLine>;

/** One position of an order. Quantities count units; `currentQuantity` is what edits and refunds left of it. */
export const orderLine = z.object({
  lineId: z.string(),
  productId: text,
  variantId: text,
  sku: text,
  title: z.string(),
  variantTitle: text,
  vendor: text,
  quantity: z.int(),
  currentQuantity: z.int().nullable(),
  unitPrice: moneyBag,
  discount: moneyBag.nullable(),
  taxes: z.array(taxLine),
  requiresShipping: z.boolean().nullable(),
  taxable: z.boolean().nullable(),
  giftCard: z.boolean().nullable(),
  grams: z.number().nullable().describe('Weight of one unit in grams'),
  fulfillmentStatus: text,
  attributes: z.array(attribute),
});
export type OrderLine = z.infer<typeof orderLine>;

/** A delivery the buyer chose and paid for. */
export const shippingLine = z.object({
  code: text,
  title: text,
  carrier: text,
  price: moneyBag,
  discount: moneyBag.nullable(),
  taxes: z.array(taxLine),
});
export type ShippingLine = z.infer<typeof shippingLine>;

/** A discount on the order: a code, an automatic or a manual one. `value` is a percentage (0-100) or null for an amount. */
export const discount = z.object({
  code: text,
  title: text,
  type: text,
  percentage: z.number().nullable(),
  amount: money.nullable(),
});
export type Discount = z.infer<typeof discount>;

/** Money given back. `lines` names what came back with it. */
export const refund = z.object({
  refundId: z.string(),
  createdAt: instant.nullable(),
  note: text,
  amount: moneyBag.nullable(),
  lines: z.array(z.object({ lineId: text, quantity: z.int(), amount: moneyBag.nullable() })),
});
export type Refund = z.infer<typeof refund>;

/** Who bought. Personal data. */
export const customer = z.object({ externalId: text, name: text, email: text, phone: text });
export type Customer = z.infer<typeof customer>;

/**
 * What an order can say, in fields that are merged one by one. A source's mapping gives only the fields that source
 * carries: absent = the source says nothing of it, null = the source says there is none.
 */
export const orderData = z.object({
  name: text.describe('What people call the order, e.g. #1042'),
  status: orderStatus,
  financialStatus: financialStatus.nullable(),
  fulfillmentStatus: fulfillmentStatus.nullable(),
  placedAt: instant.nullable(),
  cancelledAt: instant.nullable(),
  cancelReason: text,
  closedAt: instant.nullable(),
  currency: currencyCode.nullable(),
  presentmentCurrency: currencyCode.nullable(),
  taxesIncluded: z.boolean().nullable(),
  subtotal: moneyBag.nullable().describe('Lines after discounts, before shipping and, unless taxesIncluded, taxes'),
  discountTotal: moneyBag.nullable(),
  shippingTotal: moneyBag.nullable(),
  taxTotal: moneyBag.nullable(),
  total: moneyBag.nullable().describe('What the order came to when it was placed or last edited'),
  refundedTotal: moneyBag.nullable(),
  lines: z.array(orderLine),
  shippingLines: z.array(shippingLine),
  taxes: z.array(taxLine),
  discounts: z.array(discount),
  refunds: z.array(refund),
  customer: customer.nullable(),
  email: text,
  phone: text,
  billingAddress: address.nullable(),
  shippingAddress: address.nullable(),
  tags: z.array(z.string()).describe('Sorted, without repeats'),
  attributes: z.array(attribute),
  note: text,
  channel: text.describe('Where the order came in: web, pos, an app'),
  locale: text,
  paymentMethods: z.array(z.string()),
  test: z.boolean().nullable(),
});
export type OrderData = z.infer<typeof orderData>;
