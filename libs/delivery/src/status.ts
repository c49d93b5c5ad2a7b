import { type BudgetState, type BudgetView, viewBudget } from '@syncline/connector-sdk';
import { observeLag } from '@syncline/messaging';
import { type ManagementRoute, metrics, type Reading } from '@syncline/runtime';
import {
  countDeliveries,
  type DeadSelection,
  deadCauses,
  deadDeliveries,
  deliveriesOf,
  openDeliveries,
  openStates,
  type Pauses,
  readBudgets,
  type Store,
  type TargetCounts,
} from '@syncline/store';
import type { FreshnessQuantiles } from './freshness.js';
import type { CircuitName } from './gate.js';
import type { RecentDelivery } from './progress.js';
import type { Retried, ServedTarget } from './served.js';

/** How a target is doing, beside what the store counts. */
export interface TargetHealth {
  provider: string;
  freshnessMs: FreshnessQuantiles;
  circuit: CircuitName;
  state: 'ok' | 'throttled' | 'unauthorized' | 'unreachable';
  /** Why it is not ok; null where it is. */
  reason: string | null;
  /** Until when it asked to be sent nothing, milliseconds since the epoch; null where it does not. */
  heldUntil: number | null;
  /** Deliveries that are being worked on now. */
  underWay: number;
  /** The connections whose records of each kind the flows take there. */
  takes: Record<string, string[]>;
  recent(after: number): RecentDelivery[];
}

/** A target in `syncline status`. */
export interface TargetStatus extends Omit<TargetHealth, 'recent'> {
  name: string;
  desired: number;
  delivered: number;
  pending: number;
  dead: number;
  waiting: number;
  /** The connection's request budget, shared with its ingestor; null where it has none or nobody used it yet. */
  budget: BudgetView | null;
  /** Since when an operator has paused it, milliseconds since the epoch; null where nobody has. */
  paused: number | null;
}

const sum = (counts: TargetCounts[], field: 'desired' | 'delivered' | 'pending' | 'dead' | 'waiting') =>
  counts.reduce((total, c) => total + c[field], 0);

/** What GET /status answers: the targets as counted in PostgreSQL, and how far their consumers are behind. */
export async function writerStatus(store: Store, served: readonly ServedTarget[], pauses: Pauses) {
  const names = served.map((t) => t.name);
  const [counts, budgets] = await Promise.all([countDeliveries(store, names), readBudgets<BudgetState>(store, names)]);
  const left = new Map(budgets.map((b) => [b.connection, viewBudget(b.state, b.nowMs)]));
  const targets = served.map((t): TargetStatus => {
    const own = counts.filter((c) => c.target === t.name);
    const { recent: _, ...health } = t.health();
    return {
      name: t.name,
      ...health,
      desired: sum(own, 'desired'),
      delivered: sum(own, 'delivered'),
      pending: sum(own, 'pending'),
      dead: sum(own, 'dead'),
      waiting: sum(own, 'waiting'),
      budget: left.get(t.name) ?? null,
      paused: pauses.since(t.name),
    };
  });
  return { targets, consumers: await consumerLag(served) };
}

/** Lag of every consumer of the service; a broker that does not answer leaves its consumers out. */
async function consumerLag(served: readonly ServedTarget[]) {
  const all = await Promise.allSettled(
    served.map(async (t) => (await t.strategy.lag()).map((lag) => ({ group: t.group, ...lag }))),
  );
  return all.flatMap((one) => (one.status === 'fulfilled' ? one.value : []));
}

const recordsMax = 500;

/** Deliveries of one record, or those that are not done: of one target, in one state. */
async function listDeliveries(store: Store, names: readonly string[], query: Readonly<Record<string, string>>) {
  const { record, target, state, limit } = query;
  if (record !== undefined) return deliveriesOf(store, names, record);
  const targets = target === undefined ? names : names.filter((name) => name === target);
  const states = openStates.filter((one) => state === undefined || one === state);
  return openDeliveries(store, targets, states, Math.min(Number(limit) || recordsMax, recordsMax));
}

/** What the CLI asks of a writer beside its status. */
export function writerRoutes(store: Store, served: readonly ServedTarget[]): ManagementRoute[] {
  const names = served.map((t) => t.name);
  return [
    {
      path: '/deliveries',
      handler: async (_, query) => ({ deliveries: await listDeliveries(store, names, query) }),
    },
    {
      path: '/recent',
      handler: async (_, { after }) => {
        const since = Number(after ?? 0) || 0;
        const recent = served.flatMap((t) => t.health().recent(since)).sort((a, b) => a.at - b.at);
        return { now: Date.now(), recent: recent.slice(-recordsMax) };
      },
    },
    { path: '/dead', handler: async () => ({ dead: await deadDeliveries(store, names, recordsMax) }) },
    {
      path: '/dead/causes',
      handler: async (_, { record, kind, target }) => ({
        causes: await deadCauses(
          store,
          names.filter((name) => target === undefined || name === target),
          selection(record, kind),
        ),
      }),
    },
    {
      method: 'POST',
      path: '/retry',
      handler: async (_, { record, kind, target }) => {
        const chosen = served.filter((t) => target === undefined || t.name === target);
        const done = await Promise.all(chosen.map((t) => t.retry(selection(record, kind))));
        const total = (field: keyof Retried) => done.reduce((n, one) => n + one[field], 0);
        return { retried: total('retried'), superseded: total('superseded'), refused: total('refused') };
      },
    },
  ];
}

const countsMsMax = 5_000;

const selection = (record: string | undefined, kind: string | undefined): DeadSelection => ({
  ...(record === undefined ? {} : { id: record }),
  ...(kind === undefined ? {} : { failureKind: kind }),
});

/** Reports the gauges of a writer at every scrape; returns how to stop. */
export function observeWriter(store: Store, served: readonly ServedTarget[]): () => void {
  let counts: Promise<TargetCounts[]> | undefined;
  let countedAt = 0;
  const counted = () => {
    if (!counts || Date.now() - countedAt > countsMsMax) {
      countedAt = Date.now();
      counts = countDeliveries(
        store,
        served.map((t) => t.name),
      );
    }
    return counts;
  };
  const byCount = (field: 'pending' | 'dead') => async (): Promise<Reading[]> =>
    (await counted()).map((c) => ({ value: c[field], attributes: { target: c.target, kind: c.kind } }));
  const stops = [
    metrics.pending.observe(byCount('pending')),
    metrics.dead.observe(byCount('dead')),
    metrics.circuitOpen.observe(() =>
      served.map((t) => ({ value: t.health().circuit === 'closed' ? 0 : 1, attributes: { target: t.name } })),
    ),
    metrics.unauthorized.observe(() =>
      served.map((t) => ({ value: t.health().state === 'unauthorized' ? 1 : 0, attributes: { connection: t.name } })),
    ),
    observeLag(() => consumerLag(served)),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}
