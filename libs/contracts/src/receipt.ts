import { z } from 'zod';
import { observation } from './observation.js';
import { kind } from './record.js';

const about = {
  id: z.string().describe('Canonical id of the record'),
  kind,
  connection: z.string(),
  noun: z.string(),
  revision: z.int(),
  at: z.int().describe('Milliseconds since the epoch'),
};
const values = z.record(z.string(), z.json());

/** What a writer says on receipts.<provider>: that it is about to create an object, or how a revision ended at its target. */
export const receipt = z.discriminatedUnion('type', [
  z.object({ type: z.literal('intent'), ...about }),
  z.object({
    type: z.literal('receipt'),
    ...about,
    outcome: z.enum(['written', 'declined', 'superseded', 'gone', 'dead']),
    externalId: z.string().nullable(),
    sent: values.describe('Fields this delivery wrote, with the canonical values it sent'),
    observed: observation.nullable().describe('The state the target then held, as far as the writer saw it'),
    tries: z.array(values).describe('What earlier attempts of unknown outcome sent'),
    reason: z.string().optional().describe("The target's words, or why nothing was written"),
  }),
  z
    .object({ type: z.literal('release'), ...about })
    .describe('Sent by the transformer to itself when a message has waited long enough'),
  z
    .object({ type: z.literal('again'), ...about })
    .describe('Sent by the transformer to itself: the record as it stands is to be published once more'),
]);
export type Receipt = z.infer<typeof receipt>;
