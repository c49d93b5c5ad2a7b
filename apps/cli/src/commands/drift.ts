import { suggestion } from '@syncline/runtime';
import { z } from 'zod';
import { Failure } from '../failure.js';
import { needLocal } from '../local.js';
import { askTransformer } from '../record/ask.js';
import { ago, table } from '../status/table.js';

const change = z.object({
  connection: z.string(),
  noun: z.string(),
  change: z.enum(['appeared', 'vanished', 'retyped', 'version']),
  path: z.string(),
  from: z.array(z.string()),
  to: z.array(z.string()),
  since: z.number(),
  messages: z.number(),
  types: z.array(z.string()),
});
const watched = z.object({
  connection: z.string(),
  noun: z.string(),
  type: z.string(),
  messages: z.number(),
  fields: z.number(),
  dropped: z.number(),
  versions: z.array(z.string()),
  since: z.number().nullable(),
  last: z.number().nullable(),
});
const report = z.object({ changes: z.array(change), watched: z.array(watched) });
type Report = z.infer<typeof report>;

/** `syncline drift [connection]`: how what a provider sends differs from what it sent before. Exit code 2 for an unknown connection. */
export async function driftCommand(connection: string | undefined, options: { json?: boolean }): Promise<number> {
  const local = needLocal();
  const names = local.services.filter((s) => s.role === 'ingestor').flatMap((s) => s.connections);
  if (connection !== undefined && !names.includes(connection))
    throw new Failure(`No source is called "${connection}"; ${suggestion(connection, names)}.`, 2);
  const query = connection === undefined ? '' : `?connection=${encodeURIComponent(connection)}`;
  const told = report.parse(await askTransformer(local, `/drift${query}`));
  console.log(options.json ? JSON.stringify(instants(told), null, 2) : driftLines(told).join('\n'));
  return 0;
}

const instant = (ms: number): string => new Date(ms).toISOString();

/** The report with instants instead of milliseconds, as --json prints it. */
function instants({ changes, watched }: Report): unknown {
  return {
    changes: changes.map((c) => ({ ...c, since: instant(c.since) })),
    watched: watched.map((w) => ({
      ...w,
      since: w.since === null ? null : instant(w.since),
      last: w.last === null ? null : instant(w.last),
    })),
  };
}

/** What `syncline drift` prints. */
export function driftLines({ changes, watched }: Report, nowMs = Date.now()): string[] {
  if (watched.length === 0) return ['No messages have been looked at yet.'];
  const seen = table(
    ['CONNECTION', 'NOUN', 'MESSAGE', 'LOOKED AT', 'FIELDS', 'SINCE', 'LAST'],
    watched.map((w) => [
      w.connection,
      w.noun,
      w.type,
      w.messages,
      w.fields,
      w.since === null ? '-' : instant(w.since).slice(0, 16),
      w.last === null ? '-' : ago(instant(w.last), nowMs),
    ]),
  );
  const full = watched.some((w) => w.dropped > 0) ? ['Some messages have more fields than are watched.'] : [];
  if (changes.length === 0) return ['Nothing changed in what the providers send.', '', ...seen, ...full];
  const found = table(
    ['CONNECTION', 'NOUN', 'CHANGE', 'FIELD', 'TYPE', 'SINCE', 'MESSAGES', 'IN'],
    changes.map((c) => [
      c.connection,
      c.noun,
      c.change === 'version' ? 'new version' : c.change,
      c.path === '' ? '(the message)' : c.path,
      typesOf(c),
      instant(c.since).slice(0, 16),
      c.messages,
      c.types.join(', '),
    ]),
  );
  return [...found, '', ...seen, ...full];
}

const typesOf = ({ change: kind, from, to }: Report['changes'][number]): string =>
  kind === 'appeared'
    ? to.join(' | ')
    : kind === 'retyped'
      ? `${from.join(' | ')} → ${to.join(' | ')}`
      : kind === 'vanished'
        ? `was ${from.join(' | ')}`
        : '-';
