import { SyncError } from '@syncline/contracts';

/** A JSON object of the provider: nothing in it is believed before it is looked at. */
export type Wire = Readonly<Record<string, unknown>>;

const empty: Wire = Object.freeze({});

/** The value as an object; an empty one where it is none. */
export const object = (value: unknown): Wire =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Wire) : empty;

/** The value as a list of its objects; what is no object is left out. */
export const objects = (value: unknown): Wire[] =>
  Array.isArray(value) ? value.filter((v): v is Wire => typeof v === 'object' && v !== null && !Array.isArray(v)) : [];

/** A text that PostgreSQL and JSON can hold: no NUL, no lone surrogates. */
const storable = (value: string): string => {
  const formed = value.isWellFormed() ? value : value.toWellFormed();
  return formed.includes('\u0000') ? formed.replaceAll('\u0000', '') : formed;
};

/** The value as text; null where it is none or empty: Shopify's two APIs differ in which of the two they send. */
export const text = (value: unknown): string | null => {
  if (typeof value === 'string') return value === '' ? null : storable(value) || null;
  return typeof value === 'number' && Number.isFinite(value) ? String(value) : null;
};

/** The texts of a list that are not empty. */
export const texts = (value: unknown): string[] =>
  Array.isArray(value) ? value.map(text).filter((t): t is string => t !== null) : [];

export const flag = (value: unknown): boolean | null => (typeof value === 'boolean' ? value : null);

/** The value as a finite number; null where it is none. */
export const number = (value: unknown): number | null => {
  const n = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  // JSON has no minus zero.
  return typeof n === 'number' && Number.isFinite(n) ? n || 0 : null;
};

/** The value as a whole number; null where it is none or too big to be exact. */
export const whole = (value: unknown): number | null => {
  const n = number(value);
  return n !== null && Number.isSafeInteger(n) ? n : null;
};

/** An id as plain digits, from a number, from digits or from a global id (gid://shopify/Order/450789469); null otherwise. */
export const id = (value: unknown): string | null => {
  if (typeof value === 'number') return Number.isSafeInteger(value) && value > 0 ? String(value) : null;
  if (typeof value !== 'string') return null;
  const digits = value.startsWith('gid://') ? value.slice(value.lastIndexOf('/') + 1).split('?')[0] : value;
  return digits !== undefined && /^[0-9]{1,24}$/.test(digits) ? digits : null;
};

/**
 * The id of an object: of REST's number where JSON numbers hold it exactly, else of its global id, which REST bodies also
 * carry as text.
 */
export const idOf = (wire: Wire): string | null => id(wire.id) ?? id(wire.admin_graphql_api_id);

/** The id a message cannot do without. Throws `unmappable`. */
export function needId(wire: Wire, what: string): string {
  const found = idOf(wire);
  if (found === null) throw new SyncError('unmappable', `the ${what} has no id that is a whole number`, { path: 'id' });
  return found;
}

/** A time text in milliseconds since the epoch; null where it is none. */
export const millis = (value: unknown): number | null => {
  const at = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isNaN(at) ? null : at;
};
