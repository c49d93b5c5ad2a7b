// EasyPost's JSON. Sources: https://docs.easypost.com/docs/trackers, .../shipments, .../webhooks, .../events
import type { CarrierEvent, Rate, Scan, Shipment, Tracker, Webhook } from './model.js';

/** Times of objects: whole seconds, UTC. */
export const wireTime = (at: number): string => `${new Date(at).toISOString().slice(0, 19)}Z`;

const wireTimeOrNull = (at: number | null): string | null => (at === null ? null : wireTime(at));

/**
 * JSON as EasyPost's servers write it: weights and lengths always with a point (12 is 12.0). Its clients count on that:
 * they rewrite whole weights before they check a webhook's signature.
 */
export const wireJson = (value: unknown): string =>
  JSON.stringify(value).replace(/"(weight|length|width|height)":(-?\d+)(?=[,}])/g, '"$1":$2.0');

const location = (scan: Pick<Scan, 'city' | 'state' | 'country' | 'zip'>) => ({
  object: 'TrackingLocation',
  city: scan.city,
  state: scan.state,
  country: scan.country,
  zip: scan.zip,
});

const NOWHERE = { city: null, state: null, country: null, zip: null };

const scanWire = (scan: Scan, carrier: string) => ({
  object: 'TrackingDetail',
  message: scan.message,
  description: '',
  status: scan.status,
  status_detail: scan.statusDetail,
  datetime: wireTime(scan.at),
  source: carrier,
  carrier_code: '',
  tracking_location: location(scan),
});

const SERVICES: Readonly<Record<string, string>> = {
  USPS: 'Ground Advantage',
  UPS: 'Ground',
  FedEx: 'FedEx Ground',
  DHLExpress: 'Express Worldwide',
};

/** A Tracker. */
export const trackerWire = (tracker: Tracker) => ({
  id: tracker.id,
  object: 'Tracker',
  mode: 'test',
  tracking_code: tracker.code,
  status: tracker.status,
  status_detail: tracker.statusDetail,
  created_at: wireTime(tracker.createdAt),
  updated_at: wireTime(tracker.updatedAt),
  signed_by: tracker.signedBy,
  weight: tracker.weight,
  est_delivery_date: wireTimeOrNull(tracker.estimatedDeliveryAt),
  shipment_id: tracker.shipmentId,
  carrier: tracker.carrier,
  tracking_details: tracker.scans.map((scan) => scanWire(scan, tracker.carrier)),
  carrier_detail:
    tracker.scans.length === 0
      ? null
      : {
          object: 'CarrierDetail',
          service: SERVICES[tracker.carrier] ?? null,
          container_type: null,
          est_delivery_date_local: null,
          est_delivery_time_local: null,
          origin_location: 'PORTLAND ME, 04101',
          origin_tracking_location: location({ ...NOWHERE, city: 'PORTLAND', state: 'ME', zip: '04101' }),
          destination_location: null,
          destination_tracking_location: null,
          guaranteed_delivery_date: null,
          alternate_identifier: null,
          initial_delivery_attempt: null,
        },
  finalized: ['delivered', 'return_to_sender', 'cancelled', 'failure'].includes(tracker.status),
  is_return: false,
  public_url: `https://track.easypost.com/${Buffer.from(`v1:${tracker.id}`).toString('base64url')}`,
  fees: [],
});

const money = (cents: number): string => (cents / 100).toFixed(2);

const rateWire = (rate: Rate, shipment: Shipment) => ({
  id: rate.id,
  object: 'Rate',
  created_at: wireTime(shipment.createdAt),
  updated_at: wireTime(shipment.createdAt),
  mode: 'test',
  service: rate.service,
  carrier: rate.carrier,
  rate: money(rate.amount),
  currency: 'USD',
  retail_rate: money(Math.round(rate.amount * 1.3)),
  retail_currency: 'USD',
  list_rate: money(Math.round(rate.amount * 1.1)),
  list_currency: 'USD',
  billing_type: 'easypost',
  delivery_days: rate.days,
  delivery_date: null,
  delivery_date_guaranteed: false,
  est_delivery_days: rate.days,
  shipment_id: shipment.id,
  carrier_account_id: `ca_${rate.carrier.toLowerCase()}`,
});

const ADDRESS = {
  name: null,
  company: null,
  street1: null,
  street2: null,
  city: null,
  state: null,
  zip: null,
  country: 'US',
  phone: null,
  email: null,
  carrier_facility: null,
  residential: null,
  federal_tax_id: null,
  state_tax_id: null,
};

const addressWire = (address: Shipment['toAddress'], shipment: Shipment) => ({
  ...ADDRESS,
  ...address,
  object: 'Address',
  created_at: wireTime(shipment.createdAt),
  updated_at: wireTime(shipment.createdAt),
  mode: 'test',
  verifications: {},
});

/** A Shipment, with its tracker where it was bought. */
export function shipmentWire(shipment: Shipment, tracker: Tracker | undefined) {
  const bought = shipment.rates.find(({ id }) => id === shipment.boughtRateId);
  const to = addressWire(shipment.toAddress, shipment);
  const from = addressWire(shipment.fromAddress, shipment);
  const stamps = { created_at: wireTime(shipment.createdAt), updated_at: wireTime(shipment.createdAt), mode: 'test' };
  return {
    id: shipment.id,
    object: 'Shipment',
    created_at: wireTime(shipment.createdAt),
    updated_at: wireTime(shipment.updatedAt),
    is_return: false,
    messages: [],
    mode: 'test',
    options: { currency: 'USD', payment: { type: 'SENDER' }, date_advance: 0, ...shipment.options },
    reference: shipment.reference,
    status: tracker?.status ?? 'unknown',
    tracking_code: tracker?.code ?? null,
    batch_id: null,
    batch_status: null,
    batch_message: null,
    customs_info: null,
    insurance: null,
    order_id: null,
    from_address: from,
    to_address: to,
    buyer_address: to,
    return_address: from,
    parcel: { ...shipment.parcel, object: 'Parcel', predefined_package: null, ...stamps },
    postage_label:
      bought === undefined
        ? null
        : {
            id: shipment.id.replace('shp_', 'pl_'),
            object: 'PostageLabel',
            created_at: wireTime(shipment.boughtAt ?? shipment.updatedAt),
            updated_at: wireTime(shipment.boughtAt ?? shipment.updatedAt),
            date_advance: 0,
            integrated_form: 'none',
            label_date: wireTime(shipment.boughtAt ?? shipment.updatedAt),
            label_resolution: 300,
            label_size: '4x6',
            label_type: 'default',
            label_file_type: 'image/png',
            label_url: `https://easypost-files.example.com/labels/${shipment.id}.png`,
          },
    rates: shipment.rates.map((rate) => rateWire(rate, shipment)),
    refund_status: null,
    scan_form: null,
    selected_rate: bought === undefined ? null : rateWire(bought, shipment),
    tracker: tracker === undefined ? null : trackerWire(tracker),
    usps_zone: 4,
    forms: [],
    fees:
      bought === undefined
        ? []
        : [
            {
              object: 'Fee',
              amount: (bought.amount / 100).toFixed(5),
              charged: true,
              refunded: false,
              type: 'PostageFee',
            },
          ],
  };
}

/** A Webhook; its secret is never shown. */
export const webhookWire = (webhook: Webhook) => ({
  id: webhook.id,
  object: 'Webhook',
  mode: 'test',
  url: webhook.url,
  created_at: wireTime(webhook.createdAt),
  disabled_at: wireTimeOrNull(webhook.disabledAt),
  custom_headers: webhook.customHeaders,
});

/** An Event without its result, as lists show it; millisecond times, as its servers write them. */
export const eventWire = (event: CarrierEvent) => ({
  id: event.id,
  object: 'Event',
  created_at: new Date(event.createdAt).toISOString(),
  updated_at: new Date(event.updatedAt).toISOString(),
  description: event.description,
  mode: 'test',
  previous_attributes: event.previous,
  pending_urls: event.pendingUrls,
  completed_urls: event.completedUrls,
  status: event.status,
  user_id: 'user_5a9db0c0f00d4a11b7e5c0ffee000001',
});

/** An Event's bytes as webhooks carry them: the result is spliced in as it was when it happened. */
export const eventJson = (event: CarrierEvent): string =>
  `${wireJson(eventWire(event)).slice(0, -1)},"result":${event.result}}`;
