import { createHash } from 'node:crypto';
import type { BatchItem } from '@syncline/connector-sdk';
import {
  type CanonicalOrder,
  type CanonicalShipment,
  canonicalOrder,
  canonicalShipment,
  type Money,
  type OrderLine,
} from '@syncline/contracts';

/** A canonical id made from any text. */
export function idOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

const money = (minor: number, currency = 'EUR'): Money => ({ minor, currency });
const bag = (minor: number, currency?: string): { shop: Money; presentment: null } => ({
  shop: money(minor, currency),
  presentment: null,
});

export function line(lineId: string, over: Partial<OrderLine> = {}): OrderLine {
  const rest = {
    productId: null,
    variantId: null,
    variantTitle: null,
    vendor: null,
    requiresShipping: true,
    taxable: true,
  };
  return {
    lineId,
    ...rest,
    sku: `SKU-${lineId}`,
    title: `Thing ${lineId}`,
    quantity: 2,
    currentQuantity: 2,
    unitPrice: bag(1999),
    discount: null,
    taxes: [],
    giftCard: false,
    grams: 500,
    fulfillmentStatus: null,
    attributes: [],
    ...over,
  };
}

const envelope = (id: string, revision: number) => ({
  id,
  revision,
  changedAt: '2026-11-20T10:00:00.000Z',
  provenance: [],
});

export function order(key: string, revision: number, data: CanonicalOrder['data'] = {}): BatchItem {
  const id = idOf(key);
  const native = { financial_status: 'paid', fulfillment_status: null };
  const record = canonicalOrder.parse({
    ...envelope(id, revision),
    kind: 'order',
    sources: [
      { connection: 'shop', noun: 'order', externalId: `ext-${key}`, deleted: false, seen: 1, behind: [], native },
    ],
    data: { name: `#${key}`, status: 'open', total: bag(19900), lines: [line('1'), line('2')], ...data },
  });
  return { id, revision, value: JSON.stringify(record) };
}

export function shipment(key: string, revision: number, data: CanonicalShipment['data'] = {}): BatchItem {
  const id = idOf(key);
  const source = { externalId: `ext-${key}`, deleted: false, seen: 1, behind: [] };
  const record = canonicalShipment.parse({
    ...envelope(id, revision),
    kind: 'shipment',
    sources: [
      { ...source, connection: 'shop', noun: 'fulfillment', native: { shipment_status: 'in_transit' } },
      { ...source, connection: 'carrier', noun: 'tracker', externalId: `trk-${key}`, native: { status: 'in_transit' } },
    ],
    data: { status: 'in_transit', carrier: 'usps', trackingNumber: `EZ${key}`, ...data },
  });
  return { id, revision, value: JSON.stringify(record) };
}

export const deleted = (key: string, revision: number, mergedInto?: string): BatchItem => ({
  id: idOf(key),
  revision,
  value: null,
  ...(mergedInto === undefined ? {} : { mergedInto }),
});
