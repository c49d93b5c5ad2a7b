// A shop that sells and a carrier that ships, at a steady pace, from a seed: what goes on while things are killed.
import { control } from '../support/sandbox.js';
import type { System } from '../support/system.js';
import { pause } from './patience.js';

/** Seeded random numbers: the same seed plans the same run. */
export interface Dice {
  /** From 0 up to, not including, 1. */
  roll(): number;
  /** An integer from low to high, both included. */
  int(low: number, high: number): number;
  digits(length: number): string;
  pick<T>(items: readonly T[]): T;
}

/** xorshift32 over a seed that is spread first, since neighbouring seeds start alike. */
export function dice(seed: number): Dice {
  let state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) | 1;
  const roll = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
  const int = (low: number, high: number): number => low + Math.floor(roll() * (high - low + 1));
  return {
    roll,
    int,
    digits: (length) => Array.from({ length }, () => int(0, 9)).join(''),
    pick: (items) => items[int(0, items.length - 1)]!,
  };
}

export interface Trade {
  /** What was done, by name. */
  readonly done: Readonly<Record<string, number>>;
  /** Places an order that the trade leaves alone from then on but for edits; returns its name without #. */
  placeKept(): Promise<string>;
  /** Ends it when what is under way is over. Throws what the sandbox refused and should not have. */
  stop(): Promise<void>;
}

const way = ['pre_transit', 'in_transit', 'out_for_delivery', 'delivered'] as const;

/** How a parcel gets on: the carrier scans it only once somebody tracks it. */
interface Parcel {
  number: string;
  at: number;
}

/** A tracking number no other parcel has. */
export const newNumber = (random: Dice): string => `9400${random.digits(18)}`;

/**
 * Places `perSecond` orders a second, and for every ten of them edits one, sends some with a tracking number, buys labels
 * for some at the carrier, and scans what is tracked. Some orders are cancelled or refunded: those nobody ships.
 */
export function startTrade(system: System, random: Dice, perSecond: number): Trade {
  const done: Record<string, number> = {};
  const parcels: Parcel[] = [];
  const failures: unknown[] = [];
  let running = true;
  let newest = 1001;
  const kept = new Set<number>();
  const act = async (name: string, path: string, body: object, method = 'POST'): Promise<unknown> => {
    const answer = await control(system, method, path, body);
    done[name] = (done[name] ?? 0) + 1;
    return answer;
  };
  /** At a rate, whether or not the one before has ended. */
  const every = async (ms: number, once: () => Promise<unknown>): Promise<void> => {
    const under: Promise<unknown>[] = [];
    const beganMs = Date.now();
    for (let n = 1; running; n++) {
      under.push(once().catch((error: Error) => void (/: (404|422) /.test(error.message) || failures.push(error))));
      await pause(Math.max(0, beganMs + n * ms - Date.now()));
    }
    await Promise.all(under);
  };
  const placeKept = async (): Promise<string> => {
    const { orders } = (await act('placed', '/orders', {})) as { orders: { name: string }[] };
    const name = orders[0]!.name.slice(1);
    newest = Number(name);
    kept.add(newest);
    return name;
  };
  const loads = every(1_000, () => act('seconds of load', '/load', { ratePerSecond: perSecond, orders: perSecond }));
  const ships = every(500, async () => {
    const name = await placeKept();
    await pause(random.int(0, 800));
    if (random.roll() < 0.25) {
      const reference = `#${name}`;
      const bought = (await act('bought', '/shipments', { reference })) as { tracking_code: string };
      parcels.push({ number: bought.tracking_code, at: 0 });
      return;
    }
    const parcel = { number: newNumber(random), at: 0 };
    await act('sent', `/orders/${name}/fulfil`, { trackingNumber: parcel.number, company: 'USPS' });
    parcels.push(parcel);
  });
  const scans = every(150, async () => {
    const parcel = parcels.find((_, i) => i >= parcels.length - 40 && random.roll() < 0.2);
    const status = parcel && way[parcel.at];
    if (!parcel || !status) return;
    parcel.at++;
    await act('scanned', `/trackers/${parcel.number}/scan`, { status }).catch((error) => {
      parcel.at--;
      throw error;
    });
  });
  const edits = every(10_000 / perSecond, async () => {
    const name = Math.max(1001, newest - random.int(0, perSecond * 4));
    const kind = random.roll();
    const edit = kind < 0.4 ? { note: `knock ${random.digits(4)}` } : { tags: ['seen', random.pick(['vip', 'gift'])] };
    if (kind < 0.7) return act('edited', `/orders/${name}`, edit, 'PATCH');
    if (kind < 0.9)
      return act('edited', `/orders/${name}`, { shippingAddress: { city: random.pick(['Bath', 'Ely']) } }, 'PATCH');
    // Only where nobody ships: a label bought for a cancelled order has nothing to fulfil.
    if (kept.has(name)) return undefined;
    const how = kind < 0.95 ? 'cancel' : 'refund';
    return act(how, `/orders/${name}/${how}`, {});
  });
  return {
    done,
    placeKept,
    stop: async () => {
      running = false;
      await Promise.all([loads, ships, scans, edits]);
      if (failures.length > 0) throw new AggregateError(failures, `the sandbox failed: ${failures[0]}`);
    },
  };
}

/** The seed of a run: FAULTS_SEED, or one by the clock. */
export const seedOf = (): number => Number(process.env.FAULTS_SEED ?? Date.now() % 1_000_000);
