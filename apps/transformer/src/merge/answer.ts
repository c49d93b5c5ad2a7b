import type { Fields, Json, Observation, Receipt } from '@syncline/contracts';
import { anyAsk, asksOf, behind, differs, keptAs, knows, learn, superseded } from './compare.js';
import { noteKept } from './decided.js';
import { equal, isEmpty } from './equal.js';
import { edit, observe, snapshotOf, withTries, withVersion } from './observe.js';
import type { MergeContext, MergeState, Snapshot, SourceKey } from './state.js';

/** A receipt that ends a revision at a target. */
export type Answer = Extract<Receipt, { type: 'receipt' }>;

/**
 * Takes a writer's receipt into the record: it closes the asks up to its revision and is itself an observation of the
 * target, in which what differs from the write and is newer is an edit. Returns true where a revision must be published.
 */
export function answer(ctx: MergeContext, state: MergeState, source: SourceKey, r: Answer): boolean {
  if (!ctx.rules.asks) return false;
  const observed = r.observed;
  if (!observed || r.outcome === 'gone') {
    closeAsks(state, source, r.revision); // a deletion comes by its own event
    return false;
  }
  const s = state.snapshots.get(source);
  const declined = r.outcome === 'declined';
  let dirty: boolean;
  if (superseded(ctx, observed, s)) dirty = late(ctx, state, source, r, observed);
  else if (s && !s.deleted && s.externalId === observed.externalId && !state.deleted)
    dirty = current(ctx, state, source, r, observed, s);
  else if (!s) dirty = created(ctx, state, source, r, observed);
  else {
    closeAsks(state, source, r.revision);
    dirty = observe(ctx, state, source, observed);
  }
  const lacking = behind(ctx, state, source);
  if (lacking.length > 0 && !dirty) {
    const again =
      ctx.rules.publishBehind && !anyAsk(ctx, state, source) && lacking.some((f) => differs(ctx, state, source, f));
    dirty = declined || again;
  }
  return dirty;
}

function closeAsks(state: MergeState, source: SourceKey, revision: number): void {
  const asks = state.asks.get(source);
  if (!asks) return;
  for (const [field, list] of asks) {
    const left = list.filter((a) => a.revision > revision);
    if (left.length === 0) asks.delete(field);
    else asks.set(field, left);
  }
  if (asks.size === 0) state.asks.delete(source);
}

/** The source was seen newer already: what differs there from our write was edited after it. */
function late(ctx: MergeContext, state: MergeState, source: SourceKey, r: Answer, observed: Observation): boolean {
  const s = state.snapshots.get(source) as Snapshot;
  let dirty = false;
  for (const field in r.sent) {
    if (s.deleted) break;
    const sent = r.sent[field] as Json;
    if (equal(s.fields[field], observed.fields[field])) {
      s.standsFor[field] = sent;
      continue;
    }
    const now = s.fields[field];
    if (state.deleted || now === undefined) continue;
    if (asksOf(ctx, state, source, field).some((a) => keptAs(ctx, source, field, a.value, now))) continue;
    dirty = edit(ctx, state, source, field, now, s.version, equal(sent, state.fields[field]?.value)) || dirty;
  }
  closeAsks(state, source, r.revision);
  return dirty;
}

function current(
  ctx: MergeContext,
  state: MergeState,
  source: SourceKey,
  r: Answer,
  observed: Observation,
  s: Snapshot,
): boolean {
  let dirty = !equal(s.native, observed.native);
  /** What an earlier attempt of unknown outcome sent, where the target shows it. */
  const attempt = (field: string): Fields | undefined =>
    r.tries.find((t) => field in t && keptAs(ctx, source, field, t[field] as Json, observed.fields[field]));
  const oursToo = Object.keys(r.sent).length > 0 || Object.keys(observed.fields).some((f) => attempt(f) !== undefined);
  const standsFor: Fields = { ...s.standsFor };
  closeAsks(state, source, r.revision);
  for (const field in observed.fields) {
    const value = observed.fields[field] as Json;
    if (field in r.sent) {
      standsFor[field] = r.sent[field] as Json;
      noteKept(ctx, state, source, field, r.sent[field] as Json, value);
      continue;
    }
    if (equal(s.fields[field], value)) continue;
    const tried = attempt(field);
    if (tried) {
      standsFor[field] = tried[field] as Json;
      continue;
    }
    const known = knows(s, field);
    delete standsFor[field];
    dirty = edit(ctx, state, source, field, value, observed.version, known) || dirty;
  }
  const fields = { ...s.fields, ...observed.fields };
  state.snapshots.set(source, {
    ...snapshotOf(observed, s),
    fields,
    standsFor,
    own: oursToo ? s.own : { version: observed.version, fields },
    maybe: r.outcome === 'declined' ? withTries(s.maybe, r.tries) : [],
    ourVersions: oursToo ? withVersion(s.ourVersions, observed.version) : s.ourVersions,
  });
  learn(ctx, state, source);
  return dirty;
}

/** The receipt of a create: the first snapshot of the object we made. */
function created(ctx: MergeContext, state: MergeState, source: SourceKey, r: Answer, observed: Observation): boolean {
  closeAsks(state, source, r.revision);
  const first = r.tries[0];
  const snapshot = snapshotOf(observed, undefined);
  const decided = state.conflicts.length;
  state.snapshots.set(source, snapshot);
  for (const field in observed.fields) {
    const value = observed.fields[field] as Json;
    const made = r.sent[field] ?? first?.[field];
    if (field in r.sent) {
      snapshot.standsFor[field] = r.sent[field] as Json;
      noteKept(ctx, state, source, field, r.sent[field] as Json, value);
    } else if (isEmpty(value) && state.fields[field]) continue;
    else if (made === undefined || !keptAs(ctx, source, field, made, value)) {
      edit(
        ctx,
        state,
        source,
        field,
        value,
        observed.version,
        made !== undefined && equal(made, state.fields[field]?.value),
      );
    } else if (!equal(made, value)) snapshot.standsFor[field] = made;
  }
  // What an object shows at first is no edit.
  state.conflicts.length = decided;
  learn(ctx, state, source);
  return true;
}
