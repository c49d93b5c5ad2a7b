// The steady part of the story: out of all that could happen to the open orders, one thing at a time.
import type { Carrier } from './carrier/carrier.js';
import type { Tracker, TrackerStatus } from './carrier/model.js';
import { buyShipment, createShipment } from './carrier/shipments.js';
import { newTrackingCode, scanTracker } from './carrier/tracking.js';
import type { Random } from './random.js';
import { createFulfillment } from './shop/fulfillments.js';
import type { Order } from './shop/model.js';
import { cancelOrder, editOrder, payOrder, refundOrder } from './shop/orders.js';
import { placeOrder } from './shop/place.js';
import type { Shop } from './shop/shop.js';
import { financialStatusOf, fulfillmentStatusOf } from './shop/totals.js';
import { allowed, HUBS, openParts, type Parts } from './story-parts.js';

/** Free text as shops write it, and the carrier's own name for it. */
const COMPANIES = [
  ['USPS', 'USPS'],
  ['UPS', 'UPS'],
  ['DHL Express', 'DHLExpress'],
  ['FedEx', 'FedEx'],
] as const;

/** Orders the script has open at a time: at this many it places no more. */
const OPEN_MAX = 40;
/** An order that got nowhere for so long, say because nobody tracks its parcel, makes room for others. */
const PATIENCE_MS = 60_000;

type Act = readonly [weight: number, name: string, act: () => void];

/** Every fifth buyer sends something back. */
const comesBack = (order: Order): boolean => order.number % 5 === 0;

/** Cancelled, arrived with every parcel, or stuck: the script is done with it. */
export function isOver(parts: Parts, order: Order | undefined): boolean {
  if (!order || order.cancelledAt !== null) return true;
  const parcels = parcelsOf(parts.carrier, order);
  const arrived = parcels.length > 0 && parcels.every(({ status }) => NEXT[status] === undefined);
  const settled = !comesBack(order) || order.refunds.length > 0;
  if (arrived && settled && fulfillmentStatusOf(order) === 'FULFILLED') return true;
  return parts.shop.data.storyOrders.length >= OPEN_MAX && Date.now() - order.updatedAt > PATIENCE_MS;
}

/** Does one thing out of what could happen now, likelier things more often. */
export function trickle(parts: Parts): string {
  const { shop, random } = parts;
  const orders = shop.data.storyOrders.flatMap((id) => shop.data.orders.get(id) ?? []);
  const acts: Act[] = orders.flatMap((order) => actsFor(parts, order));
  if (orders.length < OPEN_MAX) {
    const place = () => void shop.data.storyOrders.push(someOrder(shop, random).id);
    acts.push([orders.length < OPEN_MAX / 2 ? 4 : 1, 'placed', place]);
  }
  const total = acts.reduce((sum, [weight]) => sum + weight, 0);
  let at = random.next() * total;
  const chosen = acts.find(([weight]) => {
    at -= weight;
    return at < 0;
  });
  return chosen && allowed(chosen[2]) ? chosen[1] : 'nothing';
}

const someOrder = (shop: Shop, random: Random): Order =>
  placeOrder(shop, {
    payment: random.next() < 0.6 ? 'paid' : 'authorized',
    ...(random.next() < 0.25 ? { presentmentCurrency: random.pick(['CAD', 'EUR', 'JPY'] as const) } : {}),
    ...(random.next() < 0.2 ? { discountCode: 'WELCOME10' } : {}),
    ...(random.next() < 0.2 ? { customAttributes: [{ key: 'gift message', value: 'Happy birthday!' }] } : {}),
  });

const MIN_AGE_MS = 3_000;

function actsFor(parts: Parts, order: Order): Act[] {
  const { shop, carrier, random } = parts;
  if (order.cancelledAt !== null || Date.now() - order.createdAt < MIN_AGE_MS) return [];
  const bought = [...carrier.data.shipments.values()].some(({ reference }) => reference === order.name);
  const paid = financialStatusOf(order) !== 'AUTHORIZED';
  const packed = order.fulfillments.some(({ status }) => status === 'SUCCESS');
  const scans = scanActs(parts, order);
  if (!paid) {
    return [
      [4, 'paid', () => payOrder(shop, order)],
      [0.3, 'cancelled', () => cancelOrder(shop, order, random.pick(['CUSTOMER', 'INVENTORY', 'FRAUD']), true)],
    ];
  }
  const acts: Act[] = [...scans];
  if (!packed && !bought) {
    acts.push([3, 'shipped', () => ship(parts, order)], [1, 'bought at the carrier', () => buy(parts, order)]);
    acts.push([0.3, 'cancelled', () => cancelOrder(shop, order, 'CUSTOMER', true)]);
    acts.push([0.8, 'edited', () => edit(parts, order)]);
  } else if (packed && fulfillmentStatusOf(order) === 'PARTIALLY_FULFILLED' && !bought) {
    acts.push([3, 'shipped the rest', () => ship(parts, order)]);
  }
  const refundable = order.lines.find((line) => line.currentQuantity > 0);
  if (packed && refundable && comesBack(order) && order.refunds.length === 0) {
    acts.push([
      0.2,
      'refunded',
      () => void refundOrder(shop, order, { lines: [{ id: refundable.id, quantity: 1 }], note: 'Damaged' }),
    ]);
  }
  return acts;
}

/** Packs all of an order, or sometimes only its first line. */
function ship({ shop, random }: Parts, order: Order): void {
  const [company, carrierName] = random.pick(COMPANIES);
  const tracking = { company, number: newTrackingCode(carrierName, random) };
  const parts = openParts(order);
  const first = parts[0]?.fulfillmentOrder.lines.filter(({ remaining }) => remaining > 0) ?? [];
  const some =
    first.length > 1 && random.next() < 0.3 ? [{ id: first[0]!.id, quantity: first[0]!.remaining }] : undefined;
  createFulfillment(shop, order, some ? [{ ...parts[0]!, lines: some }] : parts, tracking);
}

/** Buys the label at the carrier; its reference tells whose parcel it is. */
function buy({ carrier, random }: Parts, order: Order): void {
  const { shippingAddress: to } = order;
  const shipment = createShipment(carrier, {
    reference: order.name,
    toAddress: {
      name: `${to.firstName} ${to.lastName}`,
      street1: to.address1,
      street2: to.address2,
      city: to.city,
      state: to.provinceCode,
      zip: to.zip,
      country: to.countryCode,
    },
    fromAddress: {
      company: 'Syncline Sandbox',
      street1: '5 Old Quay',
      city: 'Portland',
      state: 'ME',
      zip: '04101',
      country: 'US',
    },
    parcel: { length: 12, width: 9, height: 4, weight: random.int(6, 60) },
    options: {},
  });
  buyShipment(carrier, shipment, random.pick(shipment.rates).id);
}

function edit({ shop, random }: Parts, order: Order): void {
  const line = random.pick(order.lines);
  const edits = [
    () =>
      editOrder(shop, order, {
        note: random.pick(['Leave at the side door', 'Call before delivery', 'Gift: no invoice, please']),
      }),
    () => editOrder(shop, order, { tags: [...order.tags, random.pick(['vip', 'gift', 'fragile', 'wholesale'])] }),
    () => editOrder(shop, order, { shippingAddress: { address1: `${random.int(1, 240)} Chapel Hill` } }),
    () => editOrder(shop, order, { lines: [{ id: line.id, quantity: line.currentQuantity + 1 }] }),
  ];
  random.pick(edits)();
}

const NEXT: Readonly<Partial<Record<TrackerStatus, readonly TrackerStatus[]>>> = {
  unknown: ['pre_transit', 'in_transit'],
  pre_transit: ['in_transit'],
  in_transit: ['in_transit', 'out_for_delivery', 'out_for_delivery'],
  out_for_delivery: ['delivered', 'delivered', 'delivered', 'delivered', 'failure'],
};

/** The parcels of an order that the carrier knows: sent by the shop under a number it tracks, or bought at the carrier. */
function parcelsOf({ data }: Carrier, order: Order): Tracker[] {
  const sent = order.fulfillments.filter(({ status }) => status === 'SUCCESS').flatMap(({ numbers }) => numbers);
  const bought = [...data.shipments.values()]
    .filter(({ reference }) => reference === order.name)
    .map(({ trackerId }) => trackerId);
  return [...data.trackers.values()].filter(({ id, code }) => bought.includes(id) || sent.includes(code));
}

/** Each of them can be scanned once more until it has arrived. */
const scanActs = ({ carrier, random }: Parts, order: Order): Act[] =>
  parcelsOf(carrier, order).flatMap((parcel): Act[] => {
    const next = NEXT[parcel.status];
    if (!next) return [];
    return [[4, `scanned ${parcel.code}`, () => scanTracker(carrier, parcel, random.pick(next), random.pick(HUBS))]];
  });
