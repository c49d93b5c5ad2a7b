import { confirmed } from '../confirm.js';
import { Failure } from '../failure.js';
import { needLocal } from '../local.js';
import { callService, needService } from '../service-call.js';

export interface ReplayRawOptions {
  fromOffset?: number;
  since?: string;
  dryRun?: boolean;
  yes?: boolean;
  json?: boolean;
}

interface Found {
  topic: string;
  messages: number;
  objects: number;
  unmappable: number;
}

/** What the present mappings would change. */
export interface Difference extends Found {
  records: number;
  added: number;
  fields: Record<string, Record<string, number>>;
  examples: string[];
}

const unitsMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** An instant, or a span back from now such as 90m, in milliseconds since the epoch. */
export function instantOf(text: string, nowMs: number): number {
  const span = /^(\d+)\s*([smhdw])$/.exec(text.trim());
  const at = span ? nowMs - Number(span[1]) * unitsMs[span[2]!]! : Date.parse(text);
  if (Number.isFinite(at)) return at;
  throw new Failure(
    `--since ${text}: write a span back from now such as 90m or 7d, or an instant such as 2026-11-01T00:00:00Z`,
    2,
  );
}

/**
 * `syncline replay raw`: raw messages mapped again with the present mappings. Shows what would change first, then asks;
 * --dry-run ends there.
 */
export async function replayRawCommand(connection: string, kind: string, options: ReplayRawOptions): Promise<number> {
  const { fromOffset, since } = options;
  if ((fromOffset === undefined) === (since === undefined))
    throw new Failure('Say where to begin: --from-offset <n> (0 for everything that is kept) or --since <time>.', 2);
  const service = needService(needLocal(), 'transformer');
  const query = {
    connection,
    kind,
    offset: fromOffset === undefined ? undefined : String(fromOffset),
    since: since === undefined ? undefined : String(instantOf(since, Date.now())),
  };
  if (options.dryRun || !options.yes) {
    const { topics } = (await callService(service, 'GET', '/raw/difference', query)) as { topics: Difference[] };
    if (options.json && options.dryRun) console.log(JSON.stringify({ topics }, null, 2));
    if (!options.json) console.log(topics.flatMap(differenceLines).join('\n'));
    if (options.dryRun) return 0;
    const objects = topics.reduce((n, t) => n + t.objects, 0);
    if (!(await confirmed(`Map the newest state of ${objects} objects again?`, options.yes))) return 1;
  }
  const { topics } = (await callService(service, 'POST', '/raw/replay', query)) as {
    topics: (Found & { published: number })[];
  };
  if (options.json) console.log(JSON.stringify({ topics }, null, 2));
  else
    for (const { topic, published, messages, unmappable } of topics)
      console.log(
        `${topic}: ${published} of ${messages} messages published again${unmappable > 0 ? `, ${unmappable} cannot be mapped` : ''}.`,
      );
  return 0;
}

/** What would change, as lines: how many records, and which fields of how many. */
export function differenceLines(d: Difference): string[] {
  const fields = Object.entries(d.fields).flatMap(([kind, counts]) =>
    Object.entries(counts)
      .sort(([, a], [, b]) => b - a)
      .map(([field, count]) => `  ${kind}.${field}: ${count} record${count === 1 ? '' : 's'}`),
  );
  return [
    `${d.topic}: ${d.messages} messages of ${d.objects} objects, ${d.unmappable} of them cannot be mapped.`,
    d.records + d.added === 0
      ? '  No record would change.'
      : `  ${d.records} records would change, ${d.added} would be new${d.examples[0] ? `; for example ${d.examples[0]}` : ''}.`,
    ...fields,
  ];
}
