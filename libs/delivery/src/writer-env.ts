import { baseEnv, secretKeys } from '@syncline/runtime';
import { z } from 'zod';

/** What a writer reads from its environment, beside what every service reads. */
export const writerEnv = baseEnv.extend({
  CONNECTIONS: z
    .string()
    .transform((list) => list.split(',').map((name) => name.trim()))
    .optional()
    .describe('Target connections to serve, comma separated. Default: all of this provider in syncline.yaml'),
  SETTLE_MS: z.coerce
    .number()
    .int()
    .min(0)
    .max(600_000)
    .default(20_000)
    .describe('After this long a request whose answer was lost can no longer arrive, in milliseconds'),
  SYNCLINE_SECRET_KEYS: secretKeys,
});

/** A writer's environment, read. */
export type WriterEnv = z.infer<typeof writerEnv>;
