import type { CanonicalRecord, Fields, Json, Observation } from '@syncline/contracts';
import type { ConnectionContext } from './connector.js';

/**
 * How records of one kind are written to a system. Two shapes: `objects` for systems with an object per record and
 * people editing them (a shop), `batch` for stores that take many at once and are never read back (a warehouse).
 */
export type TargetSpec = ObjectTarget | BatchTarget;

/** What the target holds now: enough to tell whether it moved, and the observation it maps to. */
export interface Held {
  readonly externalId: string;
  /** The provider's change time, milliseconds since the epoch: compared with the version the event has seen. */
  readonly version: number;
  /** A token for a conditional write (ETag), where the target has one. */
  readonly etag?: string;
  readonly deleted?: boolean;
  /** Its state in the canonical model, by the connector's own toCanonical. */
  readonly observation: Observation;
}

/** What a write is given beside the record. */
export interface WriteInput {
  readonly record: CanonicalRecord;
  /** Fields to write, with their canonical values (create: all of `creates` that the record has; update: those that are behind and differ). */
  readonly fields: Fields;
  /** External ids, at this target, of the records named by `needs`, by field (`{orderId: '450789469'}`). */
  readonly links: Readonly<Record<string, string>>;
}

export interface ObjectTarget {
  readonly shape: 'objects';
  /** The provider's noun of the object that is written: the snapshot it belongs to. */
  readonly noun: string;
  /** Fields an existing object takes. */
  readonly updates: readonly string[];
  /** Fields a new object takes. */
  readonly creates: readonly string[];
  /** Reference fields that must be known at the target before a create; such a write waits with no attempt counted. */
  readonly needs: readonly string[];
  /** Whether the record belongs there at all: true, or the reason why not (yet), e.g. "has no tracking number". */
  readonly applies: (record: CanonicalRecord) => true | string;
  /**
   * The form the target keeps of a value: stored = normalise(field, value). Echoes and `behind` compare in that form.
   * undefined: the target cannot hold this value at all, so it is never behind because of it.
   */
  readonly normalise?: (field: string, value: Json) => Json | undefined;
  readonly read: (context: ConnectionContext, externalId: string) => Promise<Held | null>;
  /** Looks for an object of ours after a create of unknown outcome, and before a first create: by our id or natural key. */
  readonly find: (context: ConnectionContext, input: WriteInput) => Promise<Held | null>;
  /** Creates one object and returns what the target then holds. */
  readonly create: (context: ConnectionContext, input: WriteInput) => Promise<Held>;
  /** Writes `fields` onto the object; `held` is what was read just before. Uses a conditional write where the target has it. */
  readonly update: (context: ConnectionContext, held: Held, input: WriteInput) => Promise<Held>;
  /** Removes (or cancels) the object; absent where deletes are ignored. */
  readonly remove?: (context: ConnectionContext, externalId: string) => Promise<void>;
}

/** One record as a batch target takes it: the event's own JSON text goes through unparsed. */
export interface BatchItem {
  readonly id: string;
  readonly revision: number;
  /** The canonical record's JSON text; null = deleted. */
  readonly value: string | null;
  readonly mergedInto?: string;
}

/** How one item of a batch ended: null = done (also when the target already held that or a newer revision). */
export type BatchOutcome = null | Error;

export interface BatchTarget {
  readonly shape: 'batch';
  /**
   * Writes all items at once, never back to an older revision. Throws a SyncError where the whole batch failed (nothing is
   * written then, or it is safe to send again); returns one outcome per item otherwise.
   */
  readonly write: (items: readonly BatchItem[]) => Promise<BatchOutcome[]>;
}
