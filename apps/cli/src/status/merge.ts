import { z } from 'zod';
import type { Local } from '../local.js';

const count = z.number();
const percentiles = z.object({ p50: z.number().nullable(), p99: z.number().nullable() });
const instant = z.union([z.string(), z.number()]).transform((value) => new Date(value).toISOString());
const consumer = z.object({ group: z.string(), topic: z.string(), lagRecords: count, lagSeconds: count.nullable() });

/** A connection's request budget, which its ingestor and its writer share. */
const budget = z.object({
  available: count,
  perSecond: count,
  burst: count,
  learned: z.boolean(),
  pausedMs: count,
  waiting: z.array(z.object({ service: z.string(), priority: z.string(), tokens: count, forMs: count })),
  sharers: count,
});

/** What GET /status of a service may say; each kind of service gives its part. */
export const serviceStatus = z.object({
  connections: z
    .array(
      z
        .object({
          name: z.string(),
          state: z.string(),
          /** Why it is in this state, where it is not the good one. */
          reason: z.string().nullish(),
          accepted: count,
          lastReceivedAt: instant.nullable(),
          budget: budget.nullish(),
          /** Since when an operator has paused it as a source. */
          paused: instant.nullish(),
          /** Reads that have not ended yet. */
          underWay: count.optional(),
          polls: z
            .array(
              z.object({
                noun: z.string(),
                watermark: count.nullable(),
                polledAt: count.nullable(),
                resuming: z.boolean(),
              }),
            )
            .default([]),
        })
        .loose(),
    )
    .default([]),
  changed: z.record(z.string(), count).default({}),
  targets: z
    .array(
      z
        .object({
          name: z.string(),
          state: z.string().optional(),
          reason: z.string().nullish(),
          desired: count,
          delivered: count,
          pending: count,
          dead: count,
          waiting: count.optional(),
          freshnessMs: percentiles,
          budget: budget.nullish(),
          /** Since when an operator has paused it as a target. */
          paused: instant.nullish(),
          /** Until when it asked to be sent nothing. */
          heldUntil: count.nullish(),
          circuit: z.string().optional(),
          /** Deliveries that are being worked on now. */
          underWay: count.optional(),
          /** The connections whose records of each kind the flows take there. */
          takes: z.record(z.string(), z.array(z.string())).optional(),
        })
        .loose(),
    )
    .default([]),
  consumers: z.array(consumer).default([]),
  /** Milliseconds its machine's clock is ahead of the database's. */
  clockSkewMs: count.nullish(),
});
export type ServiceStatus = z.infer<typeof serviceStatus>;

/** Figures are null where the service that knows them does not answer. */
export interface Status {
  connections: {
    name: string;
    provider: string;
    state: string;
    reason: string | null;
    accepted: number | null;
    changed: number | null;
    lastReceivedAt: string | null;
    /** Since when an operator has paused it; null where nobody has, or nobody knows. */
    paused: string | null;
  }[];
  targets: {
    name: string;
    state: string;
    reason: string | null;
    desired: number | null;
    delivered: number | null;
    pending: number | null;
    dead: number | null;
    freshnessMs: { p50: number | null; p99: number | null };
    paused: string | null;
  }[];
  consumers: z.infer<typeof consumer>[];
  /** One for each connection whose budget was used. */
  budgets: ({ connection: string } & z.infer<typeof budget>)[];
  services: {
    name: string;
    state: string;
    pid: number | null;
    url: string | null;
    restarts: number;
    clockSkewMs: number | null;
  }[];
}

/** Puts the services' answers together; a service without an answer shows as down, and what it would tell as unknown. */
export function mergeStatus(local: Local, answers: ReadonlyMap<string, ServiceStatus>): Status {
  const all = [...answers.values()];
  const changed = Object.assign({}, ...all.map((answer) => answer.changed)) as Record<string, number>;
  const transformerAnswers = local.services.some((s) => s.role === 'transformer' && answers.has(s.name));
  const told = new Map(all.flatMap((answer) => answer.connections.map((c) => [c.name, c])));
  const reached = new Map(all.flatMap((answer) => answer.targets.map((t) => [t.name, t])));
  const served = (role: string): string[] =>
    local.services.flatMap((service) => (service.role === role ? service.connections : []));
  return {
    connections: served('ingestor').map((name) => {
      const own = told.get(name);
      return {
        name,
        provider: local.connections[name] ?? '',
        state: own?.state ?? 'down',
        reason: own?.reason ?? null,
        accepted: own?.accepted ?? null,
        changed: transformerAnswers ? (changed[name] ?? 0) : null,
        lastReceivedAt: own?.lastReceivedAt ?? null,
        paused: own?.paused ?? null,
      };
    }),
    targets: served('writer').map((name) => {
      const own = reached.get(name);
      return {
        name,
        state: own ? (own.state ?? 'ready') : 'down',
        reason: own?.reason ?? null,
        desired: own?.desired ?? null,
        delivered: own?.delivered ?? null,
        pending: own?.pending ?? null,
        dead: own?.dead ?? null,
        freshnessMs: own?.freshnessMs ?? { p50: null, p99: null },
        paused: own?.paused ?? null,
      };
    }),
    budgets: budgetsOf(all),
    consumers: all
      .flatMap((answer) => answer.consumers)
      .sort((a, b) => order(a.group, b.group) || order(a.topic, b.topic)),
    services: local.services.map((service) => ({
      name: service.name,
      state: answers.has(service.name) ? service.state : service.state === 'ready' ? 'down' : service.state,
      pid: service.pid,
      url: service.url,
      restarts: service.restarts,
      clockSkewMs: answers.get(service.name)?.clockSkewMs ?? null,
    })),
  };
}

/** A connection may be told of by its ingestor and its writer: both read the same row. */
function budgetsOf(answers: readonly ServiceStatus[]): Status['budgets'] {
  const told = new Map(
    answers.flatMap((a) => [...a.connections, ...a.targets]).map(({ name, budget }) => [name, budget ?? null]),
  );
  return [...told]
    .flatMap(([connection, own]) => (own ? [{ connection, ...own }] : []))
    .sort((a, b) => order(a.connection, b.connection));
}

const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
