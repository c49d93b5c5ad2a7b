import { setTimeout as pause } from 'node:timers/promises';
import { Failure } from '../failure.js';
import { needLocal } from '../local.js';
import { callService, needService } from '../service-call.js';
import { span } from '../status/table.js';

export interface BackfillOptions {
  since?: string;
  until?: string;
  ids?: string;
  dryRun?: boolean;
  status?: boolean;
  cancel?: boolean;
  wait?: boolean;
  json?: boolean;
}

/** A backfill as an ingestor tells it. */
export interface Backfill {
  id: number;
  connection: string;
  noun: string;
  state: string;
  reason: string | null;
  dryRun: boolean;
  found: number;
  published: number;
  missing: number;
  share: number | null;
  perSecond: number | null;
  leftMs: number | null;
}

const lookMs = 1_000;

/**
 * `syncline backfill`: has objects read from the provider again and follows it; --status shows all, --cancel ends one. Exit
 * code 1 where it failed or was cancelled.
 */
export async function backfillCommand(
  connection: string | undefined,
  kind: string | undefined,
  options: BackfillOptions,
): Promise<number> {
  const local = needLocal();
  const say = (backfills: readonly Backfill[]) => {
    if (options.json) console.log(JSON.stringify({ backfills }, null, 2));
    else console.log(backfills.map(backfillLine).join('\n') || 'There was no backfill yet.');
  };
  if (options.status) {
    const all = local.services.filter((s) => s.role === 'ingestor');
    const asked = all.map(
      async (s) => ((await callService(s, 'GET', '/backfills')) as { backfills: Backfill[] }).backfills,
    );
    const shown = (await Promise.all(asked)).flat();
    say(shown.filter((b) => connection === undefined || b.connection === connection));
    return 0;
  }
  if (connection === undefined || kind === undefined)
    throw new Failure('Name a connection and a kind, e.g. "backfill shop order --since 30d", or give --status.', 2);
  const service = needService(local, 'ingestor', connection);
  if (options.cancel) {
    const { cancelled } = (await callService(service, 'POST', '/backfills', { connection, kind, cancel: 'true' })) as {
      cancelled: Backfill[];
    };
    say(cancelled);
    return cancelled.length > 0 ? 0 : 1;
  }
  const { since, until, ids } = options;
  const query = { connection, kind, since, until, ids, ...(options.dryRun ? { dryRun: 'true' } : {}) };
  const { backfills } = (await callService(service, 'POST', '/backfills', query)) as { backfills: Backfill[] };
  const mine = backfills.map((b) => b.id);
  const now = async () => {
    // An ingestor that was started again has another address.
    const present = needService(needLocal(), 'ingestor', connection);
    const shown = (await callService(present, 'GET', '/backfills')) as { backfills: Backfill[] };
    return shown.backfills.filter((b) => mine.includes(b.id));
  };
  if (options.wait === false) {
    say(backfills);
    return 0;
  }
  const ended = await follow(connection, now, options.json === true);
  say(ended);
  return ended.every((b) => b.state === 'done') ? 0 : 1;
}

/** Waits for the end and says on standard error how far it is. It goes on in the ingestor where this command is ended or the ingestor is away. */
async function follow(connection: string, now: () => Promise<Backfill[]>, quiet: boolean): Promise<Backfill[]> {
  let said = '';
  for (let away = 0; ; ) {
    try {
      const backfills = await now();
      away = 0;
      if (backfills.every((b) => b.state !== 'running')) return backfills;
      const line = backfills.map(backfillLine).join('\n');
      if (!quiet && line !== said) console.error(line);
      said = line;
    } catch (error) {
      if (++away > 60) throw error;
      if (away === 1 && !quiet)
        console.error(`The ingestor of ${connection} is away; the backfill goes on when it is back.`);
    }
    await pause(lookMs);
  }
}

/** One backfill in a line: how far, how fast, how long still. */
export function backfillLine(b: Backfill): string {
  const did = b.dryRun ? `${b.found} found, nothing published (dry run)` : `${b.published} published`;
  const parts = [
    did,
    ...(b.missing > 0 ? [`${b.missing} do not exist`] : []),
    ...(b.perSecond === null ? [] : [`${b.perSecond.toFixed(1)}/s`]),
    ...(b.state === 'running' && b.share !== null ? [`${Math.floor(b.share * 100)} %`] : []),
    ...(b.leftMs === null ? [] : [`about ${span(b.leftMs)} left`]),
  ];
  return `${b.connection} ${b.noun}: ${b.state}, ${parts.join(', ')}${b.reason ? ` (${b.reason})` : ''}`;
}
