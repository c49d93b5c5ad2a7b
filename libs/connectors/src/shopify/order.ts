import type { RawMessage } from '@syncline/connector-sdk';
import {
  type Fields,
  type Observation,
  type OrderData,
  type RawEnvelope,
  SyncError,
  toInstant,
} from '@syncline/contracts';
import { discounts, line, refund, shippingLine, taxesOf } from './lines.js';
import { isNode, orderFromNode } from './node.js';
import { address, attributes, bag, type Currencies, currency, sum, tags } from './parts.js';
import { observeFulfillment, timesOf } from './shipment.js';
import { financialStatuses, fulfillmentStatuses, look } from './statuses.js';
import { flag, idOf, needId, object, objects, text, texts, type Wire } from './wire.js';

/** Where the order stands as a whole; Shopify calls an archived order closed. */
function statusOf(wire: Wire): OrderData['status'] {
  if (toInstant(wire.cancelled_at) !== null) return 'cancelled';
  return toInstant(wire.closed_at) === null ? 'open' : 'completed';
}

function customer(value: unknown): OrderData['customer'] {
  if (typeof value !== 'object' || value === null) return null;
  const wire = value as Wire;
  const parts = [text(wire.first_name), text(wire.last_name)].filter((part) => part !== null);
  return {
    externalId: idOf(wire),
    name: parts.join(' ') || null,
    email: text(wire.email),
    phone: text(wire.phone),
  };
}

/** What the shipping came to: old API versions give only its lines. */
function shippingTotal(wire: Wire, currencies: Currencies): OrderData['shippingTotal'] | undefined {
  if (wire.total_shipping_price_set !== undefined) return bag(wire.total_shipping_price_set, undefined, currencies);
  if (!Array.isArray(wire.shipping_lines)) return undefined;
  const prices = objects(wire.shipping_lines).map((l) => bag(l.price_set, l.price, currencies));
  return sum(
    prices.filter((p) => p !== null),
    currencies,
  );
}

/**
 * Refunds with what was given back in all. REST does not say in which of two currencies a refund's transactions are, so
 * the amounts of an order with two are left out of both shapes; its lines' amounts carry both.
 */
function refunds(wire: Wire, currencies: Currencies, fields: Fields): void {
  if (!Array.isArray(wire.refunds)) return;
  const list = objects(wire.refunds).map((r) => refund(r, currencies));
  fields.refunds = list;
  const amounts = list.map((r) => r.amount).filter((a) => a !== null);
  const twoCurrencies = currencies.presentment !== null && currencies.presentment !== currencies.shop;
  if (!twoCurrencies && currencies.shop !== null && amounts.length === list.length)
    fields.refundedTotal = sum(amounts, currencies);
}

/** The fields of a plain value: each only where the message has it, since old API versions lack some. */
const plainFields: readonly [field: keyof OrderData, wireName: string, read: (value: unknown) => Fields[string]][] = [
  ['name', 'name', text],
  ['cancelledAt', 'cancelled_at', (v) => toInstant(v)],
  ['cancelReason', 'cancel_reason', text],
  ['closedAt', 'closed_at', (v) => toInstant(v)],
  ['currency', 'currency', currency],
  ['presentmentCurrency', 'presentment_currency', currency],
  ['taxesIncluded', 'taxes_included', flag],
  ['customer', 'customer', customer],
  ['email', 'email', text],
  ['phone', 'phone', text],
  ['billingAddress', 'billing_address', address],
  ['shippingAddress', 'shipping_address', address],
  ['tags', 'tags', tags],
  ['attributes', 'note_attributes', attributes],
  ['note', 'note', text],
  ['channel', 'source_name', text],
  ['locale', 'customer_locale', text],
  ['test', 'test', flag],
];

const sums: readonly [field: keyof OrderData, wireName: string][] = [
  ['subtotal', 'subtotal_price'],
  ['discountTotal', 'total_discounts'],
  ['taxTotal', 'total_tax'],
  ['total', 'total_price'],
];
const setNames = sums.map(([, name]) => `${name}_set`);

function statusFields(wire: Wire, fields: Fields): Observation['native'] {
  const native: Observation['native'] = {};
  fields.status = statusOf(wire);
  if (wire.financial_status !== undefined) {
    const word = text(wire.financial_status)?.toLowerCase() ?? null;
    native.financial_status = word;
    fields.financialStatus = word === null ? null : look(financialStatuses, word);
  }
  if (wire.fulfillment_status !== undefined) {
    const word = text(wire.fulfillment_status)?.toLowerCase() ?? null;
    native.fulfillment_status = word;
    fields.fulfillmentStatus = word === null ? 'unfulfilled' : look(fulfillmentStatuses, word);
  }
  return native;
}

function moneyFields(wire: Wire, currencies: Currencies, fields: Fields): void {
  for (let i = 0; i < sums.length; i += 1) {
    const [field, name] = sums[i] as (typeof sums)[number];
    const set = wire[setNames[i] as string];
    if (set !== undefined || wire[name] !== undefined) fields[field] = bag(set, wire[name], currencies);
  }
  const shipping = shippingTotal(wire, currencies);
  if (shipping !== undefined) fields.shippingTotal = shipping;
}

function listFields(wire: Wire, currencies: Currencies, fields: Fields): void {
  const lines = Array.isArray(wire.line_items)
    ? objects(wire.line_items).map((l, i) => line(l, i, currencies))
    : undefined;
  const delivery = Array.isArray(wire.shipping_lines)
    ? objects(wire.shipping_lines)
        .filter((l) => l.is_removed !== true)
        .map((l) => shippingLine(l, currencies))
    : undefined;
  if (lines !== undefined) fields.lines = lines;
  if (delivery !== undefined) fields.shippingLines = delivery;
  if (lines !== undefined || wire.tax_lines !== undefined)
    fields.taxes = taxesOf([...(lines ?? []), ...(delivery ?? [])], wire.tax_lines, currencies);
  const given = discounts(wire, currencies);
  if (given !== undefined) fields.discounts = given;
  refunds(wire, currencies, fields);
  const gateways = wire.payment_gateway_names ?? (wire.gateway === undefined ? undefined : [wire.gateway]);
  if (gateways !== undefined) fields.paymentMethods = [...new Set(texts(gateways))];
}

function observeOrder(wire: Wire, envelope: RawEnvelope): Observation[] {
  const externalId = needId(wire, 'order');
  const currencies: Currencies = { shop: currency(wire.currency), presentment: currency(wire.presentment_currency) };
  const fields: Fields = {};
  const native = statusFields(wire, fields);
  for (const [field, name, read] of plainFields) if (wire[name] !== undefined) fields[field] = read(wire[name]);
  const placed = toInstant(wire.processed_at) ?? toInstant(wire.created_at);
  if (placed !== null) fields.placedAt = placed;
  moneyFields(wire, currencies, fields);
  listFields(wire, currencies, fields);
  const name = text(wire.name);
  const key = name?.replace(/^#/, '') ?? '';
  const order: Observation = {
    kind: 'order',
    noun: 'order',
    externalId,
    ...timesOf(wire.updated_at ?? wire.created_at, envelope),
    fields,
    native,
    keys: key === '' ? [] : [{ scope: `name:${envelope.connection}`, key }],
    refs: [],
  };
  const parcels = objects(wire.fulfillments).filter((parcel) => idOf(parcel) !== null);
  return [order, ...parcels.map((parcel) => observeFulfillment(parcel, envelope, { id: externalId, name }))];
}

/** orders/delete carries only the id: the time of the event is the version. */
const observeDeletion = (wire: Wire, envelope: RawEnvelope): Observation => ({
  kind: 'order',
  noun: 'order',
  externalId: needId(wire, 'order'),
  version: envelope.occurredAt ?? envelope.receivedAt,
  ...(envelope.occurredAt === null ? {} : { tie: envelope.occurredAt }),
  deleted: true,
  fields: {},
  native: {},
  keys: [],
  refs: [],
});

/**
 * Orders as webhooks (REST's shape), polls and reads (GraphQL nodes) carry them, with the fulfilments inside them. A refund
 * by itself says nothing whole of its order: the orders/updated that comes with it does.
 */
export function orderToCanonical({ envelope, body }: RawMessage): Observation[] {
  const outer = object(body);
  if (Array.isArray(outer.orders)) return objects(outer.orders).flatMap((wire) => observeOrder(wire, envelope));
  const wire = outer.order === undefined ? outer : object(outer.order);
  if (envelope.type === 'orders/delete') return [observeDeletion(wire, envelope)];
  if (isNode(wire)) return observeOrder(orderFromNode(wire), envelope);
  if (outer.refund !== undefined || wire.refund_line_items !== undefined) return [];
  if (Object.keys(wire).length === 0) throw new SyncError('unmappable', 'the message is no order', { path: '' });
  return observeOrder(wire, envelope);
}
