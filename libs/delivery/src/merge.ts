/** One of two records' objects at the target. */
export interface MergeSide {
  readonly externalId: string | null;
  readonly made: boolean;
  /** A read showed the object alive. */
  readonly alive: boolean;
}

/** What becomes of the objects of two records that turned out to be one. */
export type MergeAction =
  /** Nothing of the alias is left to take over. */
  | { readonly do: 'nothing' }
  /** The survivor takes the alias's object over. */
  | { readonly do: 'move' }
  /** Two objects of one record: `drop` is removed, the survivor keeps or takes the other. */
  | { readonly do: 'drop'; readonly drop: 'alias' | 'survivor' }
  /** Two objects that people made: neither is ours to delete; the survivor keeps its own. */
  | { readonly do: 'leave' };

/**
 * What a writer does with the tombstone of a record that was joined into another: an object nobody of us created is never
 * deleted, and of two that are ours the alias's goes.
 */
export function decideMerge(alias: MergeSide, survivor: MergeSide): MergeAction {
  if (alias.externalId === null || !alias.alive) return { do: 'nothing' };
  if (survivor.externalId === null || !survivor.alive || survivor.externalId === alias.externalId)
    return { do: 'move' };
  if (alias.made) return { do: 'drop', drop: 'alias' };
  return survivor.made ? { do: 'drop', drop: 'survivor' } : { do: 'leave' };
}
