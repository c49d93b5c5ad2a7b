import type { Fields, Json, Observation } from '@syncline/contracts';
import { differs, learn } from './compare.js';
import { equal } from './equal.js';
import { connectionOf, type MergeContext, type MergeState, type Snapshot, type SourceKey } from './state.js';

/**
 * Where a raw message that is given again stands to what is known of its object. `unseen`: its state was never taken (it could
 * not be mapped then), so it is observed like any other. `same`: it is the very message the snapshot was made of, by version,
 * tie and time of reading. `older`: anything else; everything in it was taken, or overtaken, when it first came.
 *
 * A live message of an equal version is taken, since it may hold a later change of the same second. A replayed one is not,
 * unless it is the snapshot's own: the log still has the states before it, and taking one of those as news would undo edits.
 * So an object whose last state came as the answer to a write of ours is not mapped anew by a replay, only by its next change
 * or a backfill.
 */
export function placeOfReplay(m: Observation, snapshot: Snapshot | undefined): 'unseen' | 'same' | 'older' {
  if (!snapshot || m.version > snapshot.version) return 'unseen';
  const same =
    m.version === snapshot.version &&
    m.externalId === snapshot.externalId &&
    (m.deleted ?? false) === snapshot.deleted &&
    (m.tie ?? null) === snapshot.tie &&
    (m.readAt ?? null) === snapshot.readAt;
  return same ? 'same' : 'older';
}

/**
 * Takes what the present mapping makes of the message that a source's snapshot was made of. The source did not change, our
 * reading of it did: a value that the record has from this message is corrected, at its old time, and one that the record
 * lacks is added; whatever anybody else set, or has set since, stays. Fields the mapping no longer names stay too. Returns
 * true where a revision must be published.
 */
export function correct(ctx: MergeContext, state: MergeState, source: SourceKey, m: Observation): boolean {
  const before = state.snapshots.get(source);
  if (!before || before.deleted || m.deleted || state.deleted) return false;
  const by = connectionOf(source);
  const fields: Fields = { ...before.fields };
  const moved: string[] = [];
  let dirty = !equal(before.native, m.native);
  for (const field in m.fields) {
    const value = m.fields[field] as Json;
    const was = before.fields[field];
    if (equal(was, value)) continue;
    fields[field] = value;
    moved.push(field);
    const present = state.fields[field];
    if (present && !(present.by === by && equal(present.value, was))) continue;
    state.fields[field] = { value, by, at: present?.at ?? m.version, stamp: ++state.stamp };
    for (const snapshot of state.snapshots.values()) snapshot.knows.delete(field);
    dirty = true;
  }
  if (moved.length === 0 && !dirty) return false;
  const standsFor = Object.fromEntries(Object.entries(before.standsFor).filter(([field]) => !moved.includes(field)));
  const own = before.own.version === before.version ? { version: before.version, fields } : before.own;
  state.snapshots.set(source, { ...before, fields, native: m.native, standsFor, own });
  learn(ctx, state, source);
  const writable = ctx.policy.writable(source);
  return dirty || moved.some((f) => writable.includes(f) && differs(ctx, state, source, f));
}
