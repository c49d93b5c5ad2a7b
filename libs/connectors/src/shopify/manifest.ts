import { isProviderAddress } from '@syncline/connector-sdk';
import { z } from 'zod';

export const settings = z.strictObject({
  url: z
    .string()
    .refine(isProviderAddress, 'expected https://<shop>.myshopify.com (plain http only on this machine)')
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
