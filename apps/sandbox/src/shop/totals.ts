// An order's sums and states, derived from its parts so that they can never disagree with them.

import type { Line, Order, TaxLine } from './model.js';
import { add, type Bag, subtract, times, ZERO } from './money.js';

const sum = (bags: readonly Bag[]): Bag => add(ZERO, ...bags);

export const lineDiscount = (line: Line): Bag => sum(line.allocations.map((allocation) => allocation.amount));
export const lineTax = (line: Line): Bag => sum(line.taxLines.map((tax) => tax.price));

/** Unit price times quantity, before discounts. */
export const lineOriginal = (line: Line): Bag => times(line.unitPrice, line.quantity);
export const lineDiscounted = (line: Line): Bag => subtract(lineOriginal(line), lineDiscount(line));

/** The order's own tax lines: those of every line and shipping line, one per title and rate. */
export function orderTaxes(order: Order): TaxLine[] {
  const sums = new Map<string, TaxLine>();
  for (const tax of [...order.lines, ...order.shippingLines].flatMap((line) => line.taxLines)) {
    const key = JSON.stringify([tax.title, tax.rate]);
    sums.set(key, { ...tax, price: add(sums.get(key)?.price ?? ZERO, tax.price) });
  }
  return [...sums.values()];
}

/** The share of a line that is still in the order, for amounts kept per line. */
const share = (line: Line): number => (line.quantity === 0 ? 0 : line.currentQuantity / line.quantity);

/** Every sum Shopify publishes for an order; `current…` is without what was removed, refunded or cancelled. */
export function totalsOf(order: Order) {
  const shipping = sum(order.shippingLines.map((line) => line.price));
  const shippingTax = sum(order.shippingLines.flatMap((line) => line.taxLines.map((tax) => tax.price)));
  const lineItems = sum(order.lines.map(lineOriginal));
  const discounts = sum(order.lines.map(lineDiscount));
  const tax = add(sum(order.lines.map(lineTax)), shippingTax);
  const subtotal = subtract(lineItems, discounts);
  const shippingRefunded = sum(order.refunds.map((refund) => refund.shipping));
  const currentShipping = order.cancelledAt === null ? subtract(shipping, shippingRefunded) : ZERO;
  const currentDiscounts = sum(order.lines.map((line) => times(lineDiscount(line), share(line))));
  const currentSubtotal = sum(order.lines.map((line) => times(lineDiscounted(line), share(line))));
  const shippingShare = shipping[0] === 0 ? 0 : currentShipping[0] / shipping[0];
  const currentTax = add(
    sum(order.lines.map((line) => times(lineTax(line), share(line)))),
    times(shippingTax, shippingShare),
  );
  const total = add(subtotal, shipping, order.taxesIncluded ? ZERO : tax);
  const currentTotal = add(currentSubtotal, currentShipping, order.taxesIncluded ? ZERO : currentTax);
  const received = sum(paidIn(order).map((transaction) => transaction.amount));
  const refunded = sum(order.transactions.filter(({ kind }) => kind === 'refund').map(({ amount }) => amount));
  const net = subtract(received, refunded);
  const open = subtract(currentTotal, net);
  return {
    lineItems,
    discounts,
    subtotal,
    shipping,
    tax,
    total,
    currentDiscounts,
    currentSubtotal,
    currentShipping,
    currentTax,
    currentTotal,
    received,
    refunded,
    shippingRefunded,
    net,
    outstanding: [Math.max(open[0], 0), Math.max(open[1], 0)] as Bag,
    quantity: order.lines.reduce((count, line) => count + line.quantity, 0),
    currentQuantity: order.lines.reduce((count, line) => count + line.currentQuantity, 0),
    grams: order.lines.reduce((grams, line) => grams + line.grams * line.quantity, 0),
  };
}

export type Totals = ReturnType<typeof totalsOf>;

const paidIn = (order: Order) => order.transactions.filter(({ kind }) => kind === 'sale' || kind === 'capture');

/** A value of OrderDisplayFinancialStatus; its lower case is REST's `financial_status`. */
export function financialStatusOf(order: Order): string {
  const kinds = new Set(order.transactions.map(({ kind }) => kind));
  const { received, refunded, currentTotal, net } = totalsOf(order);
  if (received[0] > 0) {
    if (refunded[0] > 0) return refunded[0] >= received[0] ? 'REFUNDED' : 'PARTIALLY_REFUNDED';
    return net[0] < currentTotal[0] ? 'PARTIALLY_PAID' : 'PAID';
  }
  if (kinds.has('void')) return 'VOIDED';
  if (kinds.has('authorization')) return 'AUTHORIZED';
  return order.cancelledAt === null ? 'PENDING' : 'VOIDED';
}

/** Quantity of a line in fulfilments that were not cancelled. */
export const fulfilledQuantity = (order: Order, lineId: number): number =>
  order.fulfillments
    .filter(({ status }) => status === 'SUCCESS')
    .flatMap(({ lines }) => lines)
    .filter((line) => line.lineId === lineId)
    .reduce((count, line) => count + line.quantity, 0);

/** Quantity of a line that can still be fulfilled. */
export const fulfillableQuantity = (order: Order, lineId: number): number =>
  order.fulfillmentOrders
    .flatMap(({ lines }) => lines)
    .filter((line) => line.lineId === lineId)
    .reduce((count, line) => count + line.remaining, 0);

/** A value of OrderDisplayFulfillmentStatus: the part of it that this shop can reach. */
export function fulfillmentStatusOf(order: Order): 'UNFULFILLED' | 'PARTIALLY_FULFILLED' | 'FULFILLED' {
  const done = order.lines.some((line) => fulfilledQuantity(order, line.id) > 0);
  if (!done) return 'UNFULFILLED';
  return order.lines.some((line) => fulfillableQuantity(order, line.id) > 0) ? 'PARTIALLY_FULFILLED' : 'FULFILLED';
}
