import { z } from 'zod';
import { Failure } from '../failure.js';
import type { Local } from '../local.js';
import { askService } from '../status/ask.js';
import { span, table } from '../status/table.js';

/** What a delivery that is not done can be. */
export const openStates = ['pending', 'waiting', 'dead'] as const;

const text = z.string();
/** How far a delivery is, as every route of a writer tells it. Times are milliseconds since the epoch. */
export const deliveryState = z.object({
  target: text,
  state: text,
  desiredRevision: z.number(),
  deliveredRevision: z.number(),
  deleted: z.boolean(),
  attempts: z.number(),
  dueAt: z.number(),
  waitsFor: z.array(text).nullable(),
  failureKind: text.nullable(),
  failureReason: text.nullable(),
});
const answer = z.object({
  deliveries: z.array(deliveryState.extend({ id: text, kind: text, updatedAt: z.number() })),
});
/** A delivery as the list shows it: ids, revisions, states and the target's words, nothing of the record's content. */
export type OpenDelivery = z.infer<typeof answer>['deliveries'][number];

/** Deliveries that are not done, of one target or of all; names the writers that do not answer. */
export async function listDeliveries(
  local: Local,
  which: { target: string | undefined; state: string | undefined; limit: number },
): Promise<{ deliveries: OpenDelivery[]; silent: string[] }> {
  const { target, state, limit } = which;
  const writers = local.services.filter(
    (s) => s.role === 'writer' && (target === undefined || s.connections.includes(target)),
  );
  const names = local.services.filter((s) => s.role === 'writer').flatMap((s) => s.connections);
  if (writers.length === 0) throw new Failure(`There is no target "${target}": use one of ${names.join(', ')}`, 2);
  const query = new URLSearchParams({
    limit: String(limit),
    ...(target ? { target } : {}),
    ...(state ? { state } : {}),
  });
  const silent: string[] = [];
  const answers = await Promise.all(
    writers.map(async (writer) => {
      const parsed = answer.safeParse(await askService(writer, `/deliveries?${query}`));
      if (!parsed.success) silent.push(writer.name);
      return parsed.success ? parsed.data.deliveries : [];
    }),
  );
  const order = (d: OpenDelivery): number => openStates.indexOf(d.state as (typeof openStates)[number]);
  return {
    deliveries: answers
      .flat()
      .sort((a, b) => order(b) - order(a))
      .slice(0, limit),
    silent,
  };
}

/** The list for people. */
export function deliveryLines(deliveries: readonly OpenDelivery[], nowMs = Date.now()): string[] {
  const due = (d: OpenDelivery): string | null =>
    d.state !== 'pending' ? null : d.dueAt <= nowMs ? 'now' : `in ${span(d.dueAt - nowMs)}`;
  const why = (d: OpenDelivery): string | null => {
    if (d.waitsFor && d.waitsFor.length > 0) return `waits for ${d.waitsFor.join(', ')}`;
    return d.failureKind === null ? null : `${d.failureKind}: ${d.failureReason ?? ''}`;
  };
  return table(
    ['TARGET', 'STATE', 'KIND', 'RECORD', 'REVISION', 'THERE', 'ATTEMPTS', 'DUE', 'LAST FAILURE'],
    deliveries.map((d) => [
      d.target,
      d.state,
      d.deleted ? `${d.kind}, deleted` : d.kind,
      d.id,
      `r${d.desiredRevision}`,
      d.deliveredRevision > 0 ? `r${d.deliveredRevision}` : null,
      d.attempts,
      due(d),
      why(d),
    ]),
  );
}
