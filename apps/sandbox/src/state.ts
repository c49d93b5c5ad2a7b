// The sandbox's memory on disk: one JSON file, replaced as a whole, so that a crash leaves the old or the new one.
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { type CarrierData, emptyCarrierData, type Shipment, type Tracker } from './carrier/model.js';
import type { Delivery } from './sender.js';
import type { Order, ShopData } from './shop/model.js';
import { emptyShopData } from './shop/shop.js';

/** Everything that survives a restart. */
export interface State {
  shop: ShopData;
  carrier: CarrierData;
  /** Webhooks still to be delivered. */
  outbox: { shop: Delivery[]; carrier: Delivery[] };
}

const FORMAT = 1;

export const emptyState = (): State => ({
  shop: emptyShopData(),
  carrier: emptyCarrierData(),
  outbox: { shop: [], carrier: [] },
});

/** Reads a state file; a missing one is an empty state, one of another format an error that says what to do. */
export function readState(file: string): State {
  if (!existsSync(file)) return emptyState();
  const saved = JSON.parse(readFileSync(file, 'utf8'));
  if (saved.format !== FORMAT)
    throw new Error(`${file} is not a state of this sandbox (format ${saved.format}); delete it to start afresh`);
  const byId = <T extends { id: K }, K>(items: T[]) => new Map(items.map((item) => [item.id, item]));
  return {
    shop: { ...saved.shop, orders: byId<Order, number>(saved.shop.orders) },
    carrier: {
      ...saved.carrier,
      trackers: byId<Tracker, string>(saved.carrier.trackers),
      shipments: byId<Shipment, string>(saved.carrier.shipments),
    },
    outbox: saved.outbox,
  };
}

/** Writes the state beside the file and puts it in its place. */
export function writeState(file: string, state: State): void {
  const { shop, carrier, outbox } = state;
  const text = JSON.stringify({
    format: FORMAT,
    shop: { ...shop, orders: [...shop.orders.values()] },
    carrier: { ...carrier, trackers: [...carrier.trackers.values()], shipments: [...carrier.shipments.values()] },
    outbox,
  });
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/** Saves at most now and then; `flush` saves at once. */
export interface Saver {
  soon(): void;
  flush(): void;
}

const SAVE_DELAY_MS = 1_000;

/** A saver of what `current` gives, or one that does nothing without a file. */
export function createSaver(file: string | undefined, current: () => State): Saver {
  if (file === undefined) return { soon: () => undefined, flush: () => undefined };
  let timer: NodeJS.Timeout | undefined;
  let tookMs = 0;
  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    const from = performance.now();
    writeState(file, current());
    tookMs = performance.now() - from;
  };
  return {
    // A big state takes long to write: then it is written less often, so that saving never takes more than a tenth of the time.
    soon: () => {
      timer ??= setTimeout(flush, Math.max(SAVE_DELAY_MS, tookMs * 10));
    },
    flush,
  };
}
