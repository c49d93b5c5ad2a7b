import type { FulfilmentTruth, OrderTruth, TrackerTruth, Truth } from './sandbox.js';
import { instant, one, plain, type Row, same, type Warehouse } from './truth-rows.js';

// What the words of the two systems mean in the canonical model, written down once more on purpose: a comparison that used
// the connectors' own tables could not find a mistake in them.
const carrierMeans: Readonly<Record<string, string>> = {
  unknown: 'unknown',
  pre_transit: 'label_created',
  in_transit: 'in_transit',
  out_for_delivery: 'out_for_delivery',
  delivered: 'delivered',
  available_for_pickup: 'ready_for_pickup',
  return_to_sender: 'returned',
  failure: 'failed',
  cancelled: 'cancelled',
  error: 'failed',
};
const shopMeans: Readonly<Record<string, string>> = {
  CONFIRMED: 'label_created',
  LABEL_PURCHASED: 'label_created',
  LABEL_PRINTED: 'label_created',
  IN_TRANSIT: 'in_transit',
  OUT_FOR_DELIVERY: 'out_for_delivery',
  READY_FOR_PICKUP: 'ready_for_pickup',
  ATTEMPTED_DELIVERY: 'attempted',
  DELIVERED: 'delivered',
  FAILURE: 'failed',
};
/** The event by which a shop shows what the carrier says; null = it has no word for it. */
const shopShows: Readonly<Record<string, string | null>> = {
  unknown: null,
  pre_transit: 'CONFIRMED',
  in_transit: 'IN_TRANSIT',
  out_for_delivery: 'OUT_FOR_DELIVERY',
  delivered: 'DELIVERED',
  available_for_pickup: 'READY_FOR_PICKUP',
  return_to_sender: 'FAILURE',
  failure: 'FAILURE',
  cancelled: null,
  error: 'FAILURE',
};
const fold = (number: string): string => number.replace(/[\s-]/g, '').toUpperCase();

/** The tracker of a fulfilment: a carrier has one for a number. */
const trackersOf = (truth: Truth, number: string | undefined): TrackerTruth[] =>
  number === undefined ? [] : truth.trackers.filter((tracker) => fold(tracker.trackingCode) === fold(number));

/** A fulfilment of the shop, its row, and the carrier's tracker. */
export function compareFulfilment(
  order: OrderTruth,
  is: FulfilmentTruth,
  truth: Truth,
  rows: Warehouse,
  found: string[],
): void {
  const where = `fulfilment ${is.name}`;
  const row = one(found, where, rows.shipments.get(`shop/${is.id}`));
  const [number] = is.trackingNumbers;
  const alive = is.status !== 'CANCELLED';
  const trackers = trackersOf(truth, number);
  if (alive && number !== undefined && trackers.length !== 1)
    found.push(`${where}: ${trackers.length} trackers at the carrier for ${number}`);
  const [tracker] = alive && trackers.length === 1 ? trackers : [];
  if (tracker !== undefined) {
    const shown = shopShows[tracker.status];
    if (shown !== null && is.shipmentStatus !== shown)
      found.push(`${where}: the carrier says ${tracker.status}, the shop shows ${is.shipmentStatus ?? 'nothing'}`);
  }
  if (row === null) return;
  same(
    found,
    where,
    {
      order_id: rows.orders.get(`shop/${order.id}`)?.[0]?.id ?? null,
      order_name: order.name,
      tracking_number: number ?? null,
      tracking_numbers: is.trackingNumbers,
      lines: is.lines.map((line) => [String(line.lineId), line.quantity]),
    },
    { ...row, lines: row.record.data.lines?.map((line: Row) => [line.lineId, line.quantity]) },
  );
  if (tracker === undefined) {
    const status = alive ? (is.shipmentStatus === null ? 'pending' : shopMeans[is.shipmentStatus]) : 'cancelled';
    same(found, where, { status }, row);
  } else {
    const refs: string[] = row.external_refs;
    if (!refs.includes(`carrier/${tracker.id}`)) found.push(`${where}: its tracker ${tracker.id} is another shipment`);
  }
}

/** A tracker of the carrier and its row. */
export function compareTracker(tracker: TrackerTruth, rows: Warehouse, found: string[]): void {
  const where = `tracker ${tracker.trackingCode}`;
  const row = one(found, where, rows.shipments.get(`carrier/${tracker.id}`));
  if (row === null) return;
  // A tracker that was never scanned says nothing yet: the parcel stays what it was.
  const status = tracker.scans.length === 0 && row.status === 'pending' ? 'pending' : carrierMeans[tracker.status];
  same(found, where, { status, tracking_number: tracker.trackingCode }, row);
  const events = (rows.events.get(row.id) ?? []).map((e) => [
    e.native_status,
    e.status,
    e.message,
    e.city,
    plain(e.at),
  ]);
  const scans = tracker.scans
    .map((s) => [s.status, carrierMeans[s.status], s.message, s.city, instant(s.at)])
    .sort((a, b) => String(a[4]).localeCompare(String(b[4])));
  same(found, where, { events: scans }, { events });
  if (tracker.shipmentId !== null && !row.external_refs.includes(`carrier/${tracker.shipmentId}`))
    found.push(`${where}: its shipment ${tracker.shipmentId} is another row`);
}

/** Labels bought for an order of the shop are fulfilments there: one each. */
export function compareBought(truth: Truth, rows: Warehouse, found: string[]): void {
  for (const shipment of truth.shipments) {
    one(found, `shipment ${shipment.id}`, rows.shipments.get(`carrier/${shipment.id}`));
    const name = shipment.reference?.replace(/^#/, '');
    const order = truth.orders.find((candidate) => candidate.name.replace(/^#/, '') === name);
    if (!shipment.bought || order === undefined) continue;
    const fulfilments = order.fulfillments.filter(
      ({ status, trackingNumbers }) => status !== 'CANCELLED' && trackingNumbers.includes(shipment.trackingCode ?? ''),
    );
    const open = order.cancelledAt === null && order.lines.some((line) => line.fulfillableQuantity > 0);
    if (fulfilments.length > 1 || (fulfilments.length === 0 && open))
      found.push(`shipment ${shipment.id}: ${fulfilments.length} fulfilments in the shop for ${shipment.trackingCode}`);
  }
}
