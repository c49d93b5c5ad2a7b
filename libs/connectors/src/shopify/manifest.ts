import { z } from 'zod';

const loopback = new Set(['127.0.0.1', 'localhost', '[::1]']);

/** Credentials travel to this address: it must be https, or this machine. */
const isSafeUrl = (text: string): boolean => {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  return url.protocol === 'https:' || (url.protocol === 'http:' && loopback.has(url.hostname));
};

export const settings = z.strictObject({
  url: z
    .string()
    .refine(isSafeUrl, 'expected https://<shop>.myshopify.com (plain http only on this machine)')
    .describe("The shop's address: https://<shop>.myshopify.com"),
  since: z
    .string()
    .regex(/^[1-9]\d{0,4}[smhdw]$/, 'expected a duration such as 60d, 12h or 90m')
    .default('60d')
    .describe(
      'How far back the first poll reads orders; Shopify gives more than 60d only with the scope read_all_orders',
    ),
});

export const secrets = z.strictObject({
  clientId: z.string().min(1).describe("The app's client id"),
  clientSecret: z.string().min(1).describe("The app's client secret: asks for access tokens and signs webhooks"),
  previousClientSecret: z
    .string()
    .min(1)
    .optional()
    .describe('The client secret before a rotation: webhooks signed with it are taken while both are in use'),
});
