import { z } from 'zod';
import { deliveryState } from '../operate/deliveries.js';

const text = z.string();
const object = z.object({ connection: text, noun: text, externalId: text });

/** What the transformer knows of where a record is. Times are milliseconds since the epoch. */
export const whereabouts = z.object({
  id: text,
  kind: text,
  name: text,
  revision: z.number(),
  deleted: z.boolean(),
  mergedInto: text.nullable(),
  /** The record as it was last published; null while it is only mentioned by another. */
  document: z.looseObject({ data: z.record(text, z.unknown()) }).nullable(),
  sources: z.array(object.extend({ deleted: z.boolean(), behind: z.array(text) })),
  held: z.array(z.object({ connection: text, noun: text, since: z.number() })),
  intents: z.array(z.object({ connection: text, noun: text, since: z.number() })),
  ambiguous: z.array(z.object({ scope: text, connection: text, externalId: text, id: text })),
});

/** The delivery of the record at the target, as its writer keeps it. */
export const delivery = deliveryState.extend({
  pendingCreate: z.boolean(),
  settleUntil: z.number().nullable(),
  underWay: z.boolean(),
});

/** Everything the answer to "why is this record not there?" is made from. */
export interface Facts {
  nowMs: number;
  target: string;
  record: z.infer<typeof whereabouts>;
  /** null where the writer has no row of the record. */
  delivery: z.infer<typeof delivery> | null;
  /** null where the target's writer does not answer. */
  writer: {
    state: string;
    reason: string | null;
    paused: string | null;
    heldUntil: number | null;
    /** The connections whose records of each kind the flows take there. */
    takes: Record<string, string[]>;
    pending: number;
  } | null;
  /** Records the consumer of the target has not taken in, and how old the oldest is; null where nobody knows. */
  lag: { records: number; seconds: number | null } | null;
  /** The same of the transformer, in front of which changes wait. */
  transformerLag: number | null;
  /** Sources of the record that an operator has paused. */
  pausedSources: string[];
  /** Why the target takes no object of this record, in its connector's words; null where it does or nobody knows. */
  notApplying: string | null;
  /** What people call the records it waits for. */
  names: Record<string, string>;
}
