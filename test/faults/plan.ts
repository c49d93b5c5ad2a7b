// What a run does, drawn from its seed before anything happens: the same seed gives the same plan.
import { type Dice, dice } from './trade.js';

/** What people and the carrier do to one order, in its turn. `order` counts from 0 within the run. */
export type Change = { atMs: number; order: number } & (
  | { do: 'place' }
  | { do: 'note'; note: string }
  | { do: 'city'; city: string }
  | { do: 'tags'; tags: string[] }
  | { do: 'cancel' | 'refund' }
  | { do: 'fulfil'; number: string }
  /** A label bought at the carrier, which gives the number. */
  | { do: 'buy' }
  | { do: 'scan'; status: string }
);

export const services = [
  'ingestor-shopify',
  'ingestor-easypost',
  'transformer',
  'writer-postgres',
  'writer-easypost',
  'writer-shopify',
] as const;
export type ServiceOf = (typeof services)[number];

/** What a proxy stands before. The warehouse is a target; PostgreSQL is where all services keep their state. */
export const linked = ['kafka', 'postgres', 'warehouse'] as const;
/** How a connection is disturbed. `held`: requests under way stay in the network and arrive when it heals. */
export const linkFaults = ['latency', 'answers lost', 'requests lost', 'reset', 'held'] as const;
export const providerFaults = ['slow', '5xx', '429', 'hang', 'reset', 'lost-reply', 'garbage', 'throttled'] as const;
export const retryAfterForms = ['seconds', 'decimal', 'date', 'none'] as const;

/** How webhooks are disturbed: shares from 0 to 1, times in milliseconds. */
export interface WebhookTrouble {
  /** Whose; default: both. */
  target?: 'shop' | 'carrier';
  off?: boolean;
  drop?: number;
  duplicate?: number;
  reorderMs?: number;
  delayMs?: number;
}

/** One thing that goes wrong. `ms` is how long. */
export type Fault = { atMs: number } & (
  | { do: 'kill' | 'stop'; victim: ServiceOf }
  | { do: 'pause'; victim: ServiceOf; ms: number }
  | { do: 'broker-kill'; broker: number; awayMs: number }
  | { do: 'broker-pause'; broker: number; ms: number }
  | { do: 'postgres-kill'; awayMs: number }
  | { do: 'link'; to: (typeof linked)[number]; how: (typeof linkFaults)[number]; ms: number; latencyMs: number }
  | {
      do: 'provider';
      target: 'shop' | 'carrier';
      mode: (typeof providerFaults)[number];
      rate: number;
      ms: number;
      match?: string;
      retryAfter?: (typeof retryAfterForms)[number];
      /** How long `slow` answers take. */
      delayMs?: number;
    }
  | { do: 'webhooks'; trouble: WebhookTrouble; ms: number }
  /** A second transformer comes and goes so many times, every `everyMs`. */
  | { do: 'rebalance'; times: number; everyMs: number }
  | { do: 'poison'; count: number }
  /** Every access token of the shop is refused from now on. */
  | { do: 'tokens' }
);

/** A run before it happens. */
export interface Plan {
  seed: number;
  brokers: 1 | 3;
  /** How long changes are made. */
  ms: number;
  changes: Change[];
  faults: Fault[];
}

/** How a plan is drawn. */
export interface PlanOptions {
  seed: number;
  brokers: 1 | 3;
  /** Default 15 s. */
  ms?: number;
  ordersPerSecond?: number;
}

/** Draws the plan of a seed. */
export function drawPlan({ seed, brokers, ms = 15_000, ordersPerSecond = 8 }: PlanOptions): Plan {
  const orders = Math.round((ms / 1000) * ordersPerSecond);
  const changes = drawChanges(dice(seed), seed, orders, ms);
  const faults = drawFaults(dice(seed ^ 0x5bd1e995), brokers, ms);
  return { seed, brokers, ms, changes, faults };
}

const way = ['pre_transit', 'in_transit', 'out_for_delivery', 'delivered'] as const;

/** The changes of so many orders, each with a life of its own, in the order of their moments. */
export function drawChanges(random: Dice, seed: number, orders: number, ms: number): Change[] {
  const changes: Change[] = [];
  for (let order = 0; order < orders; order++) {
    const bornMs = Math.round((order / orders) * ms * 0.8);
    let atMs = bornMs;
    const later = (): number => {
      atMs = Math.min(ms, atMs + random.int(50, Math.max(60, Math.round(ms / 5))));
      return atMs;
    };
    changes.push({ atMs, order, do: 'place' });
    for (let edits = random.int(0, 3); edits > 0; edits--) changes.push(drawEdit(random, later(), order));
    const life = random.roll();
    if (life < 0.35) {
      const parcel: Change =
        life < 0.1
          ? { atMs: later(), order, do: 'buy' }
          : {
              atMs: later(),
              order,
              do: 'fulfil',
              number: `9400${String(seed % 1_000_000).padStart(6, '0')}${String(order).padStart(5, '0')}${random.digits(7)}`,
            };
      changes.push(parcel);
      for (const status of way.slice(0, random.int(0, way.length)))
        changes.push({ atMs: later(), order, do: 'scan', status });
    } else if (life < 0.5) changes.push({ atMs: later(), order, do: random.pick(['cancel', 'refund'] as const) });
  }
  return changes.sort((a, b) => a.atMs - b.atMs || a.order - b.order);
}

function drawEdit(random: Dice, atMs: number, order: number): Change {
  const kind = random.roll();
  if (kind < 0.4) return { atMs, order, do: 'note', note: `knock ${random.digits(4)}` };
  if (kind < 0.7) return { atMs, order, do: 'tags', tags: ['seen', random.pick(['vip', 'gift', 'fragile'])] };
  return { atMs, order, do: 'city', city: random.pick(['Bath', 'Ely', 'Wells', 'Truro']) };
}

/** Three to six faults; of those that take the whole system with them, one at most: each run must be over it in time. */
function drawFaults(random: Dice, brokers: 1 | 3, ms: number): Fault[] {
  const count = random.int(3, 6);
  const faults: Fault[] = [];
  const heavyAt = random.roll() < 0.7 ? random.int(0, count - 1) : -1;
  for (let i = 0; i < count; i++) {
    const atMs = Math.round(ms * (0.1 + (0.75 * (i + random.roll())) / count));
    faults.push({ atMs, ...(i === heavyAt ? drawHeavy(random, brokers) : drawLight(random)) } as Fault);
  }
  return faults;
}

type Without<T> = T extends unknown ? Omit<T, 'atMs'> : never;

function drawHeavy(random: Dice, brokers: 1 | 3): Without<Fault> {
  const broker = random.int(1, brokers);
  const what = random.int(0, 7);
  if (what <= 1) return { do: 'broker-kill', broker, awayMs: random.int(0, 8_000) };
  if (what === 2) return { do: 'broker-pause', broker, ms: random.int(3_000, 12_000) };
  if (what === 3) return { do: 'postgres-kill', awayMs: random.pick([0, 5_000]) };
  const how = random.pick(linkFaults);
  const to = what === 4 ? 'postgres' : what === 5 ? 'warehouse' : 'kafka';
  return { do: 'link', to, how, ms: random.int(2_000, 6_000), latencyMs: random.int(30, 250) };
}

function drawLight(random: Dice): Without<Fault> {
  const what = random.int(0, 13);
  if (what <= 4) return { do: 'kill', victim: random.pick(services) };
  if (what === 5) return { do: 'stop', victim: random.pick(services) };
  if (what === 6) return { do: 'pause', victim: random.pick(services), ms: random.int(2_000, 9_000) };
  if (what <= 9) {
    const mode = random.pick(providerFaults);
    const target = mode === 'throttled' ? 'shop' : random.pick(['shop', 'carrier'] as const);
    const form = random.pick(retryAfterForms);
    const rate = random.pick([0.3, 0.6, 1]);
    return { do: 'provider', target, mode, rate, ms: random.int(1_500, 5_000), retryAfter: form };
  }
  if (what <= 11) return { do: 'webhooks', trouble: drawTrouble(random), ms: random.int(2_000, 6_000) };
  if (what === 12) return { do: 'poison', count: random.int(1, 4) };
  return random.roll() < 0.6 ? { do: 'rebalance', times: random.int(1, 2), everyMs: 3_000 } : { do: 'tokens' };
}

function drawTrouble(random: Dice): WebhookTrouble {
  const troubles: WebhookTrouble[] = [
    { duplicate: 0.7, reorderMs: 1_500 },
    { reorderMs: 3_000 },
    { delayMs: 2_500, duplicate: 0.3 },
    { drop: 0.5 },
    { off: true },
  ];
  return random.pick(troubles);
}

/** A plan in a few lines for people; equal for equal seeds. */
export function planText(plan: Plan): string {
  const kinds = new Map<string, number>();
  for (const change of plan.changes) kinds.set(change.do, (kinds.get(change.do) ?? 0) + 1);
  const changes = [...kinds].map(([kind, n]) => `${n} ${kind}`).join(', ');
  const faults = plan.faults.map((fault) => `  ${(fault.atMs / 1000).toFixed(1).padStart(5)} s  ${faultText(fault)}`);
  const brokers = plan.brokers === 1 ? '1 broker' : `${plan.brokers} brokers`;
  return [`seed ${plan.seed}, ${brokers}: ${changes}`, ...faults].join('\n');
}

/** One fault in words. */
export function faultText({ atMs: _, do: what, ...rest }: Fault): string {
  const details = Object.entries(rest).map(([name, value]) =>
    typeof value === 'object' ? JSON.stringify(value) : `${name} ${value}`,
  );
  return [what, ...details].join(' ');
}
