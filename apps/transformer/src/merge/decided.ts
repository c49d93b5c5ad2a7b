import type { Json } from '@syncline/contracts';
import { keptAs } from './compare.js';
import { isEmpty } from './equal.js';
import { connectionOf, type FieldState, type MergeContext, type MergeState, type SourceKey } from './state.js';

/** Why a conflict went as it did: its winner owns the field, its edit is newer, or of two of one moment it came later. */
export type Why = 'owner' | 'newer' | 'tie';

/** One of two edits that met. */
export interface Side {
  connection: string;
  /** The source's own time of the edit, milliseconds since the epoch. */
  at: number;
  value: Json;
}

/** Two edits of one field, made at two sources without either knowing the other, and which of them the record took. */
export interface Conflict {
  field: string;
  won: Side;
  lost: Side;
  why: Why;
}

/** A target confirmed a write and then held neither what was sent nor the form its connector declares for it. */
export interface Unstable {
  source: SourceKey;
  field: string;
  sent: Json;
  kept: Json;
}

/**
 * Notes an edit that met another value in the record, if that was a conflict. None is: what its source says of an object for
 * the first time, an edit by someone who saw the present value, one of the same source's own, the owner's over a value that
 * was never an edit, and whatever loses nothing.
 */
export function noteDecision(
  ctx: MergeContext,
  state: MergeState,
  source: SourceKey,
  met: { field: string; value: Json; at: number; known: boolean; present: FieldState; taken: boolean },
): void {
  const { field, value, at, known, present, taken } = met;
  const seen = state.snapshots.get(source);
  if (!seen || seen.deleted) return;
  const owner = ctx.policy.owner(field);
  const connection = connectionOf(source);
  if (owner === undefined ? known || present.by === connection : taken) return;
  const edited: Side = { connection, at, value };
  const had: Side = { connection: present.by, at: present.at, value: present.value };
  const [won, lost] = taken ? [edited, had] : [had, edited];
  if (isEmpty(lost.value)) return;
  const why = owner !== undefined ? 'owner' : at === present.at ? 'tie' : 'newer';
  // What the owner has not edited yet is somebody else's first value; it stands all the same because the field is the owner's.
  state.conflicts.push({ field, won: why === 'owner' ? { ...won, connection: owner as string } : won, lost, why });
}

/** Notes where a target keeps neither what a confirmed write sent nor the declared form of it. */
export function noteKept(
  ctx: MergeContext,
  state: MergeState,
  source: SourceKey,
  field: string,
  sent: Json,
  kept: Json | undefined,
): void {
  if (keptAs(ctx, source, field, sent, kept)) return;
  state.unstable.push({ source, field, sent, kept: kept ?? null });
}
