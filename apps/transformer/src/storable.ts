// What PostgreSQL refuses, found before a batch is written: there it would fail the whole of it, again and again.
import { header, type Json, type Observation, type RawEnvelope, SyncError } from '@syncline/contracts';

/** Characters of an id or a natural key: two of them have to fit into one entry of an index (2,704 bytes). */
export const keyLengthMax = 256;
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Throws `unmappable` where what is kept of an envelope holds a NUL. */
export function checkEnvelope({ eventId, type, externalId, apiVersion }: RawEnvelope): void {
  if (!`${eventId}${type}${externalId}${apiVersion}`.includes('\u0000')) return;
  const told = { [header.id]: eventId, [header.type]: type, [header.subject]: externalId };
  const path = Object.entries(told).find(([, text]) => text.includes('\u0000'))?.[0] ?? header.apiVersion;
  throw new SyncError('unmappable', `header ${path} holds a NUL`, { path });
}

/** Throws `unmappable` where an id or a natural key is longer than an index takes. */
export function checkKeys({ externalId, keys, refs }: Observation): void {
  checkLength(externalId, 'externalId');
  for (const { key } of keys) checkLength(key, 'keys');
  for (const { externalId: id, name } of refs) checkLength(id ?? name ?? '', 'refs');
}

function checkLength(key: string, path: string): void {
  if (key.length > keyLengthMax)
    throw new SyncError('unmappable', `an id or natural key is longer than ${keyLengthMax} characters`, { path });
}

/** Throws `unmappable` where a record's id is none; `absent` allows an empty one. */
export function checkRecordId(id: string, absent: boolean): void {
  if (!uuid.test(id) && !(absent && id === ''))
    throw new SyncError('unmappable', 'the receipt names no record', { path: 'id' });
}

/**
 * Throws `unmappable` with the path of a text that PostgreSQL's json cannot hold. Only where JSON had escapes: a text that
 * JSON.parse makes of others holds neither NUL nor half of a surrogate pair.
 */
export function checkTexts(value: Json): void {
  const path = unstorable(value, '');
  if (path !== null)
    throw new SyncError(
      'unmappable',
      'a text holds a character that databases refuse (NUL or half of a surrogate pair)',
      { path: path.replace(/^fields\./, '') },
    );
}

const refused = (text: string): boolean => text.includes('\u0000') || !text.isWellFormed();

/** The path of the first such text, for a key that of its object; null where there is none. */
function unstorable(value: Json, path: string): string | null {
  if (typeof value === 'string') return refused(value) ? path : null;
  if (typeof value !== 'object' || value === null) return null;
  for (const key in value) {
    if (refused(key)) return path === '' ? '$' : path;
    const found = unstorable((value as Record<string, Json>)[key] as Json, path === '' ? key : `${path}.${key}`);
    if (found !== null) return found;
  }
  return null;
}
