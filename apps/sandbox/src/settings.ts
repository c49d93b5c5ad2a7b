import { z } from 'zod';

/** What the control API can change while the sandbox runs; `POST /settings` takes any part of it. */
export const settingsSchema = z.strictObject({
  /** Lifetime of the shop's access tokens, in seconds; Shopify's is a day. */
  tokenLifetimeSeconds: z.number().positive(),
  /** How long a change is missing from `orders(...)`, in milliseconds; reads by id see it at once. */
  listLagMs: z.number().nonnegative(),
  /** Factor on the waits between webhook attempts: 1 is Shopify's four hours, 0.001 is 14 seconds. */
  retryScale: z.number().positive(),
  /** Size of the shop's cost bucket, in points. */
  costMaximum: z.number().positive(),
  /** Points the bucket gains per second. */
  costRestoreRate: z.number().positive(),
  /** Requests a second the carrier takes before it answers 429; 0 is no limit. */
  carrierRequestsPerSecond: z.number().nonnegative(),
});

export type Settings = z.infer<typeof settingsSchema>;

/** Shopify's figures for a standard shop (https://shopify.dev/docs/api/usage/limits); list lag and retry clock are ours. */
export const DEFAULT_SETTINGS: Settings = {
  tokenLifetimeSeconds: 86_399,
  listLagMs: 300,
  retryScale: 1,
  costMaximum: 2_000,
  costRestoreRate: 100,
  carrierRequestsPerSecond: 0,
};
