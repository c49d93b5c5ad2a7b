import type { ConnectionContext, Held, ObjectTarget, WriteInput } from '@syncline/connector-sdk';
import {
  type CanonicalRecord,
  type CanonicalShipment,
  carrierCode,
  carrierTitle,
  foldTrackingNumber,
  type Json,
  type ShipmentStatus,
  SyncError,
} from '@syncline/contracts';
import { ask, change, gid } from './api.js';
import { operations } from './documents.js';
import { heldOf } from './held.js';
import { readFulfillment } from './poll.js';
import { shipmentToCanonical } from './shipment.js';
import { eventOf } from './statuses.js';
import { millis, object, objects, text, type Wire } from './wire.js';
import { workFor } from './work.js';

const dataOf = (record: CanonicalRecord): CanonicalShipment['data'] => (record as CanonicalShipment).data;

function applies(record: CanonicalRecord): true | string {
  const data = dataOf(record);
  if (data.isReturn === true) return 'is a return, which is no fulfilment';
  if (!data.orderId) return 'belongs to no known order';
  if (!data.trackingNumber) return 'has no tracking number';
  return data.status === 'cancelled' ? 'was cancelled' : true;
}

/** The form a shop keeps: a carrier under the name shops show, a status as the event that says it reads back. */
function normalise(field: string, value: Json): Json | undefined {
  if (field === 'status') {
    if (value === 'returned') return 'failed';
    return Object.hasOwn(eventOf, String(value)) ? value : undefined;
  }
  if (typeof value !== 'string') return value === null ? undefined : value;
  if (field === 'carrier') return carrierTitle(value) === null ? undefined : value;
  if (field === 'carrierName') return carrierTitle(carrierCode(value) ?? '') ?? value;
  if (field === 'trackingNumber' || field === 'trackingUrl') return value.trim();
  return value;
}

const read = (context: ConnectionContext, externalId: string): Promise<Held | null> =>
  readFulfillment(context, externalId).then((found) => heldOf(context, found, shipmentToCanonical));

async function mustRead(context: ConnectionContext, externalId: string): Promise<Held> {
  const held = await read(context, externalId);
  if (held === null) throw new SyncError('conflict', 'the fulfilment is not in the shop any more');
  return held;
}

/** The fulfilment of the order that carries the record's tracking number and was not cancelled. */
async function find(context: ConnectionContext, input: WriteInput): Promise<Held | null> {
  const number = dataOf(input.record).trackingNumber;
  const orderId = input.links.orderId;
  if (!number || orderId === undefined) return null;
  const reply = await ask(context, operations.parcels, { id: gid('Order', orderId) });
  const wanted = foldTrackingNumber(number);
  const parcel = objects(object(reply.json.data.order).fulfillments).find(
    (p) =>
      p.status !== 'CANCELLED' &&
      objects(p.trackingInfo).some((t) => foldTrackingNumber(text(t.number) ?? '') === wanted),
  );
  return parcel === undefined ? null : read(context, idIn(parcel));
}

const idIn = (node: Wire): string => String(node.id).slice(String(node.id).lastIndexOf('/') + 1);

/** The company as shops write it; undefined where the record names no carrier. */
function companyOf(data: CanonicalShipment['data']): string | undefined {
  return carrierTitle(data.carrier ?? carrierCode(data.carrierName) ?? '') ?? data.carrierName ?? undefined;
}

async function create(context: ConnectionContext, input: WriteInput): Promise<Held> {
  const data = dataOf(input.record);
  const orderId = input.links.orderId;
  if (orderId === undefined)
    throw new SyncError('defect', 'a fulfilment is created without its order', { path: 'orderId' });
  const payload = await change(context, operations.createFulfillment, 'fulfillmentCreate', {
    fulfillment: {
      lineItemsByFulfillmentOrder: await workFor(context, orderId, data.lines ?? []),
      notifyCustomer: false,
      trackingInfo: {
        number: data.trackingNumber?.trim(),
        company: companyOf(data),
        ...(data.trackingUrl ? { url: data.trackingUrl } : {}),
      },
    },
  });
  const externalId = idIn(object(payload.fulfillment));
  try {
    await sayStatus(context, externalId, input);
    return await mustRead(context, externalId);
  } catch (error) {
    // The fulfilment is there: whatever failed after it, the next attempt must look for it before it makes another.
    const { kind, message, retryAfterMs } =
      error instanceof SyncError ? error : new SyncError('defect', 'unexpected failure');
    throw new SyncError(kind, message, { retryAfterMs, outcomeUnknown: true, cause: error });
  }
}

/** The newest tracking event of the record that has its status: its time, words and place. */
function eventFor(data: CanonicalShipment['data'], status: ShipmentStatus) {
  return [...(data.events ?? [])].reverse().find((e) => e.status === status && e.at !== null) ?? null;
}

/**
 * Says the record's status by a fulfilment event. Shopify shows the newest event by the time it happened, so an event is
 * never dated before the one the shop shows now.
 */
async function sayStatus(context: ConnectionContext, externalId: string, input: WriteInput): Promise<void> {
  const status = input.fields.status as ShipmentStatus | undefined;
  const word = status === undefined ? undefined : eventOf[status];
  if (status === undefined || word === undefined) return;
  const data = dataOf(input.record);
  const event = eventFor(data, status);
  const id = gid('Fulfillment', externalId);
  const reply = await ask(context, operations.newestEvent, { id });
  const [shown] = objects(object(object(reply.json.data.fulfillment).events).nodes);
  const happenedAt = Math.max(
    event?.at ? Date.parse(event.at) : Date.parse(input.record.changedAt),
    millis(shown?.happenedAt) ?? 0,
  );
  await change(context, operations.createEvent, 'fulfillmentEventCreate', {
    event: {
      fulfillmentId: id,
      status: word,
      happenedAt: new Date(happenedAt).toISOString(),
      ...(event?.message ? { message: event.message } : {}),
      ...(event?.place?.city ? { city: event.place.city } : {}),
      ...(event?.place?.region ? { province: event.place.region } : {}),
      ...(event?.place?.country ? { country: event.place.country } : {}),
      ...(event?.place?.postalCode ? { zip: event.place.postalCode } : {}),
      ...(data.estimatedDeliveryAt ? { estimatedDeliveryAt: data.estimatedDeliveryAt } : {}),
    },
  });
}

/** A fulfilment's tracking is replaced as a whole: what is not written is sent as it stands, its address only with its number. */
async function writeTracking(context: ConnectionContext, held: Held, input: WriteInput): Promise<void> {
  const { trackingNumber, carrier, carrierName } = input.fields;
  if (trackingNumber === undefined && carrier === undefined && carrierName === undefined) return;
  const now = held.observation.fields;
  const present = Array.isArray(now.trackingNumbers) ? now.trackingNumbers.map(String) : [];
  const number = typeof trackingNumber === 'string' ? trackingNumber.trim() : present[0];
  const company =
    carrier === undefined && carrierName === undefined ? now.carrierName : companyOf(dataOf(input.record));
  await change(context, operations.updateTracking, 'fulfillmentTrackingInfoUpdate', {
    id: gid('Fulfillment', held.externalId),
    tracking: {
      ...(number === undefined ? {} : { numbers: [number, ...present.slice(1)] }),
      ...(typeof company === 'string' ? { company } : {}),
      ...(trackingNumber === undefined && typeof now.trackingUrl === 'string' ? { urls: [now.trackingUrl] } : {}),
    },
  });
}

async function update(context: ConnectionContext, held: Held, input: WriteInput): Promise<Held> {
  if (held.observation.fields.status === 'cancelled')
    throw new SyncError('rejected', 'the fulfilment is cancelled in the shop');
  await writeTracking(context, held, input);
  await sayStatus(context, held.externalId, input);
  return mustRead(context, held.externalId);
}

/** Shipments as a shop holds them: fulfilments of its orders. */
export const shipmentTarget: ObjectTarget = {
  shape: 'objects',
  noun: 'fulfillment',
  updates: ['status', 'trackingNumber', 'carrier', 'carrierName'],
  creates: ['status', 'trackingNumber', 'carrier', 'carrierName', 'trackingUrl', 'lines'],
  needs: ['orderId'],
  applies,
  normalise,
  read,
  find,
  create,
  update,
  remove: async (context, externalId) => {
    await change(context, operations.cancelFulfillment, 'fulfillmentCancel', { id: gid('Fulfillment', externalId) });
  },
};
