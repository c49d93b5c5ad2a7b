import type { Json } from '@syncline/contracts';
import { type Db, moveIdentities, noteAmbiguity } from '@syncline/store';
import type { ObservationStep } from './decode.js';
import {
  addKey,
  type Entries,
  type Entry,
  entryByKey,
  naturalKeys,
  newEntry,
  ownKey,
  referenceKeys,
} from './entries.js';
import { isEmpty } from './merge/equal.js';
import { edit } from './merge/observe.js';
import type { SourceKey } from './merge/state.js';
import type { Topology } from './topology.js';

/** Two records that are one: `winner` lives on, `loser` is its alias. */
export interface Joined {
  winner: Entry;
  loser: Entry;
}

/** Where a message belongs: a record, or null where nobody knows its object and a create of ours might be it. */
export interface Resolved {
  entry: Entry | null;
  /** Records that were joined into another on the way. */
  joined: Joined[];
}

/**
 * Finds the record a message is about by its keys, makes it where there is none, and joins two records that a key shows to be
 * one. `mayBeOurs` says whether an unknown object may be a create of ours that is under way.
 */
export async function resolve(
  tx: Db,
  entries: Entries,
  step: ObservationStep,
  topology: Topology,
  mayBeOurs: () => Promise<boolean>,
): Promise<Resolved> {
  const joined: Joined[] = [];
  let entry = entryByKey(entries, ownKey(step));
  for (const key of naturalKeys(step)) {
    const other = entryByKey(entries, key);
    if (!other) continue;
    if (!entry && !taken(other, step.source, step.observation.externalId)) {
      entry = other;
      addKey(entries, ownKey(step), entry.id);
    } else if (entry && entry !== other && !clash(entry, other, step)) {
      const made = await join(tx, entries, entry, other, topology);
      joined.push(made);
      entry = made.winner;
    } else if (entry !== other) {
      await noteAmbiguity(tx, {
        ...key,
        connection: step.connection,
        externalId: step.observation.externalId,
        id: other.id,
      });
    }
  }
  if (!entry) {
    if (await mayBeOurs()) return { entry: null, joined };
    entry = newEntry(entries, step.observation.kind);
    addKey(entries, ownKey(step), entry.id);
  }
  for (const key of naturalKeys(step)) if (!entryByKey(entries, key)) addKey(entries, key, entry.id);
  return { entry, joined };
}

/** Fills the reference fields of a message with canonical ids; a record that is only mentioned gets its id here. */
export function fillReferences(entries: Entries, step: ObservationStep, topology: Topology): void {
  for (const { field, key } of referenceKeys(step, topology)) {
    let target = entryByKey(entries, key);
    if (!target) {
      target = newEntry(entries, key.kind);
      addKey(entries, key, target.id);
    }
    step.observation.fields[field] = target.id;
  }
}

/** Does the record already have another live object at that source? */
function taken(entry: Entry, source: SourceKey, externalId: string): boolean {
  const s = entry.state.snapshots.get(source);
  return !!s && !s.deleted && s.externalId !== externalId;
}

/** Would a join put two live objects of one source into one record? */
function clash(a: Entry, b: Entry, step: ObservationStep): boolean {
  if (taken(b, step.source, step.observation.externalId)) return true;
  for (const [source, s] of a.state.snapshots) if (!s.deleted && taken(b, source, s.externalId)) return true;
  return false;
}

/**
 * Makes two records one: the older id lives on with the sources of both, the other becomes its alias. Where both have a value
 * the usual rules decide, as if the younger record's values were edits made at its source.
 */
export async function join(tx: Db, entries: Entries, a: Entry, b: Entry, topology: Topology): Promise<Joined> {
  const [winner, loser] = older(a, b) ? [a, b] : [b, a];
  const ctx = topology.context(winner.kind);
  for (const [source, s] of loser.state.snapshots)
    if (!winner.state.snapshots.has(source) || winner.state.snapshots.get(source)?.deleted)
      winner.state.snapshots.set(source, { ...s, knows: new Set() });
  for (const [source, asks] of loser.state.asks)
    if (!winner.state.asks.has(source)) winner.state.asks.set(source, asks);
  for (const field in loser.state.fields) {
    const f = loser.state.fields[field];
    if (!f || (isEmpty(f.value) && winner.state.fields[field])) continue;
    edit(ctx, winner.state, `${f.by}/`, field, f.value as Json, f.at, isEmpty(winner.state.fields[field]?.value));
  }
  for (const [source, n] of Object.entries(loser.held)) winner.held[source] = (winner.held[source] ?? 0) + n;
  loser.mergedInto = winner.id;
  loser.held = {};
  for (const [text, id] of entries.byKey) if (id === loser.id) entries.byKey.set(text, winner.id);
  for (const [text, added] of entries.added)
    if (added.id === loser.id) entries.added.set(text, { ...added, id: winner.id });
  await moveIdentities(tx, loser.id, winner.id);
  return { winner, loser };
}

function older(a: Entry, b: Entry): boolean {
  if (!a.row || !b.row) return a.row !== null;
  return a.row.createdAt === b.row.createdAt ? a.id < b.id : a.row.createdAt < b.row.createdAt;
}
