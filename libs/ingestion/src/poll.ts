import type { Page } from '@syncline/connector-sdk';
import { asSyncError, SyncError } from '@syncline/contracts';
import { inSpan, type Logger, SpanKind } from '@syncline/runtime';
import { type Cursor, claimCursor, finishPoll, type Store, saveCheckpoint } from '@syncline/store';
import type { Served } from './connection.js';
import type { Sender } from './publish.js';
import { fits, publishItems } from './publish-items.js';
import type { SeenStates } from './seen.js';

/** What one poll of one (connection, noun) needs. */
export interface PollJob {
  served: Served;
  noun: string;
  /** Fencing token of the lease it runs under. */
  token: number;
  /** Where the first poll of a connection starts, milliseconds since the epoch. */
  firstSince: number;
  store: Store;
  sender: Sender;
  seen: SeenStates;
  log: Logger;
  /** After a message is durable. */
  accepted(connection: string, receivedAt: number): void;
  /** Aborted when the service stops or the lease is lost. */
  signal: AbortSignal;
}

export interface PollResult {
  published: number;
  skipped: number;
  pages: number;
  /** The new watermark, milliseconds of the source's clock. */
  watermark: number;
}

const overlapMsMin = 120_000;
/** How wrong a source's clock may be against ours where it does not tell. */
const clockSkewMsMax = 600_000;

/** How far a poll reads back behind the watermark, in milliseconds: lists lag behind, and seconds have ties. */
export const overlapMs = (settleMs: number): number => Math.max(2 * settleMs, overlapMsMin);

/** Another process took the lease over: whatever this one still wants to write is out of date. */
export class LeaseLost extends Error {
  constructor() {
    super('the lease of this poll went to another process');
    this.name = 'LeaseLost';
  }
}

/**
 * Polls once: reads everything changed since the watermark less an overlap, publishes page by page, and after each page that
 * is durable stores where to go on. Only a whole poll moves the watermark, to what the source's clock said at its beginning
 * less the settling time. Throws SyncError as the connector or the producer did, and LeaseLost.
 */
export async function pollOnce(job: PollJob): Promise<PollResult> {
  const { served, noun, token } = job;
  const key = { connection: served.name, noun, token };
  const object = served.connector.objects[noun];
  if (!object?.poll) throw new SyncError('defect', `${noun} of ${served.connector.provider} cannot be polled`);
  const cursor = await claimCursor(job.store, key);
  if (!cursor) throw new LeaseLost();
  const settleMs = object.settleMs ?? 0;
  const plan = planOf(cursor, job.firstSince, settleMs);
  const result: PollResult = { published: 0, skipped: 0, pages: 0, watermark: 0 };
  let mark = cursor.under?.mark ?? null;
  const beganAt = Date.now();
  const attributes = { 'syncline.connection': served.name, 'syncline.noun': noun };
  return inSpan(`poll ${served.connector.provider}.${noun}`, { kind: SpanKind.INTERNAL, attributes }, async () => {
    try {
      const pages = object.poll!(served.at(cursor.watermark === null ? 'backfill' : 'poll'), {
        since: plan.since,
        checkpoint: plan.checkpoint,
      });
      for await (const page of pages) {
        if (job.signal.aborted) throw new LeaseLost();
        // Our own clock is an upper bound: a source whose clock ran ahead for a moment must not make us skip that moment.
        mark ??= Math.min(page.readAt, Date.now()) - settleMs;
        await publishPage(job, page, cursor.watermark === null, result);
        const saved = await saveCheckpoint(job.store, key, { since: plan.since, mark, checkpoint: page.checkpoint });
        if (!saved) throw new LeaseLost();
      }
    } catch (thrown) {
      await forgetBadCheckpoint(job, key, plan.checkpoint, result, thrown);
      throw thrown;
    }
    // A source with nothing to show gives no page, and so no clock.
    mark ??= Math.max(cursor.watermark ?? 0, beganAt - settleMs - clockSkewMsMax);
    if (!(await finishPoll(job.store, key, mark))) throw new LeaseLost();
    result.watermark = mark;
    return result;
  });
}

/** Where to begin: where an interrupted poll stopped, or behind the watermark, or at the connection's `since`. */
function planOf(cursor: Cursor, firstSince: number, settleMs: number): { since: number; checkpoint: string | null } {
  if (cursor.under) return { since: cursor.under.since, checkpoint: cursor.under.checkpoint };
  const since = cursor.watermark === null ? firstSince : cursor.watermark - overlapMs(settleMs);
  return { since: Math.max(0, since), checkpoint: null };
}

async function publishPage(job: PollJob, page: Page, first: boolean, result: PollResult): Promise<void> {
  const fresh = page.items.filter((item) => !job.seen.has(item) && fits(job, item));
  result.pages++;
  result.skipped += page.items.length - fresh.length;
  await publishItems(job, fresh, { origin: first ? 'backfill' : 'poll', readAt: page.readAt });
  for (const item of fresh) job.seen.add(item, page.readAt);
  result.published += fresh.length;
}

/** A source that refuses the stored checkpoint (they expire) would refuse it for ever: the same window starts again then. */
async function forgetBadCheckpoint(
  job: PollJob,
  key: { connection: string; noun: string; token: number },
  checkpoint: string | null,
  result: PollResult,
  thrown: unknown,
): Promise<void> {
  if (checkpoint === null || result.pages > 0 || thrown instanceof LeaseLost) return;
  if (!['rejected', 'unmappable', 'defect'].includes(asSyncError(thrown).kind)) return;
  job.log.warn(
    { err: thrown, connection: key.connection, noun: key.noun },
    'the poll begins again: its checkpoint was refused',
  );
  await saveCheckpoint(job.store, key, null);
}
