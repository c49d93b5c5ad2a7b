import { behind } from './compare.js';
import type { Ask, MergeContext, MergeState, SourceKey } from './state.js';

const asksKept = 32;

/**
 * Opens, in the same step that publishes a revision, an ask for everything it wants of its sources: fields that are behind,
 * and whole objects where one is to be made.
 */
export function openAsks(ctx: MergeContext, state: MergeState, revision: number): void {
  if (!ctx.rules.asks || state.deleted) return;
  for (const source of state.snapshots.keys())
    for (const field of behind(ctx, state, source)) ask(state, source, field, revision);
  for (const [source, fields] of ctx.policy.creatable(state)) {
    if (state.snapshots.has(source)) continue;
    for (const field of fields) if (state.fields[field] !== undefined) ask(state, source, field, revision);
  }
}

function ask(state: MergeState, source: SourceKey, field: string, revision: number): void {
  const value = state.fields[field]?.value;
  if (value === undefined) return;
  let fields = state.asks.get(source);
  if (!fields) {
    fields = new Map<string, Ask[]>();
    state.asks.set(source, fields);
  }
  const list = fields.get(field) ?? [];
  fields.set(field, [...list, { revision, value }].slice(-asksKept));
}
