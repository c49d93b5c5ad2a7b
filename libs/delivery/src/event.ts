import type { ObjectTarget } from '@syncline/connector-sdk';
import type { CanonicalRecord, Fields, Source } from '@syncline/contracts';
import { SyncError } from '@syncline/contracts';
import type { EventView, SourceView, TargetForm } from './decide.js';
import { kindOfReference } from './flows.js';

/** A canonical event's JSON text as a record. Throws `unmappable` naming what is wrong with it. */
export function parseEvent(text: string, id: string, kind: string): CanonicalRecord {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new SyncError('unmappable', 'the event is no JSON');
  }
  const record = value as Partial<CanonicalRecord> | null;
  const wrong = (path: string, why: string) => new SyncError('unmappable', `${path} of the event ${why}`, { path });
  if (typeof record !== 'object' || record === null) throw new SyncError('unmappable', 'the event is no JSON object');
  if (record.id !== id) throw wrong('id', 'is not the message key');
  if (record.kind !== kind) throw wrong('kind', `is not ${kind}`);
  if (!Array.isArray(record.sources)) throw wrong('sources', 'is no list');
  if (typeof record.data !== 'object' || record.data === null) throw wrong('data', 'is no object');
  return record as CanonicalRecord;
}

/** The entry of the event's sources that an object at the target stands for: the one we know, else the one that lives. */
export function sourceAt(
  sources: readonly Source[],
  target: string,
  noun: string,
  externalId: string | null,
): Source | null {
  const here = sources.filter((s) => s.connection === target && s.noun === noun);
  const known = here.find((s) => s.externalId === externalId);
  if (known && !known.deleted) return known;
  // An object of ours that the event does not name yet stays the record's object; one it calls deleted gives way.
  if (externalId !== null && !known) return null;
  return here.find((s) => !s.deleted) ?? known ?? here[0] ?? null;
}

/** What the target gets to see of its own form. */
export function formOf(spec: ObjectTarget): TargetForm {
  return {
    updates: spec.updates,
    creates: spec.creates,
    removes: spec.remove !== undefined,
    ...(spec.normalise ? { normalise: spec.normalise } : {}),
  };
}

/** References that a write needs: field → canonical id, null where the record does not name one yet. */
export function referencesOf(spec: ObjectTarget, fields: Fields): Map<string, string | null> {
  const found = spec.needs.filter((f) => kindOfReference(f) !== null);
  return new Map(found.map((f) => [f, typeof fields[f] === 'string' ? (fields[f] as string) : null]));
}

/** Whether the target should get an object of a record that has none there yet. */
export const belongs = (spec: ObjectTarget, record: CanonicalRecord): boolean =>
  spec.creates.length > 0 && spec.applies(record) === true;

/** The event of a live record as `decide` takes it; `linked` says which canonical ids are known at the target. */
export function viewOf(
  record: CanonicalRecord,
  source: SourceView | null,
  spec: ObjectTarget,
  linked: ReadonlyMap<string, string>,
): EventView {
  const fields = record.data as Fields;
  const missing = [...referencesOf(spec, fields)].filter(([, id]) => id === null || !linked.has(id));
  return {
    revision: record.revision,
    deleted: false,
    fields,
    source,
    wanted: belongs(spec, record),
    missing: missing.map(([field]) => field),
  };
}

/** A tombstone as `decide` takes it. */
export function tombstoneView(revision: number): EventView {
  return { revision, deleted: true, fields: {}, source: null, wanted: false, missing: [] };
}
