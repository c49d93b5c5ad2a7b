import { isProviderAddress } from '@syncline/connector-sdk';
import { z } from 'zod';

/** What a connection to EasyPost may be set to. */
export const settings = z.object({
  url: z
    .string()
    .refine(isProviderAddress, 'expected https://... (plain http only on this machine)')
    .default('https://api.easypost.com')
    .describe("Address of EasyPost's API"),
  since: z
    .string()
    .regex(/^(\d+[mhdw]|\d{4}-\d\d-\d\dT.*)$/, 'expected a span such as 60d or 12h, or an instant')
    .default('60d')
    .describe('How far back the first poll of an account goes: a span such as 60d or 12h, or an instant'),
  watchDays: z
    .int()
    .min(1)
    .max(365)
    .default(90)
    .describe(
      'For how many days after it was made a tracker or shipment is looked at by polls; webhooks are not bound by it',
    ),
});

/** Credentials of a connection to EasyPost. */
export const secrets = z.object({
  apiKey: z.string().min(1).describe('API key: EZTK... for the test, EZAK... for the production environment'),
  webhookSecret: z
    .string()
    .min(8)
    .describe('Secret EasyPost signs webhooks with; any text of your own, set at EasyPost by Syncline'),
  webhookSecretOld: z
    .string()
    .min(8)
    .optional()
    .describe('The secret before, still taken while a change of it is under way'),
});
