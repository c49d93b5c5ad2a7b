import type { Local } from '../local.js';
import type { ServiceStatus } from '../status/merge.js';
import { ago, span, table } from '../status/table.js';

/** A connection as `syncline connections` shows it. What the service that knows it does not tell is null. */
export interface ConnectionView {
  name: string;
  provider: string;
  /** null where it is no source. */
  source: {
    state: string;
    reason: string | null;
    lastReceivedAt: string | null;
    paused: string | null;
    /** How long ago everything that had changed by then was read, per kind of object; null before the first whole poll. */
    cursors: { noun: string; ageMs: number | null; polledAt: string | null; resuming: boolean }[];
  } | null;
  /** null where it is no target. */
  target: { state: string; reason: string | null; circuit: string | null; paused: string | null } | null;
  /** What is left of the provider's limits, as the service tells it; null where it does not. */
  budget: unknown;
}

/** Puts together what the services say of each connection. */
export function viewConnections(
  local: Local,
  answers: ReadonlyMap<string, ServiceStatus>,
  nowMs = Date.now(),
): ConnectionView[] {
  const parts = [...answers.values()];
  const serving = (name: string, role: string): boolean =>
    local.services.some((s) => s.role === role && s.connections.includes(name));
  return Object.entries(local.connections).map(([name, provider]) => {
    const source = parts.flatMap((part) => part.connections).find((c) => c.name === name);
    const target = parts.flatMap((part) => part.targets).find((t) => t.name === name);
    const cursors = (source?.polls ?? []).map(({ noun, watermark, polledAt, resuming }) => ({
      noun,
      ageMs: watermark === null ? null : Math.max(0, nowMs - watermark),
      polledAt: polledAt === null ? null : new Date(polledAt).toISOString(),
      resuming,
    }));
    return {
      name,
      provider,
      source: serving(name, 'ingestor')
        ? {
            state: source?.state ?? 'down',
            reason: source?.reason ?? null,
            lastReceivedAt: source?.lastReceivedAt ?? null,
            paused: source?.paused ?? null,
            cursors,
          }
        : null,
      target: serving(name, 'writer')
        ? {
            state: target?.state ?? 'down',
            reason: target?.reason ?? null,
            circuit: target?.circuit ?? null,
            paused: target?.paused ?? null,
          }
        : null,
      budget: source?.budget ?? target?.budget ?? null,
    };
  });
}

/** The connections for people: one row a side. */
export function connectionLines(views: readonly ConnectionView[], nowMs = Date.now()): string[] {
  const rows = views.flatMap(({ name, provider, source, target }) => [
    ...(source
      ? [
          [
            name,
            provider,
            'source',
            source.paused ? 'paused' : source.state,
            ago(source.lastReceivedAt, nowMs),
            source.cursors.map((c) => `${c.noun} ${c.ageMs === null ? 'not yet' : span(c.ageMs)}`).join(', ') || null,
          ],
        ]
      : []),
    ...(target ? [[name, provider, 'target', target.paused ? 'paused' : target.state, null, null]] : []),
  ]);
  const notes = views.flatMap(({ name, source, target, budget }) => [
    ...[source, target].flatMap((side) => (side?.reason ? [`${name}: ${side.reason}`] : [])),
    ...(source?.paused ? [`${name}: paused as a source since ${source.paused}`] : []),
    ...(target?.paused ? [`${name}: paused as a target since ${target.paused}`] : []),
    ...(budget === null ? [] : [`${name}: budget ${JSON.stringify(budget)}`]),
  ]);
  return [
    ...table(['CONNECTION', 'PROVIDER', 'AS', 'STATE', 'LAST RECEIVED', 'READ UP TO'], rows),
    ...(notes.length > 0 ? ['', ...notes] : []),
  ];
}
