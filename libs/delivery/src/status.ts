import { observeLag } from '@syncline/messaging';
import { type ManagementRoute, metrics, type Reading } from '@syncline/runtime';
import {
  countDeliveries,
  type DeadSelection,
  deadCauses,
  deadDeliveries,
  deliveriesOf,
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
}

const sum = (counts: TargetCounts[], field: 'desired' | 'delivered' | 'pending' | 'dead' | 'waiting') =>
  counts.reduce((total, c) => total + c[field], 0);

/** What GET /status answers: the targets as counted in PostgreSQL, and how far their consumers are behind. */
export async function writerStatus(store: Store, served: readonly ServedTarget[]) {
  const counts = await countDeliveries(
    store,
    served.map((t) => t.name),
  );
  const targets = served.map((t): TargetStatus => {
    const own = counts.filter((c) => c.target === t.name);
    const { provider, freshnessMs, circuit, state, reason } = t.health();
    return {
      name: t.name,
      provider,
      desired: sum(own, 'desired'),
      delivered: sum(own, 'delivered'),
      pending: sum(own, 'pending'),
      dead: sum(own, 'dead'),
      waiting: sum(own, 'waiting'),
      freshnessMs,
      circuit,
      state,
      reason,
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

/** What the CLI asks of a writer beside its status. */
export function writerRoutes(store: Store, served: readonly ServedTarget[]): ManagementRoute[] {
  const names = served.map((t) => t.name);
  return [
    {
      path: '/deliveries',
      handler: async (_, { record }) => ({
        deliveries: record === undefined ? [] : await deliveriesOf(store, names, record),
      }),
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
    observeLag(() => consumerLag(served)),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}
