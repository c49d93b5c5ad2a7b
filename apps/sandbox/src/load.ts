import { placeOrder } from './shop/place.js';
import type { Shop } from './shop/shop.js';

/** Orders at a steady pace, for measuring. */
export interface Load {
  start(ratePerSecond: number, orders: number): void;
  stop(): void;
  status(): { running: boolean; placed: number; wanted: number };
}

const TICK_MS = 10;

/** A load on the shop; a new one replaces one that runs. */
export function createLoad(shop: Shop): Load {
  let timer: NodeJS.Timeout | undefined;
  let placed = 0;
  let wanted = 0;
  const stop = (): void => {
    clearInterval(timer);
    timer = undefined;
  };
  return {
    start: (ratePerSecond, orders) => {
      stop();
      placed = 0;
      wanted = orders;
      const from = performance.now();
      timer = setInterval(() => {
        // By the clock, not by the tick: a late tick makes up for what it missed.
        const due = Math.min(wanted, Math.floor(((performance.now() - from) / 1000) * ratePerSecond));
        for (; placed < due; placed++) placeOrder(shop);
        if (placed >= wanted) stop();
      }, TICK_MS);
    },
    stop,
    status: () => ({ running: timer !== undefined, placed, wanted }),
  };
}
