import type { BatchItem, BatchTarget } from '@syncline/connector-sdk';
import { asSyncError, header, headerText, type Kind, SyncError } from '@syncline/contracts';
import { type Batch, GroupCommit, type Outcome } from '@syncline/messaging';
import { extract, getTracer, inSpan, type Link, type Logger, linkTo, type Span, SpanKind } from '@syncline/runtime';
import {
  type ConfirmedRow,
  type DeadEvent,
  deadEvents,
  deadEventsMax,
  deliveredRevisions,
  type Store,
  storeConfirmed,
} from '@syncline/store';
import type { WantedBy } from './flows.js';
import { type NewestEvent, newestEvents } from './newest.js';
import type { Progress } from './progress.js';
import type { Retried } from './served.js';

/** An opened store that takes many records at once. */
export interface OpenBatchTargets {
  readonly targets: Readonly<Partial<Record<Kind, BatchTarget>>>;
  check(): Promise<void>;
  close(): Promise<void>;
}

/** One connection that takes batches, with all that its deliveries need. */
export interface BatchTargetRuntime {
  readonly name: string;
  readonly group: string;
  readonly wanted: WantedBy;
  /** Opens the target at its first use; a failure is tried again at the next. */
  readonly opened: () => Promise<OpenBatchTargets>;
  readonly store: Store;
  readonly progress: Progress;
  readonly log: Logger;
  /** How the last batch ended: shown as the target's state. */
  lastFailure: SyncError | null;
  /** Partitions whose records may be at the target already: after a takeover, and as long as a look finds some. */
  readonly looking: Set<string>;
}

const linksMax = 64;
/** Writes at the same time, the events after which one takes no further partition's, and the rest after a small one. */
const writes = { places: 2, sizeMax: 1_000, restMs: 10 };
const tracer = getTracer('delivery');

/** What of a batch is to be written. */
interface Job {
  kind: string;
  events: NewestEvent[];
  outcomes: Outcome[];
}

/**
 * Writes the newest revision of each wanted record of a batch straight through, with those of the other partitions at hand, and
 * stores all of them as delivered with one statement. Values are not parsed. A record the target refuses for good gets its
 * outcome; where the write as a whole failed it throws, and the same records are given again.
 */
export function writingThrough(runtime: BatchTargetRuntime): (batch: Batch) => Promise<Outcome[]> {
  const group = new GroupCommit<Job>({ ...writes, size: ({ events }) => events.length }, async (jobs) => {
    for (const kind of new Set(jobs.map((job) => job.kind)))
      await writeJobs(
        runtime,
        kind,
        jobs.filter((job) => job.kind === kind),
      );
  });
  return async (batch) => {
    const { kind, newest, outcomes } = newestEvents(batch);
    const wanted = newest.filter((e) => runtime.wanted(kind, e.envelope.connections));
    const events = await notDelivered(runtime, batch, wanted);
    if (events.length > 0) await group.submit({ kind, events, outcomes });
    return outcomes;
  };
}

async function writeJobs(runtime: BatchTargetRuntime, kind: string, jobs: readonly Job[]): Promise<void> {
  const events = jobs.flatMap((job) => job.events);
  const single = events.length === 1 ? events[0]!.record.headers : undefined;
  const links = single ? [] : events.slice(0, linksMax).map((e) => linkTo(e.record.headers));
  const options = {
    kind: SpanKind.CLIENT,
    ...(single ? { parent: extract(single) } : {}),
    links: links.filter((l): l is Link => l !== null),
    attributes: {
      'syncline.target': runtime.name,
      'syncline.kind': kind,
      'messaging.batch.message_count': events.length,
    },
  };
  try {
    const startTime = Date.now();
    await inSpan(`deliver ${runtime.name}`, options, async (span) => {
      const failures = await write(runtime, kind as Kind, events);
      await storeConfirmed(runtime.store, runtime.name, confirmedRows(kind, events, failures));
      if (failures.size > 0)
        for (const job of jobs) for (const e of job.events) job.outcomes[e.index] = failures.get(e) ?? null;
      report(runtime, kind, events, failures);
      if (!single) continueTraces(runtime, events, span, startTime);
    });
    runtime.lastFailure = null;
  } catch (thrown) {
    runtime.lastFailure = asSyncError(thrown);
    runtime.log.warn({ target: runtime.name, err: runtime.lastFailure }, 'a batch could not be written: given again');
    throw runtime.lastFailure;
  }
}

/**
 * A record's own trace ends with its delivery too: a span beside the batch's, over the same time. Of a large batch the first
 * ones only; at rates where that matters traces are sampled anyway.
 */
function continueTraces(runtime: BatchTargetRuntime, events: NewestEvent[], batch: Span, startTime: number): void {
  const links = [{ context: batch.spanContext() }];
  for (const { envelope, record } of events.slice(0, linksMax)) {
    if (headerText(record.headers, header.traceparent) === null) continue;
    const attributes = {
      'syncline.target': runtime.name,
      'syncline.kind': envelope.kind,
      'syncline.revision': envelope.revision,
    };
    const span = tracer.startSpan(
      `deliver ${runtime.name}`,
      { kind: SpanKind.CLIENT, startTime, links, attributes },
      extract(record.headers),
    );
    span.end();
  }
}

/** Leaves out what is at the target already. A stream that only brings news is not looked up. */
async function notDelivered(runtime: BatchTargetRuntime, batch: Batch, events: NewestEvent[]): Promise<NewestEvent[]> {
  const partition = `${batch.topic}/${batch.partition}`;
  if (batch.takeover) runtime.looking.add(partition);
  if (!runtime.looking.has(partition) || events.length === 0) return events;
  const ids = events.map((e) => e.envelope.id);
  const delivered = await deliveredRevisions(runtime.store, runtime.name, ids);
  const left = events.filter((e) => e.envelope.revision > (delivered.get(e.envelope.id) ?? 0));
  if (left.length === events.length) runtime.looking.delete(partition);
  return left;
}

/** The target's verdict: which events it refused for good. Throws where the batch has to be given again. */
async function write(
  runtime: BatchTargetRuntime,
  kind: Kind,
  events: NewestEvent[],
): Promise<Map<NewestEvent, SyncError>> {
  const target = (await runtime.opened()).targets[kind];
  const failures = new Map<NewestEvent, SyncError>();
  if (!target) throw new SyncError('defect', `${runtime.name} takes no ${kind}`);
  const items: BatchItem[] = events.map(({ envelope, record }) => ({
    id: envelope.id,
    revision: envelope.revision,
    value: record.value === null ? null : record.value.toString('utf8'),
    ...(envelope.mergedInto === undefined ? {} : { mergedInto: envelope.mergedInto }),
  }));
  const outcomes = await target.write(items);
  for (const [i, event] of events.entries()) {
    const outcome = outcomes[i];
    if (!outcome) continue;
    const error = asSyncError(outcome);
    if (error.kind === 'superseded') continue;
    const forGood = error.kind === 'rejected' || error.kind === 'defect' || error.kind === 'unmappable';
    if (!forGood) throw error;
    failures.set(event, error);
  }
  return failures;
}

function confirmedRows(kind: string, events: NewestEvent[], failures: Map<NewestEvent, SyncError>): ConfirmedRow[] {
  return events.map((event) => {
    const { envelope, record } = event;
    const failed = failures.get(event);
    return {
      id: envelope.id,
      kind,
      revision: envelope.revision,
      deleted: record.value === null,
      mergedInto: envelope.mergedInto ?? null,
      cause: envelope.cause,
      changedAt: envelope.changedAt,
      receivedAt: envelope.receivedAt,
      traceparent: headerText(record.headers, header.traceparent),
      failure: failed
        ? {
            kind: failed.kind,
            reason: failed.message,
            event: record.value?.toString('utf8').replaceAll('\0', '') ?? null,
          }
        : null,
    };
  });
}

function report(
  runtime: BatchTargetRuntime,
  kind: string,
  events: NewestEvent[],
  failures: Map<NewestEvent, SyncError>,
): void {
  const now = Date.now();
  for (const [{ envelope }, { kind: failureKind, message }] of failures) {
    // One line a batch: a target that refuses everything must not fill the log.
    const first = { id: envelope.id, revision: envelope.revision, failureKind, reason: message };
    runtime.log.warn({ target: runtime.name, kind, refused: failures.size, first }, 'the target refused records');
    break;
  }
  for (const event of events) {
    const { id, revision, cause, changedAt, receivedAt } = event.envelope;
    const failed = failures.get(event);
    const tookMs = failed ? null : runtime.progress.confirmed({ kind, cause, changedAt, receivedAt }, now);
    const entry = { kind, id, revision, deleted: event.record.value === null, tookMs };
    runtime.progress.ended(
      { ...entry, outcome: failed ? 'dead' : 'written', ...(failed ? { reason: failed.message } : {}) },
      now,
    );
  }
}

/** Gives records that the target refused to it once more, as they were then; on and on while whole pages of them come and some are taken. */
export async function retryRefused(
  runtime: BatchTargetRuntime,
  which: { id?: string; failureKind?: string },
): Promise<Retried> {
  const done: Retried = { retried: 0, superseded: 0, refused: 0 };
  for (;;) {
    const dead = await deadEvents(runtime.store, runtime.name, which);
    const before = done.retried + done.superseded;
    done.refused = 0;
    for (const one of dead) done[await retryOne(runtime, one)]++;
    if (dead.length < deadEventsMax || done.retried + done.superseded === before) return done;
  }
}

async function retryOne(runtime: BatchTargetRuntime, { failure: _, ...row }: DeadEvent): Promise<keyof Retried> {
  const { id, revision, event, mergedInto } = row;
  const target = (await runtime.opened()).targets[row.kind as Kind];
  const item = { id, revision, value: event, ...(mergedInto === null ? {} : { mergedInto }) };
  const [outcome] = target ? await target.write([item]) : [new SyncError('rejected', 'it takes no such records')];
  const superseded = outcome ? asSyncError(outcome).kind === 'superseded' : false;
  if (outcome && !superseded) return 'refused';
  await storeConfirmed(runtime.store, runtime.name, [{ ...row, failure: null }]);
  return superseded ? 'superseded' : 'retried';
}
