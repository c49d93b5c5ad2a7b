// What the carrier remembers. Names follow EasyPost's API (https://docs.easypost.com); times are epoch milliseconds.

/** Values of Tracker.status: https://docs.easypost.com/docs/trackers */
export const TRACKER_STATUSES = [
  'unknown',
  'pre_transit',
  'in_transit',
  'out_for_delivery',
  'delivered',
  'available_for_pickup',
  'return_to_sender',
  'failure',
  'cancelled',
  'error',
] as const;

export type TrackerStatus = (typeof TRACKER_STATUSES)[number];

export interface Scan {
  status: TrackerStatus;
  statusDetail: string;
  message: string;
  at: number;
  city: string | null;
  state: string | null;
  country: string | null;
  zip: string | null;
}

export interface Tracker {
  id: string;
  code: string;
  carrier: string;
  status: TrackerStatus;
  statusDetail: string;
  createdAt: number;
  updatedAt: number;
  signedBy: string | null;
  /** Ounces. */
  weight: number | null;
  estimatedDeliveryAt: number | null;
  shipmentId: string | null;
  scans: Scan[];
}

/** An address as it was sent; the carrier keeps it as it is. */
export type WireAddress = Record<string, string | null>;

export interface Rate {
  id: string;
  carrier: string;
  service: string;
  /** Cents. */
  amount: number;
  days: number;
}

export interface Shipment {
  id: string;
  reference: string | null;
  createdAt: number;
  updatedAt: number;
  toAddress: { id: string } & WireAddress;
  fromAddress: { id: string } & WireAddress;
  parcel: { id: string; length: number | null; width: number | null; height: number | null; weight: number };
  options: Record<string, unknown>;
  rates: Rate[];
  /** Set when bought. */
  boughtRateId: string | null;
  trackerId: string | null;
  boughtAt: number | null;
}

export interface Webhook {
  id: string;
  url: string;
  secret: string | null;
  createdAt: number;
  disabledAt: number | null;
  customHeaders: { name: string; value: string }[];
}

export interface CarrierEvent {
  id: string;
  description: string;
  createdAt: number;
  updatedAt: number;
  previous: Record<string, unknown>;
  status: 'completed' | 'pending' | 'in_queue' | 'failed';
  pendingUrls: string[];
  completedUrls: string[];
  /** The object as JSON, frozen when the event happened. */
  result: string;
}

/** Everything the carrier keeps between two starts. */
export interface CarrierData {
  nextId: number;
  trackers: Map<string, Tracker>;
  shipments: Map<string, Shipment>;
  webhooks: Webhook[];
  events: CarrierEvent[];
}

export const emptyCarrierData = (): CarrierData => ({
  nextId: 1,
  trackers: new Map(),
  shipments: new Map(),
  webhooks: [],
  events: [],
});
