import type { ConnectionContext, Page, RawItem } from '@syncline/connector-sdk';
import { asSyncError, SyncError } from '@syncline/contracts';
import { inSpan, SpanKind } from '@syncline/runtime';
import { type BackfillRow, endBackfill, type Store, saveBackfill } from '@syncline/store';
import { LeaseLost } from './poll.js';
import { fits, type ItemsPublisher, publishItems } from './publish-items.js';
import { versionMs } from './seen.js';

/** What one run at a backfill needs. */
export interface BackfillJob extends ItemsPublisher {
  /** The backfill as it was claimed; moves with what is durable. */
  row: BackfillRow;
  /** Fencing token of the lease it runs under. */
  token: number;
  store: Store;
  /** The connection at the pace of backfills. */
  context: ConnectionContext;
  /** Aborted when the service stops or the lease is lost. */
  signal: AbortSignal;
}

/**
 * Goes on with a backfill until it is done: reads through the connector, publishes page by page, and after each page that is
 * durable stores where to go on. It knows nothing of the poll's cursor. What it publishes is judged by version like every
 * other message, so an older state never overwrites a newer one. Throws SyncError as the connector or the producer did, and
 * LeaseLost where it was cancelled or another process goes on with it.
 */
export async function runBackfill(job: BackfillJob): Promise<void> {
  const { row, token, served } = job;
  const attributes = { 'syncline.connection': served.name, 'syncline.noun': row.noun };
  let since = performance.now();
  await inSpan(
    `backfill ${served.connector.provider}.${row.noun}`,
    { kind: SpanKind.INTERNAL, attributes },
    async () => {
      const from = row.checkpoint;
      let pages = 0;
      try {
        for await (const page of pagesOf(job)) {
          if (job.signal.aborted) throw new LeaseLost();
          await takePage(job, page);
          const now = performance.now();
          row.activeMs += now - since;
          since = now;
          pages++;
          row.reason = null;
          if (!(await saveBackfill(job.store, row.id, token, row))) throw new LeaseLost();
        }
      } catch (thrown) {
        await forgetBadCheckpoint(job, from, pages, thrown);
        throw thrown;
      }
      if (!(await endBackfill(job.store, row.id, token, 'done', null))) throw new LeaseLost();
    },
  );
}

async function takePage(job: BackfillJob, page: BackfillPage): Promise<void> {
  const { row } = job;
  const wanted = page.items.filter((item) => isWanted(row, item) && fits(job, item));
  if (!row.dryRun) await publishItems(job, wanted, { origin: 'backfill', readAt: page.readAt });
  row.found += wanted.length;
  row.published += row.dryRun ? 0 : wanted.length;
  row.missing += page.missing ?? 0;
  row.checkpoint = page.checkpoint;
  for (const { version } of page.items) {
    const at = versionMs(version);
    if (Number.isFinite(at)) row.position = Math.max(row.position ?? row.since, Math.min(at, row.until));
  }
}

/** Whether an object belongs to what was asked for; one whose change time is not known does. */
function isWanted({ ids, since, until }: BackfillRow, { version }: RawItem): boolean {
  const at = versionMs(version);
  return ids !== null || !Number.isFinite(at) || (at >= since - 1_000 && at <= until);
}

/** A page; `missing` counts objects that were asked for by id and do not exist. That is never taken for a deletion. */
type BackfillPage = Page & { missing?: number };

function pagesOf(job: BackfillJob): AsyncGenerator<BackfillPage> {
  const { row, served, context } = job;
  const object = served.connector.objects[row.noun];
  if (row.ids !== null) return byId(job, row.ids);
  if (!object?.poll) throw new SyncError('rejected', `${row.noun} of ${served.connector.provider} cannot be listed`);
  return object.poll(context, { since: row.since, until: row.until, checkpoint: row.checkpoint });
}

async function* byId({ row, served, context }: BackfillJob, ids: readonly string[]): AsyncGenerator<BackfillPage> {
  const read = served.connector.objects[row.noun]?.read;
  if (!read) throw new SyncError('rejected', `${row.noun} of ${served.connector.provider} cannot be read by id`);
  for (let i = Number(row.checkpoint ?? 0); i < ids.length; i++) {
    const found = await read(context, ids[i] as string);
    const checkpoint = String(i + 1);
    yield found
      ? { items: [found.item], readAt: found.readAt, checkpoint }
      : { items: [], readAt: Date.now(), checkpoint, missing: 1 };
  }
}

/** A source that refuses the stored checkpoint (they expire) would refuse it for ever: the same window starts again then. */
async function forgetBadCheckpoint(
  { row, token, store, log, served }: BackfillJob,
  from: string | null,
  pages: number,
  thrown: unknown,
): Promise<void> {
  if (from === null || row.ids !== null || pages > 0 || thrown instanceof LeaseLost) return;
  if (!['rejected', 'unmappable', 'defect'].includes(asSyncError(thrown).kind)) return;
  log.warn(
    { err: thrown, connection: served.name, noun: row.noun },
    'the backfill begins again: its checkpoint was refused',
  );
  Object.assign(row, { checkpoint: null, position: null, found: 0, published: 0, missing: 0 });
  await saveBackfill(store, row.id, token, row);
}
