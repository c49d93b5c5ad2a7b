import { randomUUID } from 'node:crypto';
import type { Kind } from '@syncline/contracts';
import { type Db, findIdentities, type IdentityKey, lockRecords, type RecordRow } from '@syncline/store';
import { type ObservationStep, observedStep, type Step } from './decode.js';
import { readState } from './document.js';
import { emptyState, type MergeState, type SourceKey, sourceKey } from './merge/state.js';
import type { Topology } from './topology.js';

/** A record as a batch works on it, locked. */
export interface Entry {
  id: string;
  kind: Kind;
  row: RecordRow | null;
  state: MergeState;
  held: Record<SourceKey, number>;
  mergedInto: string | null;
  /** The newest stamp when the batch began: fields with a newer one changed since, and the history names them. */
  stampBefore: number;
  /** The message that makes the next revision necessary; null while none does. */
  cause: Step | null;
  /** What was published last in this batch. */
  published: { revision: number; document: string | null } | null;
}

/** Everything a batch has locked and found, by id and by natural key. */
export interface Entries {
  byId: Map<string, Entry>;
  byKey: Map<string, string>;
  /** Natural keys that this batch adds. */
  added: Map<string, IdentityKey & { id: string }>;
  /** How often rows were locked: a revision drawn before the last time may be older than what such a row already has. */
  locks: number;
}

export const keyText = (k: IdentityKey): string => `${k.kind} ${k.scope} ${k.key}`;

/** The key of an object by its external id. */
export const ownKey = (o: ObservationStep): IdentityKey => ({
  kind: o.observation.kind,
  scope: o.source,
  key: o.observation.externalId,
});

/** The natural keys a message gives its record, besides the external id. */
export const naturalKeys = (o: ObservationStep): IdentityKey[] =>
  o.observation.keys.map((k) => ({ kind: o.observation.kind, ...k }));

/** The natural key of each reference; a name that could mean several shops resolves to none. */
export function referenceKeys(o: ObservationStep, topology: Topology): { field: string; key: IdentityKey }[] {
  return o.observation.refs.flatMap((r) => {
    if (r.externalId !== undefined) {
      const noun = topology.nounFor(o.connection, r.kind);
      return noun === null
        ? []
        : [{ field: r.field, key: { kind: r.kind, scope: `${o.connection}/${noun}`, key: r.externalId } }];
    }
    const shop = topology.namesFor(o.connection, r.kind);
    return shop === null || r.name === undefined
      ? []
      : [{ field: r.field, key: { kind: r.kind, scope: `name:${shop}`, key: r.name } }];
  });
}

/** Finds and locks, in id order, every record that the steps may concern and that is not locked yet. */
export async function lockEntries(
  tx: Db,
  steps: readonly Step[],
  topology: Topology,
  entries: Entries = { byId: new Map(), byKey: new Map(), added: new Map(), locks: 0 },
): Promise<Entries> {
  const keys = new Map<string, IdentityKey>();
  const ids = new Set<string>();
  for (const step of steps) {
    for (const key of keysOf(step, topology)) {
      const text = keyText(key);
      if (!entries.byKey.has(text)) keys.set(text, key);
    }
    if (step.type === 'receipt' && step.receipt.id !== '') ids.add(step.receipt.id);
  }
  for (const found of await findIdentities(tx, [...keys.values()])) {
    entries.byKey.set(keyText(found), found.id);
    ids.add(found.id);
  }
  await lockMore(tx, entries, [...ids]);
  return entries;
}

/** Locks further records, and those that any of them was joined into. */
export async function lockMore(tx: Db, entries: Entries, ids: readonly string[]): Promise<void> {
  const more = ids.filter((id) => !entries.byId.has(id));
  if (more.length === 0) return;
  entries.locks++;
  const rows = await lockRecords(tx, more);
  for (const row of rows) entries.byId.set(row.id, entryOf(row));
  const winners = rows.flatMap((r) => (r.mergedInto && !entries.byId.has(r.mergedInto) ? [r.mergedInto] : []));
  if (winners.length > 0) await lockMore(tx, entries, winners);
}

function keysOf(step: Step, topology: Topology): IdentityKey[] {
  if (step.type === 'observation')
    return [ownKey(step), ...naturalKeys(step), ...referenceKeys(step, topology).map((r) => r.key)];
  const { receipt } = step;
  if (receipt.type !== 'receipt') return [];
  const own = { kind: receipt.kind, scope: sourceKey(receipt.connection, receipt.noun), key: receipt.externalId ?? '' };
  const references = receipt.observed ? referenceKeys(observedStep(step, receipt.observed), topology) : [];
  return [...(receipt.externalId === null ? [] : [own]), ...references.map((r) => r.key)];
}

function entryOf(row: RecordRow): Entry {
  const { state, held } = readState(row.document, row.state, row.deleted);
  return {
    id: row.id,
    kind: row.kind,
    row,
    state,
    held,
    mergedInto: row.mergedInto,
    stampBefore: state.stamp,
    cause: null,
    published: null,
  };
}

/** A record that did not exist before this batch. */
export function newEntry(entries: Entries, kind: Kind): Entry {
  const entry: Entry = {
    id: randomUUID(),
    kind,
    row: null,
    state: emptyState(),
    held: {},
    mergedInto: null,
    stampBefore: 0,
    cause: null,
    published: null,
  };
  entries.byId.set(entry.id, entry);
  return entry;
}

/** The record of a key, followed to where it lives on; null where nobody has the key. */
export function entryByKey(entries: Entries, key: IdentityKey): Entry | null {
  const id = entries.byKey.get(keyText(key));
  return id === undefined ? null : entryById(entries, id);
}

/** The record of an id, followed to where it lives on. */
export function entryById(entries: Entries, id: string): Entry | null {
  let entry = entries.byId.get(id) ?? null;
  for (let hops = 0; entry?.mergedInto && hops < 10; hops++) entry = entries.byId.get(entry.mergedInto) ?? null;
  return entry;
}

/** Gives a record a natural key. */
export function addKey(entries: Entries, key: IdentityKey, id: string): void {
  const text = keyText(key);
  entries.byKey.set(text, id);
  entries.added.set(text, { ...key, id });
}
