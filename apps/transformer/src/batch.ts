import { canonicalHeaders, canonicalTopic, type Kind, SyncError } from '@syncline/contracts';
import { FencedError, type OpenTransaction } from '@syncline/messaging';
import { extract, metrics, traceId } from '@syncline/runtime';
import {
  type BatchWrite,
  type Db,
  nextRevisions,
  type Owner,
  type Place,
  type RecordWrite,
  writeBatch,
} from '@syncline/store';
import { type Attempt, apply } from './apply.js';
import { storeDecisions } from './decisions.js';
import type { Step } from './decode.js';
import { documentText, stateText } from './document.js';
import { type Entries, type Entry, lockEntries, lockMore } from './entries.js';
import { openAsks } from './merge/publish.js';
import { connectionOf, isBlank } from './merge/state.js';
import { processSpan } from './spans.js';
import type { Topology } from './topology.js';

/** A canonical event or tombstone, ready to be sent. */
export interface OutboundEvent {
  kind: Kind;
  key: string;
  value: string | null;
  headers: Record<string, string>;
}

/** What a batch leaves to be published, and the counts it adds. */
export interface Mapped {
  events: OutboundEvent[];
  changed: Record<string, number>;
}

/** Another batch gave a natural key to a record at the same moment: this one is rolled back and mapped again. */
export class KeyTaken extends SyncError {
  constructor() {
    super('transient', 'another batch made the same record at the same moment');
  }
}

/** What the last owner of a partition may have committed in PostgreSQL and not in Kafka. */
export interface Redo {
  /** Messages below this offset. */
  below: bigint;
  /** Records its messages would not lead to. */
  aside: readonly string[];
}

/** The batches of some partitions, to be mapped together. */
export interface Work {
  /** What their messages say, of each partition in its order. At least one. */
  steps: readonly Step[];
  /** The offset to go on from in each of the partitions. */
  places: readonly (Place & { next: bigint })[];
  /** Whom they belong to. */
  owner: Owner;
  /** Set where it is the batch of one partition, given again. */
  redo: Redo | null;
}

/**
 * Maps batches inside an open transaction: locks, merges, takes revisions, writes. What it returns must be acknowledged by Kafka
 * before the transaction is committed. The same path serves one message or a thousand; where there is something to `redo`,
 * nothing is folded or waits, and every record that is touched is published.
 */
export async function mapBatch(tx: Db, topology: Topology, work: Work): Promise<Mapped> {
  const { steps, places, owner, redo } = work;
  const entries = await lockEntries(tx, steps, topology);
  const at: Attempt = { tx, topology, entries, force: redo !== null, aside: new Set(redo?.aside) };
  const out: Output = { events: [], history: [], changed: {} };
  const revisions = revisionsFor(tx, entries, redo ? steps.length + redo.aside.length : 0);
  const publishAll = async (touched: Iterable<Entry>, step: Step) => {
    for (const entry of touched) {
      if (isBlank(entry.state) && entry.mergedInto === null) continue;
      publish(topology, entry, entry.cause ?? step, await revisions(1), out);
    }
  };
  if (redo && redo.aside.length > 0) {
    await lockMore(tx, entries, redo.aside);
    await publishAll(
      redo.aside.flatMap((id) => entries.byId.get(id) ?? []),
      steps[0] as Step,
    );
  }
  for (const step of steps) {
    const touched = await apply(at, step);
    if (redo) await publishAll(new Set(touched), step);
  }
  const dirty = [...entries.byId.values()].filter((e) => e.cause !== null);
  for (const entry of dirty) publish(topology, entry, entry.cause as Step, await revisions(dirty.length), out);
  const written: BatchWrite = {
    records: [...entries.byId.values()].flatMap((e) => recordWrite(e)),
    identities: [...entries.added.values()],
    history: out.history,
    changed: out.changed,
    progress: places.map(({ topic, partition, next }, i) => ({
      topic,
      partition,
      // A redo that is itself killed must be done again as far as the first one had to.
      next: redo && redo.below > next ? redo.below : next,
      // Kept with one of them: where the transaction has to be made good, the batches of all of them are given again.
      aside: i === 0 ? [...at.aside] : [],
    })),
    owner,
  };
  const end = await writeBatch(tx, written);
  if (end === 'key taken') throw new KeyTaken();
  if (end === 'not the owner') throw new FencedError('of a partition of this batch');
  await storeDecisions(tx, entries.byId.values());
  return out;
}

/**
 * Hands out revisions, taken under the locks in as few questions as can be: `atLeast` at the first, then as many as the
 * caller knows it needs. What is left over is never used; what was taken before the last lock neither, since whoever held
 * that row until then may have given it a newer one.
 */
function revisionsFor(tx: Db, entries: Entries, atLeast: number): (needed: number) => Promise<number> {
  let taken: number[] = [];
  let locks = 0;
  return async (needed) => {
    if (locks !== entries.locks) taken = [];
    locks = entries.locks;
    if (taken.length === 0) taken = (await nextRevisions(tx, Math.max(atLeast, needed, 1))).reverse();
    return taken.pop() as number;
  };
}

interface Output extends Mapped {
  history: BatchWrite['history'][number][];
}

function publish(topology: Topology, entry: Entry, cause: Step, revision: number, out: Output): void {
  const ctx = topology.context(entry.kind);
  const { state } = entry;
  entry.cause = null;
  if (entry.mergedInto === null) openAsks(ctx, state, revision);
  const gone = state.deleted || entry.mergedInto !== null;
  const document = documentText(ctx, state, { id: entry.id, kind: entry.kind, revision });
  entry.published = { revision, document };
  const { connection, changedAt, receivedAt, eventId, origin } = originOf(cause);
  const span = processSpan(cause, entry.kind);
  const connections = new Set<string>();
  for (const source of state.snapshots.keys()) connections.add(connectionOf(source));
  out.events.push({
    kind: entry.kind,
    key: entry.id,
    value: gone ? null : document,
    headers: {
      ...canonicalHeaders({
        id: entry.id,
        kind: entry.kind,
        revision,
        cause: connection,
        connections: [...connections],
        changedAt,
        receivedAt,
        ...(entry.mergedInto === null ? {} : { mergedInto: entry.mergedInto }),
      }),
      ...span,
    },
  });
  const changed = Object.keys(state.fields).filter((f) => (state.fields[f]?.stamp ?? 0) > entry.stampBefore);
  entry.stampBefore = state.stamp;
  out.history.push({
    id: entry.id,
    revision,
    connection,
    eventId,
    origin,
    changed: gone ? ['deleted'] : changed,
    traceId: traceId(extract(span)),
  });
  out.changed[connection] = (out.changed[connection] ?? 0) + 1;
  metrics.changed.add(1, { connection, kind: entry.kind });
}

function originOf(step: Step): {
  connection: string;
  changedAt: number;
  receivedAt: number;
  eventId: string;
  origin: string;
} {
  if (step.type === 'observation') {
    const { envelope, observation } = step;
    return {
      connection: step.connection,
      changedAt: observation.version,
      receivedAt: envelope.receivedAt,
      eventId: envelope.eventId,
      origin: envelope.origin,
    };
  }
  const { receipt } = step;
  const outcome = receipt.type === 'receipt' ? receipt.outcome : receipt.type;
  return {
    connection: receipt.connection,
    changedAt: receipt.at,
    receivedAt: receipt.at,
    eventId: `receipt:${receipt.revision}`,
    origin: outcome === 'again' ? 'replay' : `receipt ${outcome}`,
  };
}

/** What of a record goes back to its row: nothing where neither the record nor what is known of it moved. */
function recordWrite(entry: Entry): RecordWrite[] {
  const { row, state } = entry;
  const base = { id: entry.id, kind: entry.kind, mergedInto: entry.mergedInto, deleted: state.deleted };
  if (isBlank(state) && entry.published === null)
    return row ? [] : [{ ...base, revision: 0, document: null, state: null }];
  const text = stateText(state, entry.held);
  if (!entry.published && row && row.state === text) return [];
  return [
    {
      ...base,
      revision: entry.published?.revision ?? row?.revision ?? 0,
      document: entry.published?.document ?? row?.document ?? null,
      state: text,
    },
  ];
}

/** Sends a batch's events into an open Kafka transaction; resolves when every one is acknowledged. */
export async function sendEvents(transaction: OpenTransaction, events: readonly OutboundEvent[]): Promise<void> {
  const byKind = new Map<Kind, OutboundEvent[]>();
  for (const event of events) {
    const list = byKind.get(event.kind);
    if (list) list.push(event);
    else byKind.set(event.kind, [event]);
  }
  for (const [kind, list] of byKind) await transaction.send(canonicalTopic(kind), list);
}
