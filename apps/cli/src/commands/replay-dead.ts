import { type Local, needLocal } from '../local.js';
import { findRecords } from '../record/ask.js';
import { callService, needService } from '../service-call.js';
import { ago, table } from '../status/table.js';

/** What was given up, by cause, as writers (deliveries) and the transformer (dead letters) tell it. */
interface Cause {
  target: string;
  kind: string;
  reason: string;
  count: number;
  replayed?: number;
  since: number;
  examples: string[];
}

export interface ReplayDeadOptions {
  target?: string;
  cause?: string;
  id?: string;
  all?: boolean;
  list?: boolean;
  json?: boolean;
}

const transformer = 'transformer';

/**
 * `syncline replay dead`: what was given up, by cause; with --cause, --id or --all it is tried once more. Exit code 1 where
 * nothing fits a selection, or something was refused or lost again.
 */
export async function replayDeadCommand(options: ReplayDeadOptions): Promise<number> {
  const local = needLocal();
  const selects = options.cause !== undefined || options.id !== undefined || options.all === true;
  const id = options.id === undefined ? undefined : await recordId(local, options.id);
  return selects && !options.list ? replay(local, options, id) : list(local, options, id);
}

/** A record as people name it is the delivery's id; what names no single record is taken as it is. */
async function recordId(local: Local, ref: string): Promise<string> {
  if (ref.includes('/')) return ref;
  const found = await findRecords(local, ref);
  return found.length === 1 && found[0] ? found[0].id : ref;
}

const writersOf = (local: Local, target: string | undefined) =>
  local.services.filter((s) => s.role === 'writer' && (target === undefined || s.connections.includes(target)));

/** True where the target has deliveries; the transformer's own dead letters go by its name. */
function parts(local: Local, { target }: ReplayDeadOptions) {
  const letters = target === undefined || target === transformer;
  if (target !== undefined && !letters) needService(local, 'writer', target);
  return { letters, writers: target === transformer ? [] : writersOf(local, target) };
}

async function list(local: Local, options: ReplayDeadOptions, id: string | undefined): Promise<number> {
  const { letters, writers } = parts(local, options);
  const { target, cause } = options;
  const asked = writers.map(
    async (w) =>
      ((await callService(w, 'GET', '/dead/causes', { target, kind: cause, record: id })) as { causes: Cause[] })
        .causes,
  );
  const own = async (): Promise<Cause[]> => {
    const service = needService(local, transformer);
    const found = await callService(service, 'GET', '/dead-letters', { cause, id: options.id });
    return (found as { causes: Omit<Cause, 'target'>[] }).causes.map((c) => ({ ...c, target: transformer }));
  };
  const causes = (await Promise.all([...asked, ...(letters ? [own()] : [])])).flat();
  causes.sort((a, b) => b.count - a.count);
  if (options.json) console.log(JSON.stringify({ causes }, null, 2));
  else console.log(causeLines(causes).join('\n'));
  return 0;
}

/** What was given up as lines, the most frequent cause first. */
export function causeLines(causes: readonly Cause[], nowMs = Date.now()): string[] {
  if (causes.length === 0) return ['Nothing was given up.'];
  const rows = causes.map((c) => [
    c.target,
    c.kind,
    c.count,
    c.replayed ?? 0,
    ago(new Date(c.since).toISOString(), nowMs),
    c.examples[0] ?? null,
    c.reason.length > 100 ? `${c.reason.slice(0, 99)}…` : c.reason,
  ]);
  return [
    ...table(['AT', 'CAUSE', 'COUNT', 'REPLAYED', 'SINCE', 'FOR EXAMPLE', 'REASON'], rows),
    '',
    'Replay with --cause <cause>, --id <record or example>, or --all; --target <at> narrows it.',
  ];
}

async function replay(local: Local, options: ReplayDeadOptions, id: string | undefined): Promise<number> {
  const { letters, writers } = parts(local, options);
  const { target, cause } = options;
  const deliveries = { retried: 0, superseded: 0, refused: 0 };
  for (const writer of writers) {
    const done = (await callService(writer, 'POST', '/retry', {
      target,
      kind: cause,
      record: id,
    })) as typeof deliveries;
    for (const field of ['retried', 'superseded', 'refused'] as const) deliveries[field] += done[field];
  }
  const query = { cause, id: options.id, ...(options.all ? { all: 'true' } : {}) };
  const deadLetters = letters
    ? ((await callService(needService(local, transformer), 'POST', '/dead-letters/replay', query)) as {
        replayed: number;
        before: number;
        lost: number;
      })
    : { replayed: 0, before: 0, lost: 0 };
  const seen = [...Object.values(deliveries), ...Object.values(deadLetters)].reduce((a, b) => a + b, 0);
  if (options.json) console.log(JSON.stringify({ deliveries, deadLetters }, null, 2));
  else if (seen === 0) console.log('Nothing that was given up fits.');
  else {
    const { retried, superseded, refused } = deliveries;
    console.log(
      `Deliveries: ${retried} tried again, ${superseded} superseded by what the target has, ${refused} refused again.`,
    );
    const { replayed, before, lost } = deadLetters;
    console.log(
      `Dead letters: ${replayed} published again, ${before} had been replayed before, ${lost} no longer to be had.`,
    );
  }
  return seen === 0 || deliveries.refused > 0 || deadLetters.lost > 0 ? 1 : 0;
}
