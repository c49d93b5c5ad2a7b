import type { Fields, Json, Kind } from '@syncline/contracts';
import { behind } from './merge/compare.js';
import { equal } from './merge/equal.js';
import {
  type Ask,
  connectionOf,
  emptyState,
  type FieldState,
  type MergeContext,
  type MergeState,
  nounOf,
  type Snapshot,
  type SourceKey,
} from './merge/state.js';

/** The JSON text of a canonical record, as topics, targets and the store carry it. */
export function documentText(
  ctx: MergeContext,
  state: MergeState,
  head: { id: string; kind: Kind; revision: number },
): string {
  let changedAt = 0;
  const data: Fields = {};
  for (const field in state.fields) {
    const f = state.fields[field] as FieldState;
    data[field] = f.value;
    if (f.at > changedAt) changedAt = f.at;
  }
  const sources = [...state.snapshots].map(([source, s]) => ({
    connection: connectionOf(source),
    noun: nounOf(source),
    externalId: s.externalId,
    deleted: s.deleted,
    seen: s.version,
    behind: behind(ctx, state, source),
    native: s.native,
  }));
  const provenance = groups(state).map((g) => ({ connection: g.by, at: g.at, fields: g.fields ?? ['*'] }));
  return (
    `{"id":"${head.id}","kind":"${head.kind}","revision":${head.revision},"changedAt":"${new Date(changedAt).toISOString()}",` +
    `"data":${JSON.stringify(data)},"sources":${JSON.stringify(sources)},"provenance":${JSON.stringify(provenance)}}`
  );
}

interface Group {
  by: string;
  at: number;
  /** null: every field that no other group names. */
  fields: string[] | null;
}

/** Fields by origin; the largest group is the one that names no fields. */
function groups(state: MergeState): Group[] {
  return largestUnnamed(
    partition(state, (f) => `${f.by} ${f.at}`),
    (fields, first) => ({ by: first.by, at: first.at, fields }),
  );
}

/** Field names by what a function says of their state, with one state of each. */
function partition(
  state: MergeState,
  keyOf: (f: FieldState) => string | number,
): { fields: string[]; first: FieldState }[] {
  const by = new Map<string | number, { fields: string[]; first: FieldState }>();
  let last: FieldState | null = null;
  let group: { fields: string[]; first: FieldState } | undefined;
  for (const field in state.fields) {
    const f = state.fields[field] as FieldState;
    // Neighbours mostly share their origin: no key has to be made for them.
    if (!group || !last || last.by !== f.by || last.at !== f.at || last.stamp !== f.stamp) {
      const key = keyOf(f);
      group = by.get(key);
      if (!group) {
        group = { fields: [], first: f };
        by.set(key, group);
      }
      last = f;
    }
    group.fields.push(field);
  }
  return [...by.values()];
}

/** The named groups first, the largest last and without names: it stands for every field no other names. */
function largestUnnamed<T>(
  all: { fields: string[]; first: FieldState }[],
  make: (fields: string[] | null, first: FieldState) => T,
): T[] {
  let largest = all[0];
  for (const g of all) if (g.fields.length > (largest?.fields.length ?? 0)) largest = g;
  const named = all.filter((g) => g !== largest).map((g) => make(g.fields, g.first));
  return largest ? [...named, make(null, largest.first)] : named;
}

// ---- what is stored beside the document ------------------------------------------------------------------------------
// Values are not stored twice: a snapshot keeps only what differs from the record, and names what it does not carry.

interface StoredSnapshot {
  k: SourceKey;
  x: string;
  v: number;
  t?: number;
  r?: number;
  d?: 1;
  f?: Fields;
  m?: string[];
  n: Record<string, string | null>;
  is?: Fields;
  u?: string[];
  ov?: number[];
  mb?: Fields[];
  o?: { v: number; f: Fields };
}

interface StoredState {
  n: number;
  /** Stamps with the fields that have them; null: every field that no other entry names. */
  p: [number, string[] | null][];
  s: StoredSnapshot[];
  a?: Record<SourceKey, Record<string, [number, Json][]>>;
  /** Observations that wait in the held table, per source. */
  h?: Record<SourceKey, number>;
}

/** The JSON text of what the merge knows beyond the published document. */
export function stateText(state: MergeState, held: Readonly<Record<SourceKey, number>>): string {
  const stored: StoredState = {
    n: state.stamp,
    p: stamps(state),
    s: [...state.snapshots].map(([k, s]) => storeSnapshot(state, k, s)),
  };
  if (state.asks.size > 0) {
    stored.a = {};
    for (const [source, fields] of state.asks) {
      stored.a[source] = Object.fromEntries(
        [...fields].map(([f, asks]) => [f, asks.map((a) => [a.revision, a.value])]),
      );
    }
  }
  if (Object.keys(held).length > 0) stored.h = held;
  return JSON.stringify(stored);
}

/** Stamps only have to differ between changes of one field: all fields of the first sight share one. */
const stamps = (state: MergeState): [number, string[] | null][] =>
  largestUnnamed(
    partition(state, (f) => f.stamp),
    (fields, first) => [first.stamp, fields],
  );

function storeSnapshot(state: MergeState, k: SourceKey, s: Snapshot): StoredSnapshot {
  const out: StoredSnapshot = { k, x: s.externalId, v: s.version, n: s.native };
  if (s.tie !== null) out.t = s.tie;
  if (s.readAt !== null) out.r = s.readAt;
  if (s.deleted) out.d = 1;
  const own: Fields = {};
  const different: Fields = {};
  for (const field in s.fields) {
    if (!equal(s.fields[field], state.fields[field]?.value)) different[field] = s.fields[field] as Json;
    const ownValue = s.own.fields[field];
    if (ownValue !== undefined && !equal(ownValue, s.fields[field])) own[field] = ownValue;
  }
  if (Object.keys(different).length > 0) out.f = different;
  const missing = Object.keys(state.fields).filter((f) => !(f in s.fields));
  if (missing.length > 0) out.m = missing;
  if (Object.keys(s.standsFor).length > 0) out.is = s.standsFor;
  const unknown = Object.keys(state.fields).filter((f) => f in s.fields && !s.knows.has(f));
  if (unknown.length > 0) out.u = unknown;
  if (s.ourVersions.length > 0) out.ov = s.ourVersions;
  if (s.maybe.length > 0) out.mb = s.maybe;
  if (s.own.version !== s.version || Object.keys(own).length > 0) out.o = { v: s.own.version, f: own };
  return out;
}

/** What the store keeps of a record for the merge. */
export interface StoredMerge {
  state: MergeState;
  /** Observations that wait, per source. */
  held: Record<SourceKey, number>;
}

/** The merge's state from the store's two texts. */
export function readState(document: string | null, stored: string | null, deleted: boolean): StoredMerge {
  if (document === null || stored === null)
    return {
      state: { ...emptyState(), deleted },
      held: stored === null ? {} : ((JSON.parse(stored) as StoredState).h ?? {}),
    };
  const doc = JSON.parse(document) as {
    data: Fields;
    provenance: { connection: string; at: number; fields: string[] }[];
  };
  const st = JSON.parse(stored) as StoredState;
  const state: MergeState = { ...emptyState(), deleted, stamp: st.n };
  const rest = doc.provenance.find((p) => p.fields[0] === '*');
  const origin = new Map(doc.provenance.filter((p) => p !== rest).flatMap((p) => p.fields.map((f) => [f, p] as const)));
  const common = st.p.find(([, fields]) => fields === null)?.[0] ?? 0;
  const stamp = new Map(st.p.flatMap(([n, fields]) => (fields ?? []).map((f) => [f, n] as const)));
  for (const field in doc.data) {
    const from = origin.get(field) ?? rest;
    state.fields[field] = {
      value: doc.data[field] as Json,
      by: from?.connection ?? '',
      at: from?.at ?? 0,
      stamp: stamp.get(field) ?? common,
    };
  }
  for (const s of st.s) state.snapshots.set(s.k, readSnapshot(doc.data, s));
  for (const [source, fields] of Object.entries(st.a ?? {})) {
    const asks = Object.entries(fields).map(([f, list]): [string, Ask[]] => [
      f,
      list.map(([revision, value]) => ({ revision, value })),
    ]);
    state.asks.set(source, new Map(asks));
  }
  return { state, held: st.h ?? {} };
}

function readSnapshot(data: Fields, s: StoredSnapshot): Snapshot {
  const fields: Fields = { ...data, ...s.f };
  for (const field of s.m ?? []) delete fields[field];
  const knows = new Set(Object.keys(data).filter((f) => f in fields));
  for (const field of s.u ?? []) knows.delete(field);
  return {
    externalId: s.x,
    version: s.v,
    tie: s.t ?? null,
    readAt: s.r ?? null,
    deleted: s.d === 1,
    fields,
    native: s.n,
    standsFor: s.is ?? {},
    knows,
    ourVersions: s.ov ?? [],
    maybe: s.mb ?? [],
    own: s.o ? { version: s.o.v, fields: { ...fields, ...s.o.f } } : { version: s.v, fields },
  };
}
