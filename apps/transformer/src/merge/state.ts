import type { Fields, Json } from '@syncline/contracts';
import type { Conflict, Unstable } from './decided.js';

/**
 * Where an object of the record lives, as the merge sees it: one connection's objects of one noun. A record has at most one
 * live object per source; a second one is ambiguous and never joined.
 */
export type SourceKey = string;

export const sourceKey = (connection: string, noun: string): SourceKey => `${connection}/${noun}`;

/** The connection of a source key. */
export const connectionOf = (key: SourceKey): string => key.slice(0, key.indexOf('/'));
/** The noun of a source key. */
export const nounOf = (key: SourceKey): string => key.slice(key.indexOf('/') + 1);

/** A field's present value in the record. */
export interface FieldState {
  value: Json;
  /** The connection whose edit it is. */
  by: string;
  /** That source's own time of the edit, milliseconds since the epoch. */
  at: number;
  /** Names this very change of the value: an equal value set again later has another stamp. */
  stamp: number;
}

/** The last state seen of an object, in the form its system keeps. */
export interface Snapshot {
  externalId: string;
  /** The provider's change time, milliseconds since the epoch. */
  version: number;
  tie: number | null;
  /** When it was read, by the source's clock; null for webhooks and for answers to writes. */
  readAt: number | null;
  deleted: boolean;
  fields: Fields;
  native: Record<string, string | null>;
  /** Canonical values that stored ones stand for, where the system keeps another form of them. */
  standsFor: Fields;
  /** Fields whose present change in the record this object held when it was last seen. */
  knows: Set<string>;
  /** Versions that writes of ours made. */
  ourVersions: number[];
  /** What writes of unknown outcome may have put there. */
  maybe: Fields[];
  /** The last state that was not made by a write of ours. */
  own: { version: number; fields: Fields };
}

/** What a published revision asked a source to take, until a receipt answers. */
export interface Ask {
  revision: number;
  value: Json;
}

/** Everything the merge knows of one record. The functions of this folder change it in place; the caller owns it. */
export interface MergeState {
  fields: Record<string, FieldState>;
  deleted: boolean;
  /** The newest stamp given out. */
  stamp: number;
  snapshots: Map<SourceKey, Snapshot>;
  asks: Map<SourceKey, Map<string, Ask[]>>;
  /** What was decided, and what a target was seen to keep, since the state was read: for the caller to store, never read here. */
  conflicts: Conflict[];
  unstable: Unstable[];
}

/** A record nobody has said anything of yet. */
export const emptyState = (): MergeState => ({
  fields: {},
  deleted: false,
  stamp: 0,
  snapshots: new Map(),
  asks: new Map(),
  conflicts: [],
  unstable: [],
});

/** True until the first observation: the record was only mentioned. */
export const isBlank = (state: MergeState): boolean =>
  state.snapshots.size === 0 && Object.keys(state.fields).length === 0;

/** What flows and connectors say about the sources of one kind of record. */
export interface Policy {
  /** The connection whose edits of a field are the only ones taken; undefined where the newest edit wins. */
  owner(field: string): string | undefined;
  /** Fields our writes can bring to an object there; empty where the source is no target of this kind. */
  writable(source: SourceKey): readonly string[];
  /** Sources a new object should be made at now: targets of a flow that takes this record and have none yet, with the fields a create sends. */
  creatable(state: MergeState): ReadonlyMap<SourceKey, readonly string[]>;
  /** The form a source keeps of a value; undefined where it cannot hold it. */
  normalise(source: SourceKey, field: string, value: Json): Json | undefined;
  /** True where writes there are conditional (ETag): nothing of a person is ever overwritten unseen. */
  conditional(source: SourceKey): boolean;
}

/**
 * The rules that make two-way sync converge, each of which the model shows to be needed. All are on in production; tests
 * switch single ones off and must then see the harm.
 */
export interface Rules {
  asks: boolean;
  hold: boolean;
  keepOwn: boolean;
  publishBehind: boolean;
  causal: boolean;
  confirm: boolean;
  deleteWins: boolean;
}

export const allRules: Rules = {
  asks: true,
  hold: true,
  keepOwn: true,
  publishBehind: true,
  causal: true,
  confirm: true,
  deleteWins: true,
};

/** What a merge needs beside the state and the message. */
export interface MergeContext {
  policy: Policy;
  rules: Rules;
}
