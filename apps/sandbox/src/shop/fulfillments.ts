// Fulfilment orders become fulfilments; fulfilment events move their shipment status.
// https://shopify.dev/docs/apps/build/orders-fulfillment/order-management-apps/build-fulfillment-solutions
import type { Fulfillment, FulfillmentEvent, FulfillmentOrder, Order } from './model.js';
import { Refused } from './orders.js';
import { type Happening, nowSecond, type Shop } from './shop.js';
import { fulfillmentStatusOf } from './totals.js';

/** Tracking as callers give it: one or several numbers, and addresses where they know them. */
export interface Tracking {
  company?: string | null | undefined;
  number?: string | null | undefined;
  numbers?: readonly string[] | null | undefined;
  url?: string | null | undefined;
  urls?: readonly string[] | null | undefined;
}

/** What to fulfil of one fulfilment order; no lines means all that remains. */
export interface FulfillmentPart {
  fulfillmentOrder: FulfillmentOrder;
  lines?: readonly { id: number; quantity: number }[] | null | undefined;
}

/** Shopify makes the tracking page's address itself for companies it knows by name. */
const TRACKING_PAGES: Readonly<Record<string, string>> = {
  USPS: 'https://tools.usps.com/go/TrackConfirmAction_input?qtc_tLabels1=',
  UPS: 'https://www.ups.com/WebTracking?loc=en_US&requester=ST&trackNums=',
  FedEx: 'https://www.fedex.com/fedextrack/?trknbr=',
  'DHL Express': 'https://www.dhl.com/us-en/home/tracking.html?submit=1&tracking-id=',
};

function trackingOf(tracking: Tracking | null | undefined): Pick<Fulfillment, 'company' | 'numbers' | 'urls'> {
  const numbers = tracking?.numbers?.length ? [...tracking.numbers] : tracking?.number ? [tracking.number] : [];
  const company = tracking?.company ?? (numbers.length > 0 ? 'Other' : null);
  const page = TRACKING_PAGES[company ?? ''];
  const given = tracking?.urls?.length ? [...tracking.urls] : tracking?.url ? [tracking.url] : [];
  const urls = given.length > 0 || !page ? given : numbers.map((number) => page + encodeURIComponent(number));
  return { company, numbers, urls };
}

/** How much of a fulfilment order's line is among the taken. */
const quantityOf = (taken: Fulfillment['lines'], id: number): number =>
  taken
    .filter(({ fulfillmentOrderLineId }) => fulfillmentOrderLineId === id)
    .reduce((count, { quantity }) => count + quantity, 0);

/** Adds what a part wants to `taken`; of a line there is left what is not taken yet. */
function takeLines(shop: Shop, part: FulfillmentPart, taken: Fulfillment['lines']): void {
  const { fulfillmentOrder } = part;
  if (fulfillmentOrder.status === 'CLOSED' || fulfillmentOrder.status === 'CANCELLED') {
    const status = fulfillmentOrder.status.toLowerCase();
    throw new Refused(`Fulfillment order ${fulfillmentOrder.id} has an unfulfillable status= ${status}.`, [
      'fulfillment',
    ]);
  }
  const wanted = part.lines?.length
    ? part.lines
    : fulfillmentOrder.lines
        .map(({ id, remaining }) => ({ id, quantity: remaining - quantityOf(taken, id) }))
        .filter(({ quantity }) => quantity > 0);
  for (const { id, quantity } of wanted) {
    const line = fulfillmentOrder.lines.find((candidate) => candidate.id === id);
    if (!line) throw new Refused('Fulfillment order line item does not exist.', ['fulfillment']);
    if (quantity < 1 || quantity > line.remaining - quantityOf(taken, id)) {
      throw new Refused('Invalid fulfillment order line item quantity requested.', ['fulfillment']);
    }
    taken.push({
      id: shop.nextId(),
      lineId: line.lineId,
      fulfillmentOrderId: fulfillmentOrder.id,
      fulfillmentOrderLineId: id,
      quantity,
    });
  }
}

const orderTopic = (order: Order): Happening =>
  fulfillmentStatusOf(order) === 'FULFILLED' ? { topic: 'orders/fulfilled' } : { topic: 'orders/partially_fulfilled' };

/** Sends parts of an order; several may name one fulfilment order. All of it is checked before anything changes. */
export function createFulfillment(
  shop: Shop,
  order: Order,
  parts: readonly FulfillmentPart[],
  tracking?: Tracking | null,
): Fulfillment {
  const lines: Fulfillment['lines'] = [];
  for (const part of parts) takeLines(shop, part, lines);
  if (lines.length === 0) throw new Refused('Fulfillment must have at least one line item.', ['fulfillment']);
  const at = nowSecond();
  for (const fulfillmentOrder of new Set(parts.map((part) => part.fulfillmentOrder))) {
    for (const line of fulfillmentOrder.lines) line.remaining -= quantityOf(lines, line.id);
    fulfillmentOrder.updatedAt = at;
    fulfillmentOrder.status = fulfillmentOrder.lines.every(({ remaining }) => remaining === 0)
      ? 'CLOSED'
      : 'IN_PROGRESS';
  }
  const fulfillment: Fulfillment = {
    id: shop.nextId(),
    name: `${order.name}.${order.fulfillments.length + 1}`,
    createdAt: at,
    updatedAt: at,
    status: 'SUCCESS',
    ...trackingOf(tracking),
    lines,
    events: [],
  };
  order.fulfillments.push(fulfillment);
  shop.changed(order, [{ topic: 'fulfillments/create', fulfillment }, orderTopic(order), { topic: 'orders/updated' }]);
  return fulfillment;
}

const touched = (shop: Shop, order: Order, fulfillment: Fulfillment, also: readonly Happening[] = []): void => {
  fulfillment.updatedAt = Math.max(fulfillment.updatedAt, nowSecond());
  shop.changed(order, [...also, { topic: 'fulfillments/update', fulfillment }, { topic: 'orders/updated' }]);
};

/** Replaces a fulfilment's tracking. */
export function updateTracking(shop: Shop, order: Order, fulfillment: Fulfillment, tracking: Tracking): void {
  if (fulfillment.status === 'CANCELLED') throw new Refused('Fulfillment is cancelled.', ['fulfillmentId']);
  Object.assign(fulfillment, trackingOf(tracking));
  touched(shop, order, fulfillment);
}

/** Cancels a fulfilment: what it held waits in a new fulfilment order. */
export function cancelFulfillment(shop: Shop, order: Order, fulfillment: Fulfillment): void {
  if (fulfillment.status === 'CANCELLED') throw new Refused('Fulfillment is already cancelled.', ['id']);
  if (shipmentStatusOf(fulfillment) === 'DELIVERED')
    throw new Refused('Fulfillment is delivered and cannot be cancelled.', ['id']);
  const at = nowSecond();
  fulfillment.status = 'CANCELLED';
  const lines = fulfillment.lines.map(({ lineId, quantity }) => ({
    id: shop.nextId(),
    lineId,
    total: quantity,
    remaining: quantity,
  }));
  order.fulfillmentOrders.push({ id: shop.nextId(), createdAt: at, updatedAt: at, status: 'OPEN', lines });
  touched(shop, order, fulfillment);
}

/** Adds an event; the newest by happenedAt is the fulfilment's shipment status. */
export function addFulfillmentEvent(
  shop: Shop,
  order: Order,
  fulfillment: Fulfillment,
  event: Partial<FulfillmentEvent> & Pick<FulfillmentEvent, 'status'>,
): FulfillmentEvent {
  if (fulfillment.status === 'CANCELLED')
    throw new Refused('Fulfillment is cancelled.', ['fulfillmentEvent', 'fulfillmentId']);
  const at = nowSecond();
  const nothing = { message: null, estimatedDeliveryAt: null, address1: null, city: null, province: null };
  const nowhere = { country: null, zip: null, latitude: null, longitude: null };
  const full: FulfillmentEvent = { ...nothing, ...nowhere, happenedAt: at, ...event, id: shop.nextId(), createdAt: at };
  fulfillment.events.push(full);
  touched(shop, order, fulfillment, [{ topic: 'fulfillment_events/create', fulfillment, event: full }]);
  return full;
}

/** The newest event, or undefined; of several at one time the last that came in. */
const newestEvent = (fulfillment: Fulfillment): FulfillmentEvent | undefined =>
  fulfillment.events.reduce<FulfillmentEvent | undefined>(
    (best, event) => (best && best.happenedAt > event.happenedAt ? best : event),
    undefined,
  );

/** The newest event's status (a FulfillmentEventStatus), or null; its lower case is REST's `shipment_status`. */
export const shipmentStatusOf = (fulfillment: Fulfillment): string | null => newestEvent(fulfillment)?.status ?? null;

/** A value of FulfillmentDisplayStatus. */
export function displayStatusOf(fulfillment: Fulfillment): string {
  if (fulfillment.status === 'CANCELLED') return 'CANCELED';
  return shipmentStatusOf(fulfillment) ?? 'FULFILLED';
}

/** When an event of that status first happened, or null. */
export const firstEventAt = (fulfillment: Fulfillment, status: string): number | null =>
  fulfillment.events.find((event) => event.status === status)?.happenedAt ?? null;
