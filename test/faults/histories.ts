// What a run leaves behind, as others saw it: the only thing its judges look at. Times are milliseconds since the epoch.
import type { Truth } from '../support/sandbox.js';

/** A request of ours that shop or carrier had, with what it changed there. */
export interface Write {
  n: number;
  at: string;
  target: 'shop' | 'carrier';
  method: string;
  path: string;
  operation: string | null;
  // biome-ignore lint/suspicious/noExplicitAny: bodies of every shape
  input: any;
  status: number | null;
  effects: { kind: string; id: string }[];
  fault: string | null;
  tookMs: number;
}

/** A change that somebody made at a source. */
export interface SourceChange {
  atMs: number;
  /** The order's name without #. */
  order: string;
  what: string;
  /** The parcel's number, where it is about one. */
  parcel?: string;
}

/** An answer of a webhook endpoint, as its provider got it. */
export interface Answer {
  atMs: number;
  /** 0 where the connection broke. */
  status: number;
  connection: string;
  /** The topic of ours that must hold it. */
  topic: string;
  /** ce_id of its record. */
  eventId: string;
}

/** Where a record lives, as a canonical event says. */
export interface SeenSource {
  connection: string;
  noun: string;
  externalId: string;
  deleted: boolean;
  /** Version of the state that was seen there. */
  seen: number;
}

/** A record of one of our topics, as an independent consumer read it. */
export interface LogEntry {
  topic: string;
  partition: number;
  offset: number;
  key: string;
  atMs: number;
  /** ce_id. */
  eventId: string | null;
  /** The connection of ce_source. */
  connection: string | null;
  /** ce_subject: the object's id at its provider, or the canonical id. */
  subject: string | null;
  /** sync-received-at. */
  receivedAtMs: number | null;
  /** The trace that its traceparent names. */
  trace: string | null;
  /** The state's own change time at its provider; raw only. */
  version: number | null;
  revision: number | null;
  mergedInto: string | null;
  /** Of a canonical event; empty for tombstones and everything else. */
  sources: readonly SeenSource[];
  isTombstone: boolean;
  /** What a canonical order says, in the words of `SourceObject.state`; null of everything else. */
  state: Readonly<Record<string, string>> | null;
  /** A few words for a story. */
  words: string;
}

/** A poll's watermark as it was moved. */
export interface CursorMove {
  atMs: number;
  connection: string;
  noun: string;
  watermark: number;
}

/** A write of a row of the warehouse. `was` is null where there was none. */
export interface RowWrite {
  atMs: number;
  kind: string;
  id: string;
  was: number | null;
  became: number;
  deleted: boolean;
}

/** An object as its provider has it at the end. */
export interface SourceObject {
  connection: string;
  noun: string;
  externalId: string;
  /** When it last changed, on the provider's clock. */
  updatedAtMs: number;
  /** Values that a canonical record of it must have; null where none are compared. */
  state: Readonly<Record<string, string>> | null;
}

/** A message sent on purpose that nobody can map. */
export interface Poison {
  eventId: string;
  topic: string;
}

/** A line of a log that must not be there, found by what it holds. */
export interface LogLine {
  service: string;
  line: string;
}

/** Something the nemesis did, for stories. */
export interface Struck {
  atMs: number;
  what: string;
}

/** All of it. */
export interface Histories {
  changes: readonly SourceChange[];
  answers: readonly Answer[];
  log: readonly LogEntry[];
  cursors: readonly CursorMove[];
  /** Every write of a row, oldest first. */
  rows: readonly RowWrite[];
  /** Rows of the warehouse at the end. */
  warehouse: readonly { kind: string; id: string; revision: number; deleted: boolean }[];
  /** Requests to shop and carrier. */
  writes: readonly Write[];
  truth: Truth;
  objects: readonly SourceObject[];
  /** Where warehouse, shop and carrier disagree at the end, field by field. */
  differences: readonly string[];
  owed: { webhooks: number; pending: number; dead: number };
  /** Services that are not ready at the end. */
  unready: readonly string[];
  poisons: readonly Poison[];
  /** Values that may stand in no log, and where one did. */
  secrets: readonly string[];
  logs: readonly LogLine[];
  struck: readonly Struck[];
}
