import type { Json, Observation } from '@syncline/contracts';
import { equal } from './equal.js';
import type { Ask, MergeContext, MergeState, Snapshot, SourceKey } from './state.js';

/** Is `got` what the source keeps when we send `sent`? */
export function keptAs(
  ctx: MergeContext,
  source: SourceKey,
  field: string,
  sent: Json,
  got: Json | undefined,
): boolean {
  return equal(sent, got) || equal(ctx.policy.normalise(source, field, sent), got);
}

/** Does the source's snapshot lack the record's value of a field, in the form the source keeps? */
export function differs(ctx: MergeContext, state: MergeState, source: SourceKey, field: string): boolean {
  const snapshot = state.snapshots.get(source);
  const wanted = state.fields[field]?.value;
  if (!snapshot || wanted === undefined) return false;
  const stands = snapshot.standsFor[field];
  if (equal(stands === undefined ? snapshot.fields[field] : stands, wanted)) return false;
  const form = ctx.policy.normalise(source, field, wanted);
  return form !== undefined && !equal(snapshot.fields[field], form);
}

/** Unanswered asks of a field, oldest first. */
export function asksOf(ctx: MergeContext, state: MergeState, source: SourceKey, field: string): readonly Ask[] {
  return ctx.rules.asks ? (state.asks.get(source)?.get(field) ?? []) : [];
}

/** True while any write to that source is unanswered. */
export function anyAsk(ctx: MergeContext, state: MergeState, source: SourceKey): boolean {
  if (!ctx.rules.asks) return false;
  for (const asks of state.asks.get(source)?.values() ?? []) if (asks.length > 0) return true;
  return false;
}

/** Fields the source lacks, and those an unanswered write of ours may still change there. */
export function behind(ctx: MergeContext, state: MergeState, source: SourceKey): string[] {
  const snapshot = state.snapshots.get(source);
  if (!snapshot || snapshot.deleted) return [];
  return ctx.policy
    .writable(source)
    .filter((f) => differs(ctx, state, source, f) || asksOf(ctx, state, source, f).length > 0);
}

/** Did the source hold this very change of the field's value when it was last seen? */
export function knows(snapshot: Snapshot | undefined, field: string): boolean {
  return !!snapshot && !snapshot.deleted && snapshot.knows.has(field);
}

/** Notes which of the record's present values the source now holds. */
export function learn(ctx: MergeContext, state: MergeState, source: SourceKey): void {
  const snapshot = state.snapshots.get(source);
  if (!snapshot) return;
  for (const field in state.fields)
    if (field in snapshot.fields && !differs(ctx, state, source, field)) snapshot.knows.add(field);
}

/** Is a message older than what was already seen of the object? Ties: a read made after that second beats its webhooks, else by arrival. */
export function superseded(ctx: MergeContext, m: Observation, snapshot: Snapshot | undefined): boolean {
  if (!snapshot) return false;
  if (ctx.rules.deleteWins && snapshot.deleted && m.externalId === snapshot.externalId && !m.deleted) {
    // A deleted id stays deleted until a read made after the deletion shows it.
    return !(m.readAt !== undefined && m.readAt > snapshot.version && m.version >= snapshot.version);
  }
  if (snapshot.deleted && m.externalId !== snapshot.externalId) return false;
  if (m.version !== snapshot.version) return m.version < snapshot.version;
  if (ctx.rules.deleteWins && m.deleted) return false;
  if (!ctx.rules.confirm) return false;
  const confirmed = (readAt: number | null | undefined, version: number) =>
    typeof readAt === 'number' && readAt > version ? 1 : 0;
  const [a, b] = [confirmed(m.readAt, m.version), confirmed(snapshot.readAt, snapshot.version)];
  if (a !== b) return a < b;
  return m.tie !== undefined && snapshot.tie !== null && m.tie < snapshot.tie;
}
