import { expect } from '@jest/globals';
import pg from 'pg';
import { control, type FulfilmentTruth, type OrderTruth, readTruth, type TrackerTruth } from './sandbox.js';
import { createSteps, type Steps } from './steps.js';
import type { System } from './system.js';
import { differences } from './truth.js';

/** The story of shop, carrier and warehouse on one system, and how quick each part of it has to be. */
export interface Story {
  readonly system: System;
  readonly steps: Steps;
  /** Milliseconds from a change to its effect. */
  readonly allowedMs: number;
  /** Milliseconds from a label to its fulfilment: the carrier's event only names the shipment, which is read then. */
  readonly allowedLabelMs: number;
  ask(method: string, path: string, body?: unknown): ReturnType<typeof control>;
  order(name: string): Promise<OrderTruth>;
  tracker(code: string): Promise<TrackerTruth | undefined>;
  // biome-ignore lint/suspicious/noExplicitAny: rows of every shape
  rows(sql: string, ...values: unknown[]): Promise<any[]>;
  /** True when shop, carrier and warehouse agree in every field. */
  agree(): Promise<boolean>;
  end(): Promise<void>;
}

/** Opens the story's book. */
export function openStory(system: System, allowedMs: number, allowedLabelMs: number): Story {
  const pool = new pg.Pool({ connectionString: system.local().warehouseUrl, max: 2 });
  const ask: Story['ask'] = (method, path, body) => control(system, method, path, body);
  return {
    system,
    steps: createSteps(async () => (await differences(system)).join('\n')),
    allowedMs,
    allowedLabelMs,
    ask,
    order: (name) => ask('GET', `/orders/${bare(name)}`),
    tracker: async (code) => {
      const found = (await readTruth(system)).trackers.filter(({ trackingCode }) => trackingCode === code);
      expect(found.length).toBeLessThanOrEqual(1);
      return found[0];
    },
    rows: async (sql, ...values) => (await pool.query(sql, values)).rows,
    agree: async () => (await differences(system)).length === 0,
    end: () => pool.end(),
  };
}

const bare = (name: string): string => name.replace('#', '');

/** Places an order and sees it in the warehouse. */
export function place(story: Story, what: string, body: object = {}): Promise<OrderTruth> {
  return story.steps.step(
    `${what} → warehouse`,
    story.allowedMs,
    async () => (await story.ask('POST', '/orders', body)).orders[0] as OrderTruth,
    async ({ name }) =>
      (await story.rows('SELECT 1 FROM orders WHERE name = $1', name)).length === 1 && (await story.agree()),
  );
}

/** Sends an order's goods and sees the carrier's tracker. */
export async function send(story: Story, name: string, parcel: { trackingNumber: string; company: string }) {
  await story.steps.step(
    `${name} sent by ${parcel.company} → carrier`,
    story.allowedMs,
    () => story.ask('POST', `/orders/${bare(name)}/fulfil`, parcel),
    async () => (await story.tracker(parcel.trackingNumber)) !== undefined,
  );
  await story.steps.step(`${name} sent → warehouse`, story.allowedMs, async () => undefined, story.agree);
}

/** Scans a parcel and sees it in the shop and in the warehouse. */
export async function scan(story: Story, name: string, code: string, scanned: { status: string; city?: string }) {
  const shown = shownAs[scanned.status]!;
  const before = await parcel(story, name, code);
  await story.steps.step(
    `${name} ${scanned.status} → shop`,
    story.allowedMs,
    () => story.ask('POST', `/trackers/${code}/scan`, scanned),
    async () => (await parcel(story, name, code)).displayStatus === shown,
  );
  await story.steps.step(`${name} ${scanned.status} → warehouse`, story.allowedMs, async () => undefined, story.agree);
  const after = await parcel(story, name, code);
  expect(after.events.length - before.events.length).toBe(1);
  const [row] = await story.rows(
    'SELECT s.status, (SELECT count(*)::int FROM tracking_events WHERE shipment_id = s.id) AS events FROM shipments s WHERE tracking_number = $1 AND deleted_at IS NULL',
    code,
  );
  expect(row).toEqual({ status: storedAs[scanned.status], events: (await story.tracker(code))!.scans.length });
}

const shownAs: Readonly<Record<string, string>> = {
  in_transit: 'IN_TRANSIT',
  out_for_delivery: 'OUT_FOR_DELIVERY',
  delivered: 'DELIVERED',
  failure: 'FAILURE',
};
const storedAs: Readonly<Record<string, string>> = {
  in_transit: 'in_transit',
  out_for_delivery: 'out_for_delivery',
  delivered: 'delivered',
  failure: 'failed',
};

async function parcel(story: Story, name: string, code: string): Promise<FulfilmentTruth> {
  const found = (await story.order(name)).fulfillments.filter(({ trackingNumbers }) => trackingNumbers.includes(code));
  expect(found).toHaveLength(1);
  return found[0]!;
}

/** What the chapters make Syncline write, each change once: labels of the carrier say CONFIRMED as well, and tell the shop of a carrier it did not know. */
export const effectsOfTheStory: Readonly<Record<string, number>> = {
  'carrier tracker.created': 3,
  'shop fulfillment.created': 2,
  'shop fulfillment.event': 10,
  'shop fulfillment.tracking': 1,
};

/** The chapters, each on orders of its own. */
export const chapters: readonly (readonly [what: string, tell: (story: Story) => Promise<void>])[] = [
  ['an order’s life reaches the warehouse', ordersLife],
  ['a parcel of the shop is followed by the carrier, and its way shows in the shop', parcelOfTheShop],
  ['a failed delivery shows in the shop', failedDelivery],
  ['a label bought at the carrier becomes a fulfilment in the shop', labelOfTheCarrier],
  ['a shipment may be known before its order', shipmentBeforeOrder],
  ['a carrier nobody knows gives no identity, and what was made for it is one with it', unknownCarrier],
];

const hooks = { sku: 'HOOK-BR-S', title: 'Brass hook', quantity: 3, price: '9.50' };
const apron = { sku: 'APRON-IND', title: 'Linen apron', quantity: 1, price: '48.00' };

async function ordersLife(story: Story): Promise<void> {
  const { steps, allowedMs, ask, agree } = story;
  const { name } = await place(story, 'placed, unpaid', { payment: 'pending', lines: [hooks, apron] });
  const change = (what: string, method: string, path: string, body?: object) =>
    steps.step(`${what} → warehouse`, allowedMs, () => ask(method, `/orders/${bare(name)}${path}`, body), agree);
  await change('edited', 'PATCH', '', {
    note: 'Ring twice',
    tags: ['vip', 'gift'],
    lines: [{ sku: hooks.sku, quantity: 2 }],
    shippingAddress: { city: 'Leeds', zip: 'LS1 4DY' },
    customAttributes: [{ key: 'gate', value: '7' }],
  });
  await change('cleared', 'PATCH', '', { note: null, tags: [] });
  await change('paid', 'POST', '/pay');
  await change('part refunded', 'POST', '/refund', { lines: [{ sku: hooks.sku, quantity: 1 }], shipping: '1.00' });
  const [row] = await story.rows('SELECT *, total::text AS total FROM orders WHERE name = $1', name);
  expect(row).toMatchObject({ financial_status: 'partially_refunded', shipping_city: 'Leeds', tags: [] });
  expect(Number(row.refunded_total_minor)).toBeGreaterThan(0);

  const other = await place(story, 'placed in two currencies', { presentmentCurrency: 'JPY', discountPercent: 10 });
  await steps.step(
    'cancelled → warehouse',
    allowedMs,
    () => ask('POST', `/orders/${bare(other.name)}/cancel`, { reason: 'CUSTOMER', refund: true }),
    agree,
  );
  const [cancelled] = await story.rows('SELECT * FROM orders WHERE name = $1', other.name);
  expect(cancelled).toMatchObject({ status: 'cancelled', cancel_reason: 'customer', presentment_currency: 'JPY' });
}

async function parcelOfTheShop(story: Story): Promise<void> {
  const code = '9400111899223197428490';
  const { name } = await place(story, 'placed');
  await send(story, name, { trackingNumber: code, company: 'USPS' });
  expect(await story.tracker(code)).toMatchObject({ carrier: 'USPS' });
  await scan(story, name, code, { status: 'in_transit', city: 'Omaha' });
  await scan(story, name, code, { status: 'out_for_delivery', city: 'Duluth' });
  await scan(story, name, code, { status: 'delivered', city: 'Duluth' });
}

async function failedDelivery(story: Story): Promise<void> {
  const code = '1Z999AA10123456784';
  const { name } = await place(story, 'placed');
  await send(story, name, { trackingNumber: code, company: 'UPS' });
  await scan(story, name, code, { status: 'in_transit' });
  await scan(story, name, code, { status: 'failure' });
}

/** Buys a label and sees the one fulfilment it becomes. */
async function buy(story: Story, reference: string): Promise<string> {
  const bought = await story.steps.step(
    `label bought for ${reference} → shop`,
    story.allowedLabelMs,
    () => story.ask('POST', '/shipments', { reference, carrier: 'USPS' }),
    async ({ tracking_code: code }) => (await numbersOf(story, reference)).includes(code),
  );
  await story.steps.step(`label for ${reference} → warehouse`, story.allowedMs, async () => undefined, story.agree);
  return bought.tracking_code;
}

const numbersOf = async (story: Story, name: string): Promise<string[]> =>
  (await story.order(name)).fulfillments.flatMap(({ trackingNumbers }) => trackingNumbers);

async function labelOfTheCarrier(story: Story): Promise<void> {
  const { name } = await place(story, 'placed');
  const code = await buy(story, name);
  expect(await numbersOf(story, name)).toEqual([code]);
  await scan(story, name, code, { status: 'in_transit' });
  await scan(story, name, code, { status: 'delivered' });
  expect(await numbersOf(story, name)).toEqual([code]);
}

async function shipmentBeforeOrder(story: Story): Promise<void> {
  const { steps, allowedMs, ask, rows } = story;
  const last = await place(story, 'placed');
  const name = `#${Number(bare(last.name)) + 1}`;
  const bought = await steps.step(
    `label bought for ${name}, not placed yet → warehouse`,
    story.allowedLabelMs,
    () => ask('POST', '/shipments', { reference: name, carrier: 'USPS' }),
    async ({ tracking_code: code }) =>
      (await rows('SELECT 1 FROM shipments WHERE tracking_number = $1 AND order_name = $2', code, name)).length === 1,
  );
  const order = await steps.step(
    `${name} placed → fulfilment of the earlier label`,
    story.allowedLabelMs,
    async () => (await ask('POST', '/orders')).orders[0] as OrderTruth,
    async () => (await numbersOf(story, name)).includes(bought.tracking_code),
  );
  expect(order.name).toBe(name);
  await steps.step(`${name} → warehouse`, allowedMs, async () => undefined, story.agree);
  const joined = await rows(
    'SELECT o.name FROM shipments s JOIN orders o ON o.id = s.order_id WHERE s.tracking_number = $1',
    bought.tracking_code,
  );
  expect(joined).toEqual([{ name }]);
}

async function unknownCarrier(story: Story): Promise<void> {
  const code = '1Z999AA10198765432';
  const { name } = await place(story, 'placed');
  await send(story, name, { trackingNumber: code, company: 'Nanna’s bicycle couriers' });
  const sent = await story.rows(
    'SELECT carrier_name, external_refs FROM shipments WHERE tracking_number = $1 AND deleted_at IS NULL',
    code,
  );
  const [fulfilment] = (await story.order(name)).fulfillments;
  const tracker = await story.tracker(code);
  expect(sent).toHaveLength(1);
  expect([...sent[0].external_refs].sort()).toEqual([`carrier/${tracker!.id}`, `shop/${fulfilment!.id}`]);
  await scan(story, name, code, { status: 'in_transit' });
}
