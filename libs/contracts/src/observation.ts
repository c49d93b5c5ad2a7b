import { z } from 'zod';
import { kind } from './record.js';

/**
 * What a source said of one of its objects: a webhook, a page of a poll, a read, or the answer to our own write, mapped to
 * the canonical model. The merge judges it against the snapshot of that object; it never carries canonical ids of its own.
 */
export const observation = z.object({
  kind,
  noun: z.string(),
  externalId: z.string(),
  version: z.int().describe("The provider's change time of that state, in milliseconds since the epoch"),
  tie: z
    .number()
    .optional()
    .describe('Orders states of equal version where the provider tells (time of the webhook); higher is newer'),
  readAt: z
    .int()
    .optional()
    .describe(
      "For reads and polls: the source's clock when it answered, in milliseconds; beats webhooks of the same second",
    ),
  deleted: z.boolean().optional(),
  fields: z.record(z.string(), z.json()),
  native: z.record(z.string(), z.string().nullable()),
  keys: z
    .array(z.object({ scope: z.string(), key: z.string() }))
    .describe('Natural keys of the record besides the external id: they join it with what other systems call the same'),
  refs: z
    .array(
      z.object({
        field: z.string().describe('The field that takes the canonical id'),
        kind,
        externalId: z.string().optional().describe('An object of the same connection'),
        name: z.string().optional().describe('A name people use across systems, e.g. 1042 for order #1042'),
      }),
    )
    .describe('References to other records by natural key'),
});
export type Observation = z.infer<typeof observation>;
