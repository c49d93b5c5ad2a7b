import { z } from 'zod';
import { span, table } from '../status/table.js';

const text = z.string();
const instant = z.union([z.string(), z.number()]).transform((value) => new Date(value).toISOString());

/** A record that fits what was asked for. */
export const matches = z.object({
  matches: z.array(z.object({ id: text, kind: text, name: text.nullish(), revision: z.number() }).loose()),
});
export type Match = z.infer<typeof matches>['matches'][number];

/** What the transformer tells of one record. */
export const story = z.object({
  record: z.looseObject({}).nullable(),
  history: z.array(
    z
      .object({
        revision: z.number(),
        at: instant,
        connection: text.nullish(),
        eventId: text.nullish(),
        origin: text.nullish(),
        changed: z.array(text).default([]),
        traceId: text.nullish(),
      })
      .loose(),
  ),
  sources: z.array(z.looseObject({})).default([]),
  related: z.array(z.object({ id: text, kind: text, name: text, status: text.nullish() }).loose()).default([]),
});
export type Story = z.infer<typeof story>;

/** What one writer tells of a record at its targets; the times are milliseconds since the epoch. */
export const deliveries = z.object({
  deliveries: z.array(
    z
      .object({
        target: text,
        state: text,
        desiredRevision: z.number(),
        deliveredRevision: z.number(),
        externalId: text.nullish(),
        attempts: z.number().nullish(),
        updatedAt: z.number(),
        failureReason: text.nullish(),
      })
      .loose(),
  ),
});
export type Delivery = z.infer<typeof deliveries>['deliveries'][number];

/** What the user typed, as the transformer looks it up: `#1042` and `1042` are the same order. */
export function normalRef(typed: string): string {
  return typed.trim().replace(/^#/, '');
}

/** Several records that fit, one per line. */
export function matchLines(found: readonly Match[]): string[] {
  return table(
    ['ID', 'KIND', 'NAME', 'REVISION'],
    found.map((match) => [match.id, match.kind, match.name ?? null, String(match.revision)]),
  );
}

const changedShown = 8;

/** Which fields a revision changed; of a first sight only some are named. */
function changedText(changed: readonly string[]): string {
  const more = changed.length - changedShown;
  const named = changed.slice(0, changedShown).join(', ') || 'nothing changed';
  return more > 0 ? `${named} and ${more} more` : named;
}

/** The story of one record: where it lives, what changed it, and how far each target is. */
export function timelineLines(match: Match, told: Story, delivered: readonly Delivery[]): string[] {
  const sources = told.sources.map((source) => {
    const { connection, noun, externalId, behind, deleted } = source as Record<string, unknown>;
    const lacks = Array.isArray(behind) && behind.length > 0 ? `, lacks ${behind.join(', ')}` : '';
    return `  ${String(connection)}: ${String(noun ?? 'object')} ${String(externalId)}${deleted ? ', deleted there' : ''}${lacks}`;
  });
  const history = told.history.map((entry) => {
    const from = [entry.connection, entry.origin].filter((part) => part).join(' by ');
    const trace = entry.traceId ? `  trace ${entry.traceId}` : '';
    return `  ${entry.at}  r${entry.revision}  ${from || 'unknown'}  ${changedText(entry.changed)}${trace}`;
  });
  return [
    `${match.kind} ${match.name ?? match.id}  revision ${match.revision}  ${match.id}`,
    '',
    'Lives at',
    ...(sources.length > 0 ? sources : ['  no source']),
    ...told.related.map((r) => `  with ${r.kind} ${r.name}${r.status ? `, ${r.status}` : ''}`),
    '',
    'What happened',
    ...(history.length > 0 ? history : ['  nothing is kept of it']),
    '',
    'Deliveries',
    ...(delivered.length > 0 ? delivered.map((one) => deliveryLine(one, told)) : ['  none']),
  ];
}

function deliveryLine(one: Delivery, told: Story): string {
  const made = told.history.find((entry) => entry.revision === one.deliveredRevision);
  const took = made ? `, ${span(Math.max(0, one.updatedAt - Date.parse(made.at)))} after the change` : '';
  const parts = [
    `${one.target}: ${one.state}`,
    one.deliveredRevision > 0 ? ` r${one.deliveredRevision}` : '',
    one.externalId ? ` as ${one.externalId}` : '',
    one.desiredRevision > one.deliveredRevision ? `, wanted r${one.desiredRevision}` : took,
    (one.attempts ?? 0) > 1 ? `, ${one.attempts} attempts` : '',
    one.failureReason ? `: ${one.failureReason}` : '',
  ];
  return `  ${parts.join('')}`;
}
