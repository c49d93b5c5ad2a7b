import type { RawMessage } from '@syncline/connector-sdk';
import {
  carrierCode,
  type Fields,
  type Observation,
  type RawEnvelope,
  type ShipmentLine,
  type ShipmentStatus,
  SyncError,
  trackingKey,
} from '@syncline/contracts';
import { fulfillmentFromNode, isNode } from './node.js';
import { endedStatuses, look, runningStatuses, shipmentStatuses } from './statuses.js';
import { id, idOf, millis, needId, object, objects, text, texts, type Wire, whole } from './wire.js';

/** Version, tie and read time of a state: the provider's change time, and what orders states of one second. */
export function timesOf(changedAt: unknown, envelope: RawEnvelope): Pick<Observation, 'version' | 'tie' | 'readAt'> {
  const version = millis(changedAt) ?? envelope.occurredAt ?? envelope.receivedAt;
  if (envelope.readAt !== null) return { version, readAt: envelope.readAt };
  return envelope.occurredAt === null ? { version } : { version, tie: envelope.occurredAt };
}

/** The words of a fulfilment about where it is; of an ended one its events say nothing any more. */
function statusOf(wire: Wire): { status: ShipmentStatus; native: Observation['native'] } {
  const word = text(wire.status)?.toLowerCase() ?? null;
  if (word !== null && Object.hasOwn(endedStatuses, word))
    return { status: look(endedStatuses, word), native: { status: word, shipment_status: null } };
  const parcel = text(wire.shipment_status)?.toLowerCase() ?? null;
  const native = { status: word, shipment_status: parcel };
  if (word !== null && !runningStatuses.has(word)) return { status: 'unknown', native };
  return { status: parcel === null ? 'pending' : look(shipmentStatuses, parcel), native };
}

const lineOf = (wire: Wire): ShipmentLine => ({
  lineId: idOf(wire),
  sku: text(wire.sku),
  title: text(wire.title),
  quantity: whole(wire.quantity) ?? 0,
});

/** The order's name: as the order says it, else the first part of the fulfilment's own name (#1042.1). */
function orderNameOf(wire: Wire, orderName: string | null): string | null | undefined {
  if (orderName !== null) return orderName;
  const name = text(wire.name);
  return name === null ? undefined : name.replace(/\.\d+$/, '');
}

/** A fulfilment in REST's shape, alone or inside its order. */
export function observeFulfillment(
  wire: Wire,
  envelope: RawEnvelope,
  order: { id: string; name: string | null } | null = null,
): Observation {
  const numbers = texts(wire.tracking_numbers);
  const trackingNumber = text(wire.tracking_number) ?? numbers[0] ?? null;
  const carrierName = text(wire.tracking_company);
  const carrier = carrierCode(carrierName);
  const { status, native } = statusOf(wire);
  const orderId = order?.id ?? id(wire.order_id);
  const orderName = orderNameOf(wire, order?.name ?? null);
  // A cancelled fulfilment is often made anew with the same number: it must not be taken for the new one.
  const key = status === 'cancelled' ? null : trackingKey(carrier, trackingNumber);
  const fields: Fields = { status, carrier, carrierName, trackingNumber };
  fields.trackingNumbers = numbers.length > 0 || trackingNumber === null ? numbers : [trackingNumber];
  fields.trackingUrl = text(wire.tracking_url) ?? texts(wire.tracking_urls)[0] ?? null;
  if (Array.isArray(wire.line_items)) fields.lines = objects(wire.line_items).map(lineOf);
  if (orderName !== undefined) fields.orderName = orderName;
  return {
    kind: 'shipment',
    noun: 'fulfillment',
    externalId: needId(wire, 'fulfillment'),
    ...timesOf(wire.updated_at ?? wire.created_at, envelope),
    fields,
    native,
    keys: key === null ? [] : [key],
    refs: orderId === null ? [] : [{ field: 'orderId', kind: 'order', externalId: orderId }],
  };
}

/** A fulfilment event: it says where the parcel of its fulfilment is, and nothing else of it. */
function observeEvent(wire: Wire, envelope: RawEnvelope): Observation {
  const fulfillmentId = id(wire.fulfillment_id);
  if (fulfillmentId === null)
    throw new SyncError('unmappable', 'the fulfillment event names no fulfillment', { path: 'fulfillment_id' });
  const word = text(wire.status)?.toLowerCase() ?? null;
  const orderId = id(wire.order_id);
  return {
    kind: 'shipment',
    noun: 'fulfillment',
    externalId: fulfillmentId,
    ...timesOf(wire.updated_at ?? wire.created_at, envelope),
    fields: { status: word === null ? 'unknown' : look(shipmentStatuses, word) },
    native: { shipment_status: word },
    keys: [],
    refs: orderId === null ? [] : [{ field: 'orderId', kind: 'order', externalId: orderId }],
  };
}

/** Fulfilments as webhooks (REST's shape) and reads (GraphQL nodes) carry them. */
export function shipmentToCanonical({ envelope, body }: RawMessage): Observation[] {
  const outer = object(body);
  if (Array.isArray(outer.fulfillments) && outer.id === undefined)
    return objects(outer.fulfillments).map((wire) => observeFulfillment(wire, envelope));
  if (outer.fulfillment_event !== undefined) return [observeEvent(object(outer.fulfillment_event), envelope)];
  const wire = outer.fulfillment === undefined ? outer : object(outer.fulfillment);
  if (isNode(wire)) {
    const order = object(wire.order);
    return [observeFulfillment(fulfillmentFromNode(wire), envelope, orderOfNode(order))];
  }
  if (wire.fulfillment_id !== undefined && wire.happened_at !== undefined) return [observeEvent(wire, envelope)];
  return [observeFulfillment(wire, envelope)];
}

const orderOfNode = (order: Wire): { id: string; name: string | null } | null => {
  const orderId = id(order.id);
  return orderId === null ? null : { id: orderId, name: text(order.name) };
};
