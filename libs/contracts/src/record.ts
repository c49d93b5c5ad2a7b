import { z } from 'zod';
import { orderData } from './order.js';
import { instant } from './parts.js';
import { shipmentData } from './shipment.js';

/** The kinds of record Syncline keeps, each with its own canonical topic `canonical.<kind>`. */
export const kinds = ['order', 'shipment'] as const;
export const kind = z.enum(kinds);
export type Kind = z.infer<typeof kind>;

/** The zod schema of each kind's data: the fields that are merged one by one. */
export const dataOf = { order: orderData, shipment: shipmentData } as const;

/** Any value a field can hold: what JSON can say. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Field values by name, of any kind; a field that is not named is one the source says nothing of. */
export type Fields = Record<string, Json>;

/** A system that holds the record, and what it lacks of it. */
export const source = z.object({
  connection: z.string(),
  noun: z.string().describe("The provider's own name of the object: order, fulfillment, tracker"),
  externalId: z.string(),
  deleted: z.boolean(),
  seen: z
    .int()
    .describe("Version of the state last seen there: the provider's change time in milliseconds since the epoch"),
  behind: z
    .array(z.string())
    .describe('Fields in which that state differs from this record, or that a write of ours may still change'),
  native: z
    .record(z.string(), z.string().nullable())
    .describe("The provider's own status words, beside the canonical ones"),
});
export type Source = z.infer<typeof source>;

/**
 * Who fields' present values came from: connection and the source's own time in milliseconds since the epoch. Fields of one
 * origin share an entry; "*" stands for every field that no other entry names.
 */
export const provenance = z.object({ connection: z.string(), at: z.int(), fields: z.array(z.string()) });
export type Provenance = z.infer<typeof provenance>;

const envelope = {
  id: z.string().describe('Canonical id: UUID, the topic key'),
  revision: z
    .int()
    .describe(
      'From one sequence over all records: higher is newer. Apply an event only if its revision is newer than what you have',
    ),
  changedAt: instant.describe('The source time of the newest change in it'),
  sources: z.array(source),
  provenance: z.array(provenance),
};

/** The value of a record of `canonical.order`. */
export const canonicalOrder = z.object({ ...envelope, kind: z.literal('order'), data: orderData.partial() });
/** The value of a record of `canonical.shipment`. */
export const canonicalShipment = z.object({ ...envelope, kind: z.literal('shipment'), data: shipmentData.partial() });
/** A canonical record: the full state of one business record, as the canonical topics carry it. */
export const canonicalRecord = z.discriminatedUnion('kind', [canonicalOrder, canonicalShipment]);
export type CanonicalRecord = z.infer<typeof canonicalRecord>;
export type CanonicalOrder = z.infer<typeof canonicalOrder>;
export type CanonicalShipment = z.infer<typeof canonicalShipment>;
