import type { OrderData, ShipmentStatus } from '@syncline/contracts';

/** Words of `financial_status` (REST) and OrderDisplayFinancialStatus, in lower case. */
export const financialStatuses: Readonly<Record<string, OrderData['financialStatus']>> = {
  pending: 'pending',
  authorized: 'authorized',
  partially_paid: 'partially_paid',
  paid: 'paid',
  partially_refunded: 'partially_refunded',
  refunded: 'refunded',
  voided: 'voided',
  expired: 'expired',
};

/** Words of `fulfillment_status` (REST); no word means that nothing was fulfilled. */
export const fulfillmentStatuses: Readonly<Record<string, OrderData['fulfillmentStatus']>> = {
  unfulfilled: 'unfulfilled',
  unshipped: 'unfulfilled',
  partial: 'partial',
  shipped: 'fulfilled',
  fulfilled: 'fulfilled',
  restocked: 'restocked',
};

/** Words of `status` of a fulfilment that say more than where the parcel is. */
export const endedStatuses: Readonly<Record<string, ShipmentStatus>> = {
  cancelled: 'cancelled',
  error: 'failed',
  failure: 'failed',
};

/** Words of `status` of a fulfilment whose parcel's own status counts. */
export const runningStatuses: ReadonlySet<string> = new Set(['pending', 'open', 'success']);

/** Words of `shipment_status` (REST), FulfillmentEventStatus and FulfillmentDisplayStatus, in lower case. */
export const shipmentStatuses: Readonly<Record<string, ShipmentStatus>> = {
  label_purchased: 'label_created',
  label_printed: 'label_created',
  label_voided: 'pending',
  confirmed: 'label_created',
  carrier_picked_up: 'in_transit',
  in_transit: 'in_transit',
  delayed: 'in_transit',
  out_for_delivery: 'out_for_delivery',
  attempted_delivery: 'attempted',
  ready_for_pickup: 'ready_for_pickup',
  picked_up: 'delivered',
  delivered: 'delivered',
  not_delivered: 'failed',
  failure: 'failed',
};

/** Words FulfillmentDisplayStatus has for a fulfilment of which no event is known: REST says null then. */
export const eventless: ReadonlySet<string> = new Set(['FULFILLED', 'MARKED_AS_FULFILLED', 'SUBMITTED', 'CANCELED']);

/** The fulfilment event that says a canonical status to a shop; the others cannot be said. */
export const eventOf: Readonly<Partial<Record<ShipmentStatus, string>>> = {
  label_created: 'CONFIRMED',
  in_transit: 'IN_TRANSIT',
  out_for_delivery: 'OUT_FOR_DELIVERY',
  ready_for_pickup: 'READY_FOR_PICKUP',
  attempted: 'ATTEMPTED_DELIVERY',
  delivered: 'DELIVERED',
  failed: 'FAILURE',
  returned: 'FAILURE',
};

/** Looks a word up; `unknown` where the table has no line for it. Object.prototype's names are no lines. */
export const look = <T>(table: Readonly<Record<string, T>>, word: string): T | 'unknown' =>
  Object.hasOwn(table, word) ? (table[word] as T) : 'unknown';
