import type { System } from './system.js';

interface Both {
  shop: string;
  presentment: string;
}

/** A fulfilment as the sandbox's shop has it. */
export interface FulfilmentTruth {
  id: number;
  name: string;
  status: string;
  displayStatus: string;
  shipmentStatus: string | null;
  trackingCompany: string | null;
  trackingNumbers: string[];
  lines: { lineId: number; quantity: number }[];
  events: { id: number; status: string; message: string | null; happenedAt: string }[];
}

/** An order as the sandbox's shop has it; amounts are decimals in the currency of their side. */
export interface OrderTruth {
  id: number;
  name: string;
  email: string;
  currency: string;
  presentmentCurrency: string;
  financialStatus: string;
  fulfillmentStatus: string;
  cancelledAt: string | null;
  cancelReason: string | null;
  note: string | null;
  tags: string[];
  customAttributes: { key: string; value: string }[];
  shippingAddress: { city: string; provinceCode: string; zip: string; countryCode: string };
  totals: Record<'subtotal' | 'shipping' | 'tax' | 'discounts' | 'total' | 'currentTotal' | 'refunded', Both>;
  lines: {
    id: number;
    sku: string;
    title: string;
    quantity: number;
    currentQuantity: number;
    fulfillableQuantity: number;
    unitPrice: Both;
  }[];
  refunds: { id: number; note: string; lines: { lineId: number; quantity: number }[] }[];
  fulfillments: FulfilmentTruth[];
  createdAt: string;
  updatedAt: string;
}

/** A tracker as the sandbox's carrier has it. */
export interface TrackerTruth {
  id: string;
  trackingCode: string;
  carrier: string;
  status: string;
  shipmentId: string | null;
  scans: { status: string; message: string; city: string | null; at: string }[];
}

/** The answer of GET /truth. */
export interface Truth {
  orders: OrderTruth[];
  trackers: TrackerTruth[];
  shipments: {
    id: string;
    reference: string | null;
    bought: boolean;
    carrier: string | null;
    trackerId: string | null;
    trackingCode: string | null;
  }[];
}

/** Asks the control API of the system's sandbox: JSON in, JSON out, an error for every status from 400 on. */
export async function control(
  system: Pick<System, 'local'>,
  method: string,
  path: string,
  body?: unknown,
  // biome-ignore lint/suspicious/noExplicitAny: answers of every shape
): Promise<any> {
  const { sandbox } = system.local();
  if (sandbox === null) throw new Error('this system has no sandbox');
  const response = await fetch(sandbox.control + path, {
    method,
    ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(answer)}`);
  return answer;
}

/** The state of shop and carrier as they have it themselves. */
export const readTruth = (system: Pick<System, 'local'>): Promise<Truth> => control(system, 'GET', '/truth');
