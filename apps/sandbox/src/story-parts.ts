// What both halves of the story need.
import { type Carrier, CarrierError } from './carrier/carrier.js';
import type { Random } from './random.js';
import type { Order } from './shop/model.js';
import { Refused } from './shop/orders.js';
import type { Shop } from './shop/shop.js';

/** What the script acts on. */
export interface Parts {
  shop: Shop;
  carrier: Carrier;
  random: Random;
}

/** Where parcels are scanned on their way. */
export const HUBS = [
  { city: 'WORCESTER', state: 'MA', country: 'US', zip: '01613' },
  { city: 'ALBANY', state: 'NY', country: 'US', zip: '12288' },
  { city: 'CHICAGO', state: 'IL', country: 'US', zip: '60607' },
] as const;

/** All that is open of an order, to be sent. */
export const openParts = (order: Order) =>
  order.fulfillmentOrders
    .filter(({ status }) => status === 'OPEN' || status === 'IN_PROGRESS')
    .map((fulfillmentOrder) => ({ fulfillmentOrder }));

/** Does it; false where the shop or the carrier refuses, which is no reason to stop the script. */
export function allowed(act: () => void): boolean {
  try {
    act();
    return true;
  } catch (error) {
    if (error instanceof Refused || error instanceof CarrierError) return false;
    throw error;
  }
}
