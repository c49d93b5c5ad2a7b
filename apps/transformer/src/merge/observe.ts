import type { Fields, Json, Observation } from '@syncline/contracts';
import { asksOf, differs, keptAs, knows, learn, superseded } from './compare.js';
import { noteDecision } from './decided.js';
import { equal, isEmpty } from './equal.js';
import { connectionOf, isBlank, type MergeContext, type MergeState, type Snapshot, type SourceKey } from './state.js';

const versionsKept = 8;
const triesKept = 4;

/**
 * Takes what a source said of its object into the record, by the rules of two-way sync. Returns true where a revision must
 * be published: the record changed, or its source must be put right.
 */
export function observe(ctx: MergeContext, state: MergeState, source: SourceKey, m: Observation): boolean {
  const before = state.snapshots.get(source);
  if (before && before.externalId !== m.externalId && !before.deleted) return false; // a second object: counted by the caller
  if (superseded(ctx, m, before)) return ctx.rules.keepOwn ? overwritten(ctx, state, source, m) : false;
  if (m.deleted) {
    const was = state.deleted;
    const fields = { ...before?.fields, ...m.fields };
    state.snapshots.set(source, { ...snapshotOf(m, before), fields, own: { version: m.version, fields } });
    state.deleted = true;
    return !was;
  }
  if (isBlank(state)) return firstSight(ctx, state, source, m);
  if (state.deleted) {
    const undeleted = !!before?.deleted && before.externalId === m.externalId;
    if (!undeleted && ctx.rules.deleteWins) {
      state.snapshots.set(source, snapshotOf(m, before));
      return true; // the tombstone again: this source still has an object to remove
    }
    state.deleted = false;
  }
  return takeFields(ctx, state, source, m, before);
}

function firstSight(ctx: MergeContext, state: MergeState, source: SourceKey, m: Observation): boolean {
  const stamp = ++state.stamp;
  const by = connectionOf(source);
  for (const field in m.fields) state.fields[field] = { value: m.fields[field] as Json, by, at: m.version, stamp };
  state.snapshots.set(source, snapshotOf(m, undefined));
  learn(ctx, state, source);
  return true;
}

function takeFields(
  ctx: MergeContext,
  state: MergeState,
  source: SourceKey,
  m: Observation,
  before: Snapshot | undefined,
): boolean {
  let dirty = !before || before.deleted || !equal(before.native, m.native);
  const moved: string[] = [];
  const standsFor: Fields = before ? { ...before.standsFor } : {};
  const fields: Fields = { ...before?.fields };
  for (const field in m.fields) {
    const value = m.fields[field] as Json;
    const same = equal(fields[field], value);
    if (!same) fields[field] = value; // an equal value keeps its identity: comparing it again costs nothing
    if (same && before && !before.deleted) continue;
    const known = knows(before, field);
    moved.push(field);
    delete standsFor[field];
    const ask = asksOf(ctx, state, source, field).find((a) => keptAs(ctx, source, field, a.value, value));
    if (ask) {
      // Our own write, seen back: the snapshot moves, the record does not.
      if (!equal(ask.value, value)) standsFor[field] = ask.value;
      continue;
    }
    if (isEmpty(value) && isEmpty(before?.fields[field]) && state.fields[field]) continue; // it never held one: no edit
    dirty = edit(ctx, state, source, field, value, m.version, known) || dirty;
  }
  const ours = before?.ourVersions.includes(m.version) ?? false;
  state.snapshots.set(source, {
    ...snapshotOf(m, before),
    fields,
    standsFor,
    ourVersions: before?.ourVersions ?? [],
    maybe: before?.maybe ?? [],
    own: ours && before ? before.own : { version: m.version, fields },
  });
  learn(ctx, state, source);
  const writable = ctx.policy.writable(source);
  if (ctx.rules.publishBehind && moved.some((f) => writable.includes(f) && differs(ctx, state, source, f)))
    dirty = true;
  return dirty;
}

/** A snapshot of what a message shows; what is known of earlier writes is carried over by the caller. */
export function snapshotOf(m: Observation, before: Snapshot | undefined): Snapshot {
  return {
    externalId: m.externalId,
    version: m.version,
    tie: m.tie ?? null,
    readAt: m.readAt ?? null,
    deleted: m.deleted ?? false,
    fields: m.fields,
    native: m.native,
    standsFor: {},
    knows: new Set(before && !before.deleted ? before.knows : []),
    ourVersions: [],
    maybe: [],
    own: { version: m.version, fields: m.fields },
  };
}

/**
 * An edit of one field made at a source: does the record take it? An owner's edits are the only ones taken; without an owner
 * an edit by someone who saw the present value is taken whatever its clock says, any other only if its time is not older.
 */
export function edit(
  ctx: MergeContext,
  state: MergeState,
  source: SourceKey,
  field: string,
  value: Json,
  at: number,
  known: boolean,
): boolean {
  const present = state.fields[field];
  const connection = connectionOf(source);
  const owner = ctx.policy.owner(field);
  const mayOwn = owner === undefined || owner === connection;
  if (present && equal(present.value, value)) {
    if (ctx.rules.causal && at > present.at && mayOwn) present.at = at;
    return false;
  }
  const taken = !present || (owner === undefined ? (ctx.rules.causal && known) || at >= present.at : mayOwn);
  if (present) noteDecision(ctx, state, source, { field, value, at, known, present, taken });
  if (!taken) return false;
  state.fields[field] = { value, by: connection, at, stamp: ++state.stamp };
  for (const snapshot of state.snapshots.values()) snapshot.knows.delete(field);
  return true;
}

/** An older state of an object that arrives after the receipt of our write that overwrote it: the edit in it was real. */
function overwritten(ctx: MergeContext, state: MergeState, source: SourceKey, m: Observation): boolean {
  const s = state.snapshots.get(source);
  if (!s || s.deleted || m.deleted || state.deleted) return false;
  let dirty = false;
  for (const field in m.fields) {
    // It shows that a write of unknown outcome landed: what the source holds now was edited after it.
    const value = m.fields[field] as Json;
    const landed = s.maybe.find((t) => field in t && equal(t[field], value));
    if (!landed || equal(s.fields[field], value)) continue;
    const known = equal(landed[field], state.fields[field]?.value);
    dirty = edit(ctx, state, source, field, s.fields[field] as Json, s.version, known) || dirty;
    s.maybe = s.maybe.filter((t) => t !== landed);
  }
  const between = m.version > s.own.version && m.version < s.version && !s.ourVersions.includes(m.version);
  if (ctx.policy.conditional(source) || !between) return dirty;
  for (const field in m.fields) {
    const value = m.fields[field] as Json;
    if (equal(s.own.fields[field], value) || s.standsFor[field] === undefined) continue;
    dirty = edit(ctx, state, source, field, value, m.version, false) || dirty;
  }
  s.own = { version: m.version, fields: { ...s.own.fields, ...m.fields } };
  return dirty;
}

/** Remembers a version that a write of ours made. */
export const withVersion = (versions: readonly number[], version: number): number[] =>
  [...versions, version].slice(-versionsKept);
/** Remembers writes whose outcome is unknown. */
export const withTries = (tries: readonly Fields[], more: readonly Fields[]): Fields[] =>
  [...tries, ...more].slice(-triesKept);

/**
 * Must a message wait for the receipt of a write of ours? A change of a field with an unanswered ask does, unless it plainly
 * is that write. The caller bounds the wait and keeps the record's later messages of that source behind it.
 */
export function mustWait(ctx: MergeContext, state: MergeState, source: SourceKey, m: Observation): boolean {
  if (!ctx.rules.hold || m.deleted || isBlank(state)) return false;
  const s = state.snapshots.get(source);
  if (superseded(ctx, m, s)) return false;
  for (const field in m.fields) {
    if (asksOf(ctx, state, source, field).length === 0) continue;
    const value = m.fields[field] as Json;
    const changed = s ? !equal(s.fields[field], value) : true;
    if (changed && !keptAs(ctx, source, field, state.fields[field]?.value ?? null, value)) return true;
  }
  return false;
}
