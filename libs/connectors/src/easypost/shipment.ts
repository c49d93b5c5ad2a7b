import type { RawMessage } from '@syncline/connector-sdk';
import {
  type Address,
  carrierCode,
  type Json,
  type Observation,
  type Place,
  parseMoney,
  type RawEnvelope,
  type ShipmentStatus,
  type TrackingEvent,
  toInstant,
  trackingKey,
} from '@syncline/contracts';
import { carry, gramsOfOunces, idOf, objectsOf, text, timeOf, versionOf, type Wire, wire, wires } from './api.js';

/** EasyPost's tracker statuses (https://docs.easypost.com/docs/trackers) and what they mean. */
export const statuses: Readonly<Record<string, ShipmentStatus>> = {
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

const statusOf = (native: string | null): ShipmentStatus =>
  native !== null && Object.hasOwn(statuses, native) ? (statuses[native] ?? 'unknown') : 'unknown';

/** The canonical form of a raw message: a tracker or shipment as it stands, or in an Event. */
export function toCanonical({ body, envelope }: RawMessage): Observation[] {
  const event = wire(body);
  const tie = wire(event?.result) === null ? undefined : (timeOf(event?.created_at) ?? undefined);
  const context = { envelope, ...(tie === undefined ? {} : { tie }) };
  return objectsOf(body).flatMap(({ noun, object }) =>
    noun === 'tracker' ? [trackerObservation(object, context)] : shipmentObservations(object, context),
  );
}

/** What is known of a message beside the object: its envelope, and the time of the webhook, which orders equal versions. */
export interface MessageContext {
  readonly envelope: RawEnvelope;
  readonly tie?: number;
}

function observed(
  noun: string,
  object: Wire,
  { envelope, tie }: MessageContext,
): Pick<Observation, 'kind' | 'noun' | 'externalId' | 'version' | 'tie' | 'readAt'> {
  return {
    kind: 'shipment',
    noun,
    externalId: idOf(object),
    version: versionOf(object, envelope),
    ...(tie === undefined ? {} : { tie }),
    ...(envelope.readAt === null ? {} : { readAt: envelope.readAt }),
  };
}

const yesNo = (value: unknown): Json => (typeof value === 'boolean' ? value : null);

/** A tracker: EasyPost's authority on where a parcel is. */
export function trackerObservation(tracker: Wire, context: MessageContext): Observation {
  const fields: Record<string, Json> = {};
  const events = eventsOf(tracker.tracking_details);
  numberFields(fields, tracker, text(tracker.carrier));
  carry(fields, tracker, 'public_url', 'trackingUrl', text);
  carry(fields, tracker, 'status', 'status', (value) => statusOf(text(value)));
  if (Array.isArray(tracker.tracking_details)) fields.events = events;
  carry(fields, tracker, 'est_delivery_date', 'estimatedDeliveryAt', toInstant);
  carry(fields, tracker, 'signed_by', 'signedBy', text);
  carry(fields, tracker, 'is_return', 'isReturn', yesNo);
  // null here means that the carrier has told nothing, not that there is none.
  const grams = gramsOfOunces(tracker.weight);
  const service = text(wire(tracker.carrier_detail)?.service);
  const shippedAt = events.find(({ at, status }) => at !== null && moving.has(status))?.at ?? null;
  const deliveredAt = events.findLast(({ at, status }) => at !== null && status === 'delivered')?.at ?? null;
  Object.assign(fields, withoutNulls({ grams, service, shippedAt, deliveredAt }));
  return {
    ...observed('tracker', tracker, context),
    fields,
    native: { status: text(tracker.status), status_detail: text(tracker.status_detail) },
    keys: keysOf(text(tracker.carrier), text(tracker.tracking_code)),
    refs: [],
  };
}

const moving = new Set<ShipmentStatus>([
  'in_transit',
  'out_for_delivery',
  'ready_for_pickup',
  'attempted',
  'delivered',
]);

const withoutNulls = (fields: Record<string, Json>): Record<string, Json> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));

/**
 * A shipment: what the label says. Where the parcel is, its tracker says, which comes along as an observation of its own;
 * a shipment without label is `pending` (a quote), one whose label was given back is `cancelled`.
 */
function shipmentObservations(shipment: Wire, context: MessageContext): Observation[] {
  const tracker = wire(shipment.tracker);
  const rate = wire(shipment.selected_rate);
  const number = text(shipment.tracking_code);
  const carrier = text(rate?.carrier) ?? text(tracker?.carrier);
  const reference = text(shipment.reference);
  const order = reference?.replace(/^#+\s*/, '') ?? '';
  const fields: Record<string, Json> = {};
  numberFields(fields, shipment, carrier);
  statusField(fields, shipment, number, tracker);
  carry(fields, shipment, 'reference', 'orderName', text);
  carry(fields, shipment, 'from_address', 'origin', addressOf);
  carry(fields, shipment, 'to_address', 'destination', addressOf);
  carry(fields, shipment, 'parcel', 'grams', (parcel) => gramsOfOunces(wire(parcel)?.weight));
  carry(fields, shipment, 'is_return', 'isReturn', yesNo);
  carry(fields, shipment, 'postage_label', 'labelUrl', labelOf);
  carry(fields, shipment, 'selected_rate', 'cost', () => costOf(rate));
  const service = text(rate?.service);
  if (service !== null) fields.service = service;
  const own: Observation = {
    ...observed('shipment', shipment, context),
    fields,
    native: { status: text(shipment.status), refund_status: text(shipment.refund_status) },
    keys: keysOf(carrier, number),
    refs: order === '' ? [] : [{ field: 'orderId', kind: 'order', name: order }],
  };
  const hasTracker = tracker !== null && text(tracker.id) !== null;
  return hasTracker ? [own, trackerObservation(tracker, context)] : [own];
}

function statusField(fields: Record<string, Json>, shipment: Wire, number: string | null, tracker: Wire | null): void {
  const refund = text(shipment.refund_status);
  if (refund === 'submitted' || refund === 'refunded') fields.status = 'cancelled';
  else if (number === null)
    carry(fields, shipment, 'status', 'status', (value) =>
      value === 'unknown' || value === null ? 'pending' : statusOf(text(value)),
    );
  else if (tracker === null) carry(fields, shipment, 'status', 'status', (value) => statusOf(text(value)));
}

/** Number and carrier; a carrier the alias table does not know is carried by name only. */
function numberFields(fields: Record<string, Json>, object: Wire, carrier: string | null): void {
  carry(fields, object, 'tracking_code', 'trackingNumber', text);
  carry(fields, object, 'tracking_code', 'trackingNumbers', (value) => [text(value)].filter((one) => one !== null));
  if (carrier !== null) Object.assign(fields, { carrier: carrierCode(carrier), carrierName: carrier });
}

const keysOf = (carrier: string | null, number: string | null): Observation['keys'] => {
  const key = trackingKey(carrierCode(carrier), number);
  return key === null ? [] : [key];
};

/** Oldest first, as EasyPost lists them; turned round where the times say that it did not. */
function eventsOf(details: unknown): TrackingEvent[] {
  let last = Number.NEGATIVE_INFINITY;
  return wires(details)
    .map((detail) => {
      const native = text(detail.status);
      const at = toInstant(detail.datetime);
      // An event without time stays behind the one it was listed after.
      last = at === null ? last : Date.parse(at);
      const message = text(detail.message) ?? text(detail.description);
      const event: TrackingEvent = {
        at,
        status: statusOf(native),
        native,
        message,
        place: placeOf(detail.tracking_location),
      };
      return { event, order: last };
    })
    .sort((a, b) => (a.order === b.order ? 0 : a.order - b.order))
    .map(({ event }) => event);
}

function placeOf(value: unknown): Place | null {
  const location = wire(value);
  const place = {
    city: text(location?.city),
    region: text(location?.state),
    postalCode: text(location?.zip),
    country: text(location?.country),
  };
  return Object.values(place).some((part) => part !== null) ? place : null;
}

function addressOf(value: unknown): Address | null {
  const address = wire(value);
  if (address === null) return null;
  const country = text(address.country);
  const isCode = country !== null && /^[A-Za-z]{2}$/.test(country);
  return {
    name: text(address.name),
    company: text(address.company),
    lines: [text(address.street1), text(address.street2)].filter((line) => line !== null),
    city: text(address.city),
    region: text(address.state),
    postalCode: text(address.zip),
    country: isCode ? country.toUpperCase() : null,
    countryName: isCode ? null : country,
    phone: text(address.phone),
    email: text(address.email),
  };
}

const labelOf = (value: unknown): Json => text(wire(value)?.label_url) ?? text(wire(value)?.label_pdf_url);

function costOf(rate: Wire | null): Json {
  const currency = text(rate?.currency)?.toUpperCase() ?? '';
  const amount = text(rate?.rate);
  return amount !== null && /^[A-Z]{3}$/.test(currency) ? parseMoney(amount, currency) : null;
}
