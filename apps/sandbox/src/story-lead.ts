// The first order of a run: its whole life in a few seconds.
import type { Carrier } from './carrier/carrier.js';
import type { Tracker, TrackerStatus } from './carrier/model.js';
import { newTrackingCode, scanTracker } from './carrier/tracking.js';
import { createFulfillment } from './shop/fulfillments.js';
import type { Order } from './shop/model.js';
import { payOrder } from './shop/orders.js';
import { placeOrder } from './shop/place.js';
import { allowed, HUBS, openParts, type Parts } from './story-parts.js';

/** The first order and how far it is. */
export interface Lead {
  order: Order;
  done: string[];
  play(): void;
  stop(): void;
  finished(): boolean;
}

const LEAD_PAUSE_MS = 1_500;
const LEAD_RETRY_MS = 200;

/** The first order's whole life, a step every second and a half; a scan waits until the parcel is known to the carrier. */
export function createLead({ shop, carrier, random }: Parts): Lead {
  const order = placeOrder(shop, { payment: 'authorized', tags: ['first'], note: 'The first order of this run' });
  const number = newTrackingCode('USPS', random);
  const done: string[] = ['placed'];
  let timer: NodeJS.Timeout | undefined;
  const scan = (status: TrackerStatus) => (): boolean => {
    const tracker = trackerOf(carrier, number);
    if (tracker) scanTracker(carrier, tracker, status, random.pick(HUBS));
    return tracker !== undefined;
  };
  const always = (act: () => void) => (): boolean => {
    act();
    return true;
  };
  const steps: [name: string, act: () => boolean][] = [
    ['paid', always(() => payOrder(shop, order))],
    ['fulfilled', always(() => void createFulfillment(shop, order, openParts(order), { company: 'USPS', number }))],
    ['in transit', scan('in_transit')],
    ['out for delivery', scan('out_for_delivery')],
    ['delivered', scan('delivered')],
  ];
  const next = (): void => {
    const [name, act] = steps[done.length - 1] ?? [];
    if (!name || !act) return;
    // Somebody else may have cancelled or sent the order meanwhile: its story ends there.
    let went = false;
    if (
      !allowed(() => {
        went = act();
      })
    )
      return;
    if (went) done.push(name);
    timer = setTimeout(next, went ? LEAD_PAUSE_MS : LEAD_RETRY_MS);
  };
  return {
    order,
    done,
    play: () => {
      timer = setTimeout(next, LEAD_PAUSE_MS);
    },
    stop: () => clearTimeout(timer),
    finished: () => done.length > steps.length,
  };
}

const trackerOf = (carrier: Carrier, number: string): Tracker | undefined => {
  for (const tracker of carrier.data.trackers.values()) if (tracker.code === number) return tracker;
  return undefined;
};
