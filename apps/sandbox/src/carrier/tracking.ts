// Trackers: made for a code, moved by scans. https://docs.easypost.com/docs/trackers
import type { Random } from '../random.js';
import { type Carrier, CarrierError, happened, newId, nowSecond } from './carrier.js';
import type { Scan, Tracker, TrackerStatus } from './model.js';
import { trackerWire, wireJson } from './wire.js';

const MONTHS_3_MS = 92 * 86_400_000;

/** Test codes and the status each stands for: https://docs.easypost.com/docs/trackers (testing). */
const TEST_STATUS: Readonly<Record<string, TrackerStatus>> = {
  EZ1000000001: 'pre_transit',
  EZ2000000002: 'in_transit',
  EZ3000000003: 'out_for_delivery',
  EZ4000000004: 'delivered',
  EZ5000000005: 'return_to_sender',
  EZ6000000006: 'failure',
  EZ7000000007: 'unknown',
};

const KNOWN_CARRIERS = new Map(
  ['USPS', 'UPS', 'FedEx', 'DHLExpress', 'CanadaPost', 'OnTrac', 'DPD', 'RoyalMail'].map((name) => [
    name.toLowerCase(),
    name,
  ]),
);

/** The carrier a bare tracking code belongs to, or undefined. */
export function detectCarrier(code: string): string | undefined {
  if (/^EZ\d{10}$/.test(code) || /^(9[1-5]\d{18,24}|[A-Z]{2}\d{9}US)$/.test(code)) return 'USPS';
  if (/^1Z[0-9A-Z]{16}$/.test(code)) return 'UPS';
  if (/^\d{10}$/.test(code)) return 'DHLExpress';
  if (/^(\d{12}|\d{15})$/.test(code)) return 'FedEx';
  return undefined;
}

const SCAN_TEXT: Readonly<Record<TrackerStatus, [detail: string, message: string]>> = {
  unknown: ['unknown', 'No information yet'],
  pre_transit: ['label_created', 'Shipping Label Created'],
  in_transit: ['arrived_at_facility', 'Arrived at Facility'],
  out_for_delivery: ['out_for_delivery', 'Out for Delivery'],
  delivered: ['arrived_at_destination', 'Delivered, Front Door'],
  available_for_pickup: ['arrived_at_pickup_location', 'Available for Pickup'],
  return_to_sender: ['return', 'Returned to Sender'],
  failure: ['failed_delivery', 'Delivery Attempt Failed'],
  cancelled: ['cancelled', 'Shipment Cancelled'],
  error: ['error', 'Tracking Error'],
};

const scanOf = (status: TrackerStatus, at: number, more: Partial<Scan> = {}): Scan => {
  const [statusDetail, message] = SCAN_TEXT[status];
  return { status, statusDetail, message, at, city: null, state: null, country: null, zip: null, ...more };
};

/** Makes a tracker, or returns the one made for the same code and carrier in the last three months, as EasyPost does. */
export function createTracker(
  carrier: Carrier,
  code: string,
  wanted: string | undefined,
  shipmentId: string | null = null,
): Tracker {
  const name = wanted === undefined ? detectCarrier(code) : (KNOWN_CARRIERS.get(wanted.toLowerCase()) ?? wanted);
  if (name === undefined) {
    throw new CarrierError(
      422,
      'TRACKER.CREATE.ERROR',
      'The carrier of this tracking code could not be detected; name it in carrier',
    );
  }
  const at = nowSecond();
  for (const known of carrier.data.trackers.values()) {
    if (known.code === code && known.carrier === name && known.createdAt > at - MONTHS_3_MS) return known;
  }
  const status = TEST_STATUS[code] ?? (shipmentId === null ? 'unknown' : 'pre_transit');
  const tracker: Tracker = {
    id: newId(carrier, 'trk'),
    code,
    carrier: name,
    status,
    statusDetail: SCAN_TEXT[status][0],
    createdAt: at,
    updatedAt: at,
    signedBy: null,
    weight: null,
    estimatedDeliveryAt: null,
    shipmentId,
    scans: status === 'unknown' ? [] : [scanOf(status, at)],
  };
  carrier.data.trackers.set(tracker.id, tracker);
  happened(carrier, 'tracker.created', {}, wireJson(trackerWire(tracker)));
  return tracker;
}

/** What a scan says beside its status. */
export interface ScanSpec {
  message?: string | undefined;
  statusDetail?: string | undefined;
  city?: string | undefined;
  state?: string | undefined;
  country?: string | undefined;
  zip?: string | undefined;
  at?: number | undefined;
  estimatedDeliveryAt?: number | undefined;
  signedBy?: string | undefined;
  weight?: number | undefined;
}

/** A parcel is scanned: the tracker moves, and tracker.updated goes out. */
export function scanTracker(carrier: Carrier, tracker: Tracker, status: TrackerStatus, spec: ScanSpec = {}): void {
  const { estimatedDeliveryAt, signedBy, weight, at, ...given } = spec;
  const more = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const scan = scanOf(status, at ?? nowSecond(), more);
  const previous = { status: tracker.status };
  tracker.scans.push(scan);
  tracker.status = status;
  tracker.statusDetail = scan.statusDetail;
  tracker.updatedAt = Math.max(tracker.updatedAt, nowSecond());
  tracker.signedBy = signedBy ?? (status === 'delivered' ? 'FRONT DOOR' : tracker.signedBy);
  tracker.weight = weight ?? tracker.weight;
  tracker.estimatedDeliveryAt =
    estimatedDeliveryAt ?? tracker.estimatedDeliveryAt ?? tracker.updatedAt + 3 * 86_400_000;
  const shipment = carrier.data.shipments.get(tracker.shipmentId ?? '');
  if (shipment) shipment.updatedAt = tracker.updatedAt;
  happened(carrier, 'tracker.updated', previous, wireJson(trackerWire(tracker)));
}

/** A code in the carrier's own form. */
export function newTrackingCode(carrier: string, random: Random): string {
  if (carrier === 'UPS') return `1Z${random.digits(16)}`;
  if (carrier === 'DHLExpress') return `4${random.digits(9)}`;
  if (carrier === 'FedEx') return `7${random.digits(11)}`;
  return `9400${random.digits(18)}`;
}
