// Two systems S and C, both source and target of one record, with everything that goes wrong between them: late, doubled and
// lost webhooks, crashes around the commits, replies that never come, requests that arrive late, clocks apart, values the
// target spells its own way. The merge and the writer's decision under test are the real ones; this is only their world.

import type { Fields, Json, Observation } from '@syncline/contracts';
import type { DeliveryState, ReceiptDraft, Action as WriterAction } from '@syncline/delivery';
import { allRules, type MergeContext, type MergeState, type Rules, sourceKey } from '../merge/state.js';

export type System = 'S' | 'C';
export const systems: readonly System[] = ['S', 'C'];
export type Spell = (value: string) => string;

export interface WorldConfig {
  fields: string[];
  owner: Record<string, System>;
  linked: boolean;
  ticks: boolean;
  skew: number;
  spell: Partial<Record<System, Spell>>;
  webLoss: boolean;
  deletes: boolean;
  flips: boolean;
  conditional: boolean;
  rules: Rules;
  /** The first batch after a takeover or failure publishes every record it touches. */
  force: boolean;
  /** After an unknown outcome the next attempt waits until the earlier request can no longer arrive. */
  settle: boolean;
  /** A tombstone after a create of unknown outcome looks it up. */
  lookupDelete: boolean;
  /** The writer compares the target with the state its event was made from before it writes. */
  guarded: boolean;
}

export const sound: WorldConfig = {
  fields: ['a', 'b'],
  owner: {},
  linked: true,
  ticks: false,
  skew: 0,
  spell: {},
  webLoss: false,
  deletes: false,
  flips: true,
  conditional: true,
  rules: allRules,
  force: true,
  settle: true,
  lookupDelete: true,
  guarded: true,
};

/** What one random run may use up. */
export interface Limits {
  edits: number;
  faults: number;
  polls: number;
  dups: number;
  lost: number;
  clock: number;
  values: string[];
}

export interface Value {
  v: string;
  g: number;
}
export interface Obj {
  ext: string;
  f: Record<string, Value>;
  upd: number;
  ver: number;
  dead: boolean;
  rev: number;
}
export interface Seen {
  ext: string;
  f: Record<string, Value>;
  upd: number;
  ver: number;
  dead: boolean;
  kind: 'web' | 'poll' | 'read';
  at: number;
}
export interface Event {
  rev: number;
  dead: boolean;
  f: Record<string, Value>;
  src: Partial<Record<System, { ext: string; dead: boolean; behind: string[]; upd: number }>>;
}
export interface Request {
  id: number;
  X: System;
  op: 'create' | 'update' | 'remove';
  rev: number;
  ext: string;
  f: Record<string, Value>;
  ifVer: number | null;
  applied: boolean;
  gone: boolean;
  conflict: boolean;
  obs: Seen | null;
  action: Extract<WriterAction, { do: 'create' | 'update' | 'remove' }>;
}
/** A receipt on its way to the transformer. */
export interface Note {
  rev: number;
  obs: Seen | null;
  receipt: ReceiptDraft;
}
export interface Row {
  want: Event | null;
  done: number;
  delivery: DeliveryState;
}
export interface Pg {
  state: MergeState;
  lineage: Record<string, number>;
  shadow: Record<System, Record<string, number>>;
  rev: number;
}

export interface World {
  cfg: WorldConfig;
  ctx: MergeContext;
  clock: number;
  seq: number;
  requestId: number;
  edits: { f: string; v: string; parent: number; at: System | '' }[];
  sys: Record<System, Obj[]>;
  net: Record<System, Seen[]>;
  log: Record<System, Seen[]>;
  off: Record<System, number>;
  notes: Record<System, Note[]>;
  noteOff: Record<System, number>;
  force: Record<System, boolean>;
  pg: Pg;
  canon: Event[];
  http: Request[];
  busy: Record<System, number>;
  readTo: Record<System, number>;
  row: Record<System, Row>;
  n: { edits: number; faults: number; dups: number; polls: number; lost: number; deletes: number; writes: number };
}

export const key = (X: System) => sourceKey(X, 'object');
export const clone = <T>(x: T): T => structuredClone(x);
export const both = <T>(make: () => T): Record<System, T> => ({ S: make(), C: make() });

export const now = (w: World, X: System) => w.clock + (X === 'S' ? w.cfg.skew : 0);
export const see = (w: World, X: System, o: Obj, kind: Seen['kind']): Seen => ({
  ext: o.ext,
  f: clone(o.f),
  upd: o.upd,
  ver: o.ver,
  dead: o.dead,
  kind,
  at: now(w, X),
});

export function mutate(w: World, X: System, o: Obj, change: () => void): void {
  if (!w.cfg.ticks) w.clock++;
  change();
  o.upd = now(w, X);
  o.ver++;
  w.net[X].push(see(w, X, o, 'web'));
}

export function observationOf(m: Seen): Observation {
  return {
    kind: 'order',
    noun: 'object',
    externalId: m.ext,
    version: m.upd,
    ...(m.kind === 'web' ? {} : { readAt: m.at }),
    deleted: m.dead,
    fields: m.dead ? {} : plain(m.f),
    native: {},
    keys: [],
    refs: [],
  };
}
export const plain = (f: Record<string, Value>): Fields =>
  Object.fromEntries(Object.entries(f).map(([k, x]) => [k, x.v as Json]));
