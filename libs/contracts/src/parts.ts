import { z } from 'zod';

/** A moment in time as RFC 3339 in UTC with milliseconds: one form, so that equal instants are equal texts. */
export const instant = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, 'expected an instant such as 2026-01-31T08:00:00.000Z');
export type Instant = string;

/**
 * A provider's time text as an instant; null where it is absent, no date of the years 1 to 9999, or has no zone (a zoneless time needs the
 * connection's zone: say `zone` as an offset such as "+02:00" or "Z").
 */
export function toInstant(text: unknown, zone?: string): Instant | null {
  if (typeof text !== 'string' || text === '') return null;
  const zoned = /(?:[zZ]|[+-]\d\d:?\d\d)$/.test(text) && text.includes('T');
  if (!zoned && zone === undefined) return null;
  const time = Date.parse(zoned ? text : `${text.replace(' ', 'T')}${text.length === 10 ? 'T00:00:00' : ''}${zone}`);
  return isDatable(time) ? new Date(time).toISOString() : null;
}

const [firstMs, lastMs] = [Date.parse('0001-01-01T00:00:00.000Z'), Date.parse('9999-12-31T23:59:59.999Z')];

/** Whether milliseconds since the epoch are a moment of the years 1 to 9999: what an instant can say and databases take. */
export const isDatable = (ms: number): boolean => Number.isSafeInteger(ms) && ms >= firstMs && ms <= lastMs;

const text = z.string().nullable();

/** A postal address. Names and lines are personal data: never logged, never in an error message. */
export const address = z.object({
  name: text,
  company: text,
  lines: z.array(z.string()),
  city: text,
  region: text.describe('State, province or county, as the source writes it (a code where it has one)'),
  postalCode: text,
  country: text.describe('ISO 3166-1 alpha-2 code; null where the source gives only a name'),
  countryName: text,
  phone: text,
  email: text,
});
export type Address = z.infer<typeof address>;

/** A place a parcel was seen at. */
export const place = z.object({ city: text, region: text, postalCode: text, country: text });
export type Place = z.infer<typeof place>;

/** A name and value a user attached to a record or a line (Shopify's note attributes and properties, WooCommerce's meta). */
export const attribute = z.object({ name: z.string(), value: text });
export type Attribute = z.infer<typeof attribute>;
