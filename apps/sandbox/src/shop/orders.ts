// What a person, the API or the script does to an order after it was placed.

import type { Address, Attribute, Line, Metafield, Order, Refund } from './model.js';
import { add, type Bag, bagOf, subtract, times, toMinor, ZERO } from './money.js';
import { type Happening, type LineDelta, nowSecond, type Shop } from './shop.js';
import { financialStatusOf, fulfilledQuantity, lineDiscounted, lineTax, totalsOf } from './totals.js';

/** A change the shop refuses; `field` is the argument it is about, as Shopify's userErrors name it. */
export class Refused extends Error {
  constructor(
    message: string,
    readonly field: readonly string[] | null = null,
  ) {
    super(message);
  }
}

/** What can be edited in place; absent leaves as it is, null clears. */
export interface OrderEdit {
  note?: string | null;
  tags?: string[];
  email?: string;
  phone?: string | null;
  poNumber?: string | null;
  customAttributes?: Attribute[];
  shippingAddress?: Partial<Address>;
  /** New quantities by sku or line id. */
  lines?: { sku?: string | undefined; id?: number | undefined; quantity: number }[];
}

/** Tags as Shopify keeps them: trimmed, once each, in alphabetical order. */
export const sortedTags = (tags: readonly string[]): string[] =>
  [...new Set(tags.map((tag) => tag.trim()).filter(Boolean))].sort((a, b) => a.localeCompare(b));

const findLine = (order: Order, wanted: { sku?: string | undefined; id?: number | undefined }): Line => {
  const line = order.lines.find(({ id, sku }) => (wanted.id === undefined ? sku === wanted.sku : id === wanted.id));
  if (!line) throw new Refused(`Order ${order.name} has no line ${wanted.id ?? wanted.sku}`, ['lines']);
  return line;
};

/** Order editing: more raises quantity and current quantity, less lowers only the current one, as Shopify does. */
function setQuantity(order: Order, line: Line, quantity: number): number {
  const delta = quantity - line.currentQuantity;
  if (quantity < fulfilledQuantity(order, line.id)) {
    throw new Refused(`Quantity ${quantity} of ${line.sku} is less than what was fulfilled`, ['lines']);
  }
  if (delta > 0) {
    const factor = (line.quantity + delta) / line.quantity;
    line.allocations = line.allocations.map((allocation) => ({
      ...allocation,
      amount: times(allocation.amount, factor),
    }));
    line.taxLines = line.taxLines.map((tax) => ({ ...tax, price: times(tax.price, factor) }));
    line.quantity += delta;
  }
  line.currentQuantity = quantity;
  moveRemaining(order, line.id, delta);
  return delta;
}

/** Puts more or less of a line into the order's open fulfilment orders. */
function moveRemaining(order: Order, lineId: number, delta: number): void {
  let left = delta;
  for (const fulfillmentOrder of order.fulfillmentOrders) {
    if (fulfillmentOrder.status === 'CANCELLED') continue;
    for (const line of fulfillmentOrder.lines) {
      if (line.lineId !== lineId || left === 0) continue;
      const step = Math.max(left, -line.remaining);
      line.remaining += step;
      line.total += step;
      left -= step;
    }
    fulfillmentOrder.updatedAt = nowSecond();
    if (fulfillmentOrder.lines.every((line) => line.remaining === 0)) fulfillmentOrder.status = 'CLOSED';
    else if (fulfillmentOrder.status === 'CLOSED') fulfillmentOrder.status = 'OPEN';
  }
}

/** Edits an order; one change, one orders/updated, and orders/edited where lines changed. */
export function editOrder(shop: Shop, order: Order, edit: OrderEdit): void {
  const { tags, lines, shippingAddress, ...plain } = edit;
  const deltas: LineDelta[] = [];
  for (const wanted of lines ?? []) {
    const line = findLine(order, wanted);
    const delta = setQuantity(order, line, wanted.quantity);
    if (delta !== 0) deltas.push({ id: line.id, delta });
  }
  Object.assign(order, plain);
  if (tags) order.tags = sortedTags(tags);
  if (shippingAddress) order.shippingAddress = { ...order.shippingAddress, ...shippingAddress };
  const additions = deltas.filter(({ delta }) => delta > 0);
  const removals = deltas.filter(({ delta }) => delta < 0).map(({ id, delta }) => ({ id, delta: -delta }));
  shop.changed(order, [
    { topic: 'orders/updated' },
    ...(deltas.length > 0 ? [{ topic: 'orders/edited', additions, removals } as const] : []),
  ]);
}

/** Adds and removes tags; says nothing where nothing changed, as Shopify does. */
export function changeTags(shop: Shop, order: Order, add: readonly string[], remove: readonly string[]): void {
  const gone = new Set(remove.map((tag) => tag.trim().toLowerCase()));
  const next = sortedTags([...order.tags, ...add]).filter((tag) => !gone.has(tag.toLowerCase()));
  if (next.join() === order.tags.join()) return;
  editOrder(shop, order, { tags: next });
}

/** Creates or replaces a metafield. */
export function setMetafield(
  shop: Shop,
  order: Order,
  wanted: Pick<Metafield, 'namespace' | 'key' | 'type' | 'value'>,
): Metafield {
  const at = nowSecond();
  let metafield = order.metafields.find(({ namespace, key }) => namespace === wanted.namespace && key === wanted.key);
  if (!metafield) {
    metafield = { id: shop.nextId(), createdAt: at, updatedAt: at, ...wanted };
    order.metafields.push(metafield);
  }
  Object.assign(metafield, wanted, { updatedAt: at });
  shop.changed(order, [{ topic: 'orders/updated' }]);
  return metafield;
}

/** Takes the outstanding amount: captures an authorization, else a sale. */
export function payOrder(shop: Shop, order: Order): void {
  const { outstanding } = totalsOf(order);
  if (order.cancelledAt !== null) throw new Refused(`Order ${order.name} is cancelled`);
  if (outstanding[0] <= 0) throw new Refused(`Order ${order.name} is already paid`);
  const authorization = order.transactions.find(({ kind }) => kind === 'authorization');
  addTransaction(shop, order, authorization ? 'capture' : 'sale', outstanding, authorization?.id ?? null);
  shop.changed(order, [{ topic: 'orders/paid' }, { topic: 'orders/updated' }]);
}

/** Notes a payment that went through; returns its id. */
export function addTransaction(
  shop: Shop,
  order: Order,
  kind: Order['transactions'][number]['kind'],
  amount: Bag,
  parentId: number | null,
): number {
  const id = shop.nextId();
  order.transactions.push({ id, kind, status: 'success', gateway: 'bogus', amount, createdAt: nowSecond(), parentId });
  return id;
}

export interface RefundSpec {
  /** Lines to take back, by sku or id; absent: every line that is left. */
  lines?:
    | { sku?: string | undefined; id?: number | undefined; quantity: number; restock?: boolean | undefined }[]
    | undefined;
  /** Part of the shipping price to give back, like "3.00". */
  shipping?: string | undefined;
  note?: string | undefined;
}

/** Takes lines back and returns what was paid for them. */
export function refundOrder(shop: Shop, order: Order, spec: RefundSpec): Refund {
  if (order.cancelledAt !== null) throw new Refused(`Order ${order.name} is cancelled`);
  const wanted =
    spec.lines ??
    order.lines
      .filter((line) => line.currentQuantity > 0)
      .map(({ id, currentQuantity }) => ({ id, quantity: currentQuantity }));
  const lines = wanted.map((entry) => refundLine(shop, order, entry));
  const shipping =
    spec.shipping === undefined ? ZERO : bagOf(toMinor(spec.shipping, order.currency), order, order.rate);
  const taxes = order.taxesIncluded ? ZERO : add(ZERO, ...lines.map(({ tax }) => tax));
  const due = add(shipping, taxes, ...lines.map(({ subtotal }) => subtotal));
  const { net } = totalsOf(order);
  const amount: Bag = due[0] > net[0] ? net : due;
  const paidBy = order.transactions.find(({ kind }) => kind === 'sale' || kind === 'capture');
  const transactionIds = paidBy && amount[0] > 0 ? [addTransaction(shop, order, 'refund', amount, paidBy.id)] : [];
  const refund: Refund = {
    id: shop.nextId(),
    createdAt: nowSecond(),
    note: spec.note ?? '',
    lines,
    shipping,
    transactionIds,
  };
  order.refunds.push(refund);
  shop.changed(order, [{ topic: 'refunds/create', refund }, { topic: 'orders/updated' }]);
  return refund;
}

function refundLine(
  shop: Shop,
  order: Order,
  wanted: NonNullable<RefundSpec['lines']>[number],
): Refund['lines'][number] {
  const line = findLine(order, wanted);
  if (wanted.quantity > line.currentQuantity) {
    throw new Refused(`Only ${line.currentQuantity} of ${line.sku} are left to refund`, ['lines']);
  }
  const part = wanted.quantity / line.quantity;
  const unfulfilled = line.currentQuantity - fulfilledQuantity(order, line.id);
  const restockType = unfulfilled >= wanted.quantity ? 'CANCEL' : wanted.restock === false ? 'NO_RESTOCK' : 'RETURN';
  line.currentQuantity -= wanted.quantity;
  if (unfulfilled > 0) moveRemaining(order, line.id, -Math.min(unfulfilled, wanted.quantity));
  const subtotal = times(lineDiscounted(line), part);
  return {
    id: shop.nextId(),
    lineId: line.id,
    quantity: wanted.quantity,
    restockType,
    subtotal,
    tax: times(lineTax(line), part),
  };
}

/** Cancels an order that nothing was sent of: closes its fulfilment orders, returns or voids the money. */
export function cancelOrder(shop: Shop, order: Order, reason: string, refund: boolean): void {
  if (order.cancelledAt !== null) throw new Refused('Cannot cancel an order that is already canceled.', ['orderId']);
  if (order.fulfillments.some(({ status }) => status === 'SUCCESS')) {
    throw new Refused('Cannot cancel an order that has fulfillments.', ['orderId']);
  }
  const { net, shipping, shippingRefunded } = totalsOf(order);
  const paidBy = order.transactions.find(({ kind }) => kind === 'sale' || kind === 'capture');
  const happenings: Happening[] = [{ topic: 'orders/cancelled' }, { topic: 'orders/updated' }];
  if (paidBy && refund && net[0] > 0) {
    // Money never goes back without a refund that names what it was for.
    const left = order.lines.filter((line) => line.currentQuantity > 0);
    const back: Refund = {
      id: shop.nextId(),
      createdAt: nowSecond(),
      note: '',
      lines: left.map(({ id, currentQuantity }) => refundLine(shop, order, { id, quantity: currentQuantity })),
      shipping: subtract(shipping, shippingRefunded),
      transactionIds: [addTransaction(shop, order, 'refund', net, paidBy.id)],
    };
    order.refunds.push(back);
    happenings.unshift({ topic: 'refunds/create', refund: back });
  }
  const status = financialStatusOf(order);
  if (status === 'AUTHORIZED')
    addTransaction(shop, order, 'void', subtract(totalsOf(order).total, net), order.transactions[0]!.id);
  for (const line of order.lines) line.currentQuantity = 0;
  for (const fulfillmentOrder of order.fulfillmentOrders) {
    for (const line of fulfillmentOrder.lines) line.remaining = 0;
    fulfillmentOrder.status = 'CANCELLED';
    fulfillmentOrder.updatedAt = nowSecond();
  }
  order.cancelledAt = nowSecond();
  order.cancelReason = reason;
  shop.changed(order, happenings);
}
