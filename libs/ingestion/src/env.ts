import { baseEnv, secretKeys } from '@syncline/runtime';
import { z } from 'zod';

const durationMs = (min: number, fallback: number) => z.coerce.number().int().min(min).default(fallback);

/** What an ingestor reads from its environment, beside what every service reads. */
export const ingestorEnv = baseEnv.extend({
  HTTP_PORT: z.coerce
    .number()
    .int()
    .min(0)
    .max(65_535)
    .default(0)
    .describe('Port of the webhook endpoint; 0 takes a free one'),
  HTTP_HOST: z.string().min(1).default('127.0.0.1').describe('Address the webhook endpoint binds to'),
  PUBLIC_URL: z
    .url({ protocol: /^https?$/ })
    .transform((url) => url.replace(/\/+$/, ''))
    .optional()
    .describe('Where providers reach the webhook endpoint; what is registered there. Default: the local address'),
  CONNECTIONS: z
    .string()
    .transform((list) => list.split(',').map((name) => name.trim()))
    .optional()
    .describe('Connections to serve, comma separated. Default: all of this provider in syncline.yaml'),
  POLL_INTERVAL_MS: durationMs(50, 30_000).describe('Pause between polls of one kind of object, in milliseconds'),
  REGISTER_INTERVAL_MS: durationMs(1_000, 300_000).describe(
    'Pause between checks that the provider still sends webhooks to us, in milliseconds',
  ),
  WEBHOOKS: z.enum(['on', 'off']).default('on').describe('off: register no webhooks, live by polling alone'),
  WEBHOOK_RATE_PER_SECOND: z.coerce
    .number()
    .min(1)
    .default(3_000)
    .describe('Webhook requests a connection may send per second before it is answered 429'),
  SYNCLINE_SECRET_KEYS: secretKeys,
  BACKFILL_SHARE: z.coerce
    .number()
    .positive()
    .max(1)
    .default(0.2)
    .describe("Share of a connection's requests per second that backfills may take"),
});

/** An ingestor's environment, read. */
export type IngestorEnv = ReturnType<typeof ingestorEnv.parse>;
