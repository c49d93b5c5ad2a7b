import pg from 'pg';
import { type FulfilmentTruth, type OrderTruth, readTruth, type TrackerTruth, type Truth } from './sandbox.js';
import type { System } from './system.js';

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
const orderMeans: Readonly<Record<string, string>> = {
  UNFULFILLED: 'unfulfilled',
  PARTIALLY_FULFILLED: 'partial',
  FULFILLED: 'fulfilled',
};

// biome-ignore lint/suspicious/noExplicitAny: rows of every shape
type Row = Record<string, any>;

interface Warehouse {
  orders: Map<string, Row[]>;
  lines: Map<string, Row[]>;
  shipments: Map<string, Row[]>;
  events: Map<string, Row[]>;
}

/**
 * Every way in which the warehouse, the shop and the carrier disagree, one sentence each; none = all is in line. The sandbox's
 * truth is read before the warehouse: while changes go on, differences are what is under way.
 */
export async function differences(system: Pick<System, 'local'>): Promise<string[]> {
  const truth = await readTruth(system);
  const rows = await readWarehouse(system.local().warehouseUrl);
  const found: string[] = [];
  for (const order of truth.orders) compareOrder(order, rows, found);
  for (const order of truth.orders)
    for (const fulfilment of order.fulfillments) compareFulfilment(order, fulfilment, truth, rows, found);
  for (const tracker of truth.trackers) compareTracker(tracker, rows, found);
  compareBought(truth, rows, found);
  leftOver(truth, rows, found);
  return found;
}

/** Waits until nothing differs; throws with the differences that are left after `msMax` milliseconds. */
export async function untilEqual(system: Pick<System, 'local'>, msMax: number): Promise<void> {
  const endMs = Date.now() + msMax;
  for (;;) {
    const found = await differences(system);
    if (found.length === 0) return;
    if (Date.now() > endMs) {
      const shown = found.slice(0, 30).join('\n');
      throw new Error(`after ${msMax} ms there are ${found.length} differences:\n${shown}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

async function readWarehouse(url: string): Promise<Warehouse> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const [orders, lines, shipments, events] = [
      (await client.query('SELECT * FROM orders WHERE deleted_at IS NULL')).rows,
      (await client.query('SELECT * FROM order_lines ORDER BY position')).rows,
      (await client.query('SELECT * FROM shipments WHERE deleted_at IS NULL')).rows,
      (await client.query('SELECT * FROM tracking_events ORDER BY seq')).rows,
    ];
    await client.query('COMMIT');
    return {
      orders: grouped(orders, (row) => row.external_refs ?? []),
      lines: grouped(lines, (row) => [row.order_id]),
      shipments: grouped(shipments, (row) => row.external_refs ?? []),
      events: grouped(events, (row) => [row.shipment_id]),
    };
  } finally {
    await client.end();
  }
}

function grouped(rows: Row[], keysOf: (row: Row) => string[]): Map<string, Row[]> {
  const groups = new Map<string, Row[]>();
  for (const row of rows)
    for (const key of keysOf(row)) {
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [row]);
      else group.push(row);
    }
  return groups;
}

const plain = (value: unknown): unknown => {
  if (value instanceof Date) return value.toISOString();
  return value === undefined ? null : value;
};

/** Says where a field is not what it should be. */
function same(found: string[], where: string, expected: Row, is: Row): void {
  for (const [field, value] of Object.entries(expected)) {
    const [want, have] = [JSON.stringify(plain(value)), JSON.stringify(plain(is[field]))];
    if (want !== have) found.push(`${where}: ${field} should be ${want} and is ${have}`);
  }
}

/** A shop's decimal as its two columns: it is written with all the digits its currency has. */
const money = (name: string, decimal: string | null): Row => ({
  [name]: decimal === null ? null : String(Number(decimal)),
  [`${name}_minor`]: decimal === null ? null : String(Number(decimal.replace('.', ''))),
});
const moneyOf = (row: Row, ...names: string[]): Row =>
  Object.fromEntries(
    names.flatMap((name) => [
      [name, row[name] === null ? null : String(Number(row[name]))],
      [`${name}_minor`, row[`${name}_minor`]],
    ]),
  );
const instant = (text: string | null): string | null => (text === null ? null : new Date(text).toISOString());

function one(found: string[], what: string, rows: Row[] | undefined): Row | null {
  if (rows?.length === 1) return rows[0]!;
  found.push(`${what}: ${rows?.length ?? 0} rows in the warehouse`);
  return null;
}

function compareOrder(order: OrderTruth, rows: Warehouse, found: string[]): void {
  const where = `order ${order.name}`;
  const row = one(found, where, rows.orders.get(`shop/${order.id}`));
  if (row === null) return;
  const twoCurrencies = order.presentmentCurrency !== order.currency;
  const { totals, shippingAddress: to } = order;
  same(
    found,
    where,
    {
      name: order.name,
      email: order.email,
      status: order.cancelledAt === null ? 'open' : 'cancelled',
      financial_status: order.financialStatus.toLowerCase(),
      fulfillment_status: orderMeans[order.fulfillmentStatus],
      placed_at: instant(order.createdAt),
      cancelled_at: instant(order.cancelledAt),
      cancel_reason: order.cancelReason?.toLowerCase() ?? null,
      currency: order.currency,
      presentment_currency: order.presentmentCurrency,
      tags: [...new Set(order.tags)].sort(),
      shipping_city: to.city,
      shipping_region: to.provinceCode,
      shipping_postal_code: to.zip,
      shipping_country: to.countryCode,
    },
    row,
  );
  same(
    found,
    where,
    { note: order.note, attributes: order.customAttributes.map(({ key, value }) => ({ name: key, value })) },
    {
      note: row.record.data.note,
      attributes: row.record.data.attributes?.map(({ name, value }: Row) => ({ name, value })),
    },
  );
  same(
    found,
    where,
    {
      ...money('subtotal', totals.subtotal.shop),
      ...money('shipping_total', totals.shipping.shop),
      ...money('tax_total', totals.tax.shop),
      ...money('discount_total', totals.discounts.shop),
      ...money('total', totals.total.shop),
      // The shop's webhooks do not tell in which of two currencies a refund was.
      ...money('refunded_total', twoCurrencies ? null : totals.refunded.shop),
      ...money('presentment_total', twoCurrencies ? totals.total.presentment : null),
    },
    moneyOf(
      row,
      'subtotal',
      'shipping_total',
      'tax_total',
      'discount_total',
      'total',
      'refunded_total',
      'presentment_total',
    ),
  );
  compareLines(order, row, rows, found);
}

function compareLines(order: OrderTruth, row: Row, rows: Warehouse, found: string[]): void {
  const lines = new Map((rows.lines.get(row.id) ?? []).map((line) => [line.line_id, line]));
  if (lines.size !== order.lines.length)
    found.push(`order ${order.name}: ${order.lines.length} lines, ${lines.size} in the warehouse`);
  for (const line of order.lines) {
    const is = lines.get(String(line.id));
    if (is === undefined) {
      found.push(`order ${order.name}: line ${line.id} is missing`);
      continue;
    }
    same(
      found,
      `order ${order.name}, line ${line.sku}`,
      {
        sku: line.sku,
        title: line.title,
        quantity: line.quantity,
        current_quantity: line.currentQuantity,
        currency: order.currency,
        ...money('unit_price', line.unitPrice.shop),
      },
      { ...is, ...moneyOf(is, 'unit_price') },
    );
  }
  const refunds = (row.record.data.refunds ?? []).map((r: Row) => [
    r.refundId,
    r.lines.map((l: Row) => [l.lineId, l.quantity]),
  ]);
  const expected = order.refunds.map((r) => [String(r.id), r.lines.map((l) => [String(l.lineId), l.quantity])]);
  same(found, `order ${order.name}`, { refunds: expected }, { refunds });
}

const fold = (number: string): string => number.replace(/[\s-]/g, '').toUpperCase();

/** The tracker of a fulfilment: a carrier has one for a number. */
const trackersOf = (truth: Truth, number: string | undefined): TrackerTruth[] =>
  number === undefined ? [] : truth.trackers.filter((tracker) => fold(tracker.trackingCode) === fold(number));

function compareFulfilment(
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

function compareTracker(tracker: TrackerTruth, rows: Warehouse, found: string[]): void {
  const where = `tracker ${tracker.trackingCode}`;
  const row = one(found, where, rows.shipments.get(`carrier/${tracker.id}`));
  if (row === null) return;
  same(found, where, { status: carrierMeans[tracker.status], tracking_number: tracker.trackingCode }, row);
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
function compareBought(truth: Truth, rows: Warehouse, found: string[]): void {
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

/** Rows of what is not there any more, and two rows of one thing. */
function leftOver(truth: Truth, rows: Warehouse, found: string[]): void {
  const orders = new Set(truth.orders.map(({ id }) => `shop/${id}`));
  for (const [ref] of rows.orders) if (!orders.has(ref)) found.push(`order ${ref}: is in the warehouse only`);
  const shipments = new Set([
    ...truth.orders.flatMap(({ fulfillments }) => fulfillments.map(({ id }) => `shop/${id}`)),
    ...truth.trackers.map(({ id }) => `carrier/${id}`),
    ...truth.shipments.map(({ id }) => `carrier/${id}`),
  ]);
  for (const [ref] of rows.shipments) if (!shipments.has(ref)) found.push(`shipment ${ref}: is in the warehouse only`);
}
