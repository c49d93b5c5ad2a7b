import type { Kind, Observation, RawEnvelope, Receipt } from '@syncline/contracts';
import {
  closeIntent,
  createUnderWay,
  type Db,
  type HeldRow,
  holdObservations,
  openIntents,
  shipmentsOf,
  takeHeld,
  takeHeldForCreate,
} from '@syncline/store';
import { type ObservationStep, observedStep, type ReceiptStep, type Step } from './decode.js';
import { addKey, type Entries, type Entry, entryById, entryByKey, lockEntries, lockMore } from './entries.js';
import { answer } from './merge/answer.js';
import { mustWait, observe } from './merge/observe.js';
import { correct, placeOfReplay } from './merge/replay.js';
import { isBlank, type SourceKey, sourceKey } from './merge/state.js';
import { fillReferences, type Joined, join, resolve } from './resolve.js';
import type { Topology } from './topology.js';

/** How long a change waits for the receipt of a write of ours, in milliseconds. */
export const holdMsMax = 30_000;
/** How long an announced create may keep unknown objects of its connection waiting, in milliseconds. */
const intentMsMax = 60_000;

/** One attempt at a batch: its transaction, what it locked, and whether anything may wait. */
export interface Attempt {
  tx: Db;
  topology: Topology;
  entries: Entries;
  /** A takeover's first batch waits for nothing and publishes every record it touches. */
  force: boolean;
  /** Records that are touched and to which the same messages, given again, would not lead. */
  aside: Set<string>;
}

/** Takes one step into the records. Returns the records it touched. */
export async function apply(at: Attempt, step: Step): Promise<Entry[]> {
  return step.type === 'observation' ? applyObservation(at, step, at.force) : applyReceipt(at, step);
}

async function applyObservation(at: Attempt, step: ObservationStep, noWait: boolean): Promise<Entry[]> {
  const { tx, entries, topology } = at;
  const { observation, source } = step;
  const mayBeOurs = async () =>
    !noWait &&
    canBeCreated(topology, step) &&
    (await createUnderWay(tx, step.connection, observation.noun, step.waitsSince, intentMsMax));
  const { entry, joined } = await resolve(tx, entries, step, topology, mayBeOurs);
  const touched = await afterJoins(at, step, joined);
  if (!entry) {
    await holdObservations(tx, [heldRow(step, null)]);
    return touched;
  }
  fillReferences(entries, step, topology);
  const ctx = topology.context(entry.kind);
  const replayed = step.envelope.origin === 'replay';
  const place = replayed ? placeOfReplay(observation, entry.state.snapshots.get(source)) : 'unseen';
  if (place !== 'unseen') {
    if (place === 'same' && correct(ctx, entry.state, source, observation)) entry.cause = step;
    return [...touched, entry];
  }
  if (!noWait && ((entry.held[source] ?? 0) > 0 || mustWait(ctx, entry.state, source, observation))) {
    await holdObservations(tx, [heldRow(step, entry.id)]);
    entry.held[source] = (entry.held[source] ?? 0) + 1;
    return touched;
  }
  if (observe(ctx, entry.state, source, observation)) entry.cause = step;
  return [...touched, entry];
}

/** Only an object that our writers make can be a create of ours. */
function canBeCreated(topology: Topology, step: ObservationStep): boolean {
  const spec = topology.connectorOf(step.connection)?.targets?.[step.observation.kind];
  return spec?.shape === 'objects' && spec.noun === step.observation.noun && spec.creates.length > 0;
}

async function applyReceipt(at: Attempt, step: ReceiptStep): Promise<Entry[]> {
  const { receipt: r } = step;
  if (r.type === 'intent') {
    await openIntents(at.tx, [{ id: r.id, connection: r.connection, noun: r.noun, revision: r.revision }]);
    return [];
  }
  if (r.type === 'release') return release(at, step, r);
  const found = entryById(at.entries, r.id);
  if (!found) return [];
  if (r.type === 'again') {
    if (!isBlank(found.state)) found.cause = step;
    return [found];
  }
  await closeIntent(at.tx, r.id, r.connection, r.noun);
  const source = sourceKey(r.connection, r.noun);
  const { entry, touched } = await linkCreated(at, step, found, source);
  if (r.observed) fillReferences(at.entries, observedStep(step, r.observed), at.topology);
  if (answer(at.topology.context(entry.kind), entry.state, source, r)) entry.cause = step;
  return [
    ...touched,
    entry,
    ...(await drain(at, step, entry, false)),
    ...(await drainForCreate(at, step, r.connection, r.noun, false)),
  ];
}

/** The receipt of a create says which object is ours: it gets its record's identity, also where a webhook was faster. */
async function linkCreated(
  at: Attempt,
  step: ReceiptStep,
  entry: Entry,
  source: SourceKey,
): Promise<{ entry: Entry; touched: Entry[] }> {
  const { receipt: r } = step;
  if (r.type !== 'receipt' || r.externalId === null) return { entry, touched: [] };
  const key = { kind: entry.kind, scope: source, key: r.externalId };
  const other = entryByKey(at.entries, key);
  if (!other) addKey(at.entries, key, entry.id);
  if (!other || other === entry) return { entry, touched: [] };
  const joined = await join(at.tx, at.entries, entry, other, at.topology);
  return { entry: joined.winner, touched: await afterJoins(at, step, [joined]) };
}

/** Both sides of a join are published; shipments that named the alias now name the record it lives on as. */
async function afterJoins(at: Attempt, step: Step, joined: readonly Joined[]): Promise<Entry[]> {
  const touched: Entry[] = [];
  for (const { loser, winner } of joined) {
    loser.cause = step;
    winner.cause = step;
    touched.push(loser, winner);
    at.aside.add(loser.id);
    if (winner.kind !== 'order') continue;
    const ids = await shipmentsOf(at.tx, loser.id);
    await lockMore(at.tx, at.entries, ids);
    for (const shipment of at.entries.byId.values()) {
      const reference = shipment.state.fields.orderId;
      if (reference?.value !== loser.id) continue;
      reference.value = winner.id;
      reference.stamp = ++shipment.state.stamp;
      for (const s of shipment.state.snapshots.values())
        if (s.fields.orderId === loser.id) s.fields = { ...s.fields, orderId: winner.id };
      shipment.cause = step;
      touched.push(shipment);
      at.aside.add(shipment.id);
    }
  }
  return touched;
}

type Release = Extract<Receipt, { type: 'release' }>;

async function release(at: Attempt, step: ReceiptStep, r: Release): Promise<Entry[]> {
  if (r.id === '') return drainForCreate(at, step, r.connection, r.noun, true);
  const entry = entryById(at.entries, r.id);
  return entry ? drain(at, step, entry, true) : [];
}

/** Takes what waited for a record, in order; what still has to wait goes back. */
async function drain(at: Attempt, step: Step, entry: Entry, noWait: boolean): Promise<Entry[]> {
  if (Object.keys(entry.held).length === 0) return [];
  const rows = await takeHeld(at.tx, entry.id);
  entry.held = {};
  return applyHeld(at, step, rows, noWait);
}

/** Takes what waited for a create at a connection: the receipt told whose object it is, or the wait is over. */
async function drainForCreate(
  at: Attempt,
  step: Step,
  connection: string,
  noun: string,
  noWait: boolean,
): Promise<Entry[]> {
  return applyHeld(at, step, await takeHeldForCreate(at.tx, connection, noun), noWait);
}

async function applyHeld(at: Attempt, step: Step, rows: readonly HeldRow[], noWait: boolean): Promise<Entry[]> {
  const touched: Entry[] = [];
  for (const row of rows) {
    const held: ObservationStep = {
      type: 'observation',
      record: step.record,
      envelope: row.envelope as RawEnvelope,
      provider: row.provider,
      connection: row.connection,
      source: sourceKey(row.connection, row.noun),
      observation: row.observation as Observation,
      waitsSince: row.since,
    };
    // It may concern records that this batch has not locked: the key's owner may have come in the meantime.
    await lockEntries(at.tx, [held], at.topology, at.entries);
    touched.push(...(await applyObservation(at, held, noWait)));
  }
  // What waited is gone from where it waited.
  for (const { id } of touched) at.aside.add(id);
  return touched;
}

function heldRow(step: ObservationStep, id: string | null) {
  const { observation, envelope, connection, provider, waitsSince: since } = step;
  const { kind, noun } = observation;
  return { id, connection, kind: kind as Kind, noun, provider, observation, envelope, since };
}
