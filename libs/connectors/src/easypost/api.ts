import { type Json, type RawEnvelope, SyncError } from '@syncline/contracts';

/** Objects of EasyPost's API as they come in: nothing of their shape is trusted. https://docs.easypost.com/docs */
export type Wire = Readonly<Record<string, unknown>>;

/** The nouns we read, with their paths and list keys. */
export const nouns = {
  tracker: { path: '/v2/trackers', list: 'trackers', object: 'Tracker', prefix: 'trk_' },
  shipment: { path: '/v2/shipments', list: 'shipments', object: 'Shipment', prefix: 'shp_' },
} as const;
export type Noun = keyof typeof nouns;

export const webhooksPath = '/v2/webhooks';

/** A JSON object, or null for anything else. */
export function wire(value: unknown): Wire | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Wire) : null;
}

/** The objects of a list; what is none is left out. */
export function wires(value: unknown): Wire[] {
  return Array.isArray(value) ? value.map(wire).filter((one) => one !== null) : [];
}

/** A text without what no store takes (NUL, lone surrogates); null for an empty or another value. Numbers count as text. */
export function text(value: unknown): string | null {
  if (typeof value === 'number' && Number.isFinite(value)) return String(value);
  if (typeof value !== 'string') return null;
  const clean = value.replaceAll('\u0000', '').toWellFormed().trim();
  return clean === '' ? null : clean;
}

/** A weight in ounces as grams, to a hundredth; null where it is no positive number. EasyPost writes "15.4" as well as 15.4. */
export function gramsOfOunces(value: unknown): number | null {
  const ounces = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  if (typeof ounces !== 'number' || !(ounces > 0)) return null;
  const grams = Math.round(ounces * 28.349523125 * 100) / 100;
  return Number.isFinite(grams) ? grams : null;
}

/** Milliseconds since the epoch of one of EasyPost's times; null where it is none. */
export function timeOf(value: unknown): number | null {
  const time = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isSafeInteger(time) && time > 0 ? time : null;
}

/** When an object last changed, in milliseconds: its own time, else what the envelope knows. */
export function versionOf(object: Wire, envelope: RawEnvelope): number {
  return timeOf(object.updated_at) ?? timeOf(object.created_at) ?? envelope.occurredAt ?? envelope.receivedAt;
}

/** Which noun an object is: by its own word, else by the prefix of its id. */
export function nounOf(object: Wire): Noun | null {
  const id = text(object.id) ?? '';
  const found = Object.entries(nouns).find(([, { object: name, prefix }]) =>
    typeof object.object === 'string' ? object.object === name : id.startsWith(prefix),
  );
  return found === undefined ? null : (found[0] as Noun);
}

/**
 * The objects a raw message holds: itself, the `result` of an Event, or the items of a list. An Event about something else,
 * or one of a list, which comes without its result, holds none. Throws `unmappable` where it is nothing of EasyPost's that we read.
 */
export function objectsOf(body: unknown): { noun: Noun; object: Wire }[] {
  const root = wire(body);
  if (root === null) throw new SyncError('unmappable', 'the message is no JSON object', { path: '$' });
  const events = Array.isArray(root.events)
    ? wires(root.events)
    : root.object === 'Event' || wire(root.result) !== null
      ? [root]
      : null;
  const lists = Object.values(nouns).flatMap(({ list }) => (Array.isArray(root[list]) ? [wires(root[list])] : []));
  const whole = events === null && lists.length === 0;
  const candidates = whole ? [root] : [...lists.flat(), ...(events ?? []).map((event) => wire(event.result))];
  const objects = candidates.flatMap((object) => {
    const noun = object === null ? null : nounOf(object);
    return object === null || noun === null ? [] : [{ noun, object }];
  });
  if (objects.length === 0 && whole)
    throw new SyncError('unmappable', 'expected a Tracker, a Shipment or an Event about one', { path: 'object' });
  return objects;
}

/** The id of an object. Throws `unmappable` where there is none. */
export function idOf(object: Wire): string {
  const id = text(object.id);
  if (id === null) throw new SyncError('unmappable', 'the object has no id', { path: 'id' });
  return id;
}

/** Sets a field only where the message carries its key: absent says nothing, null says there is none. */
export function carry(
  fields: Record<string, Json>,
  object: Wire,
  key: string,
  field: string,
  map: (value: unknown) => Json,
): void {
  if (object[key] !== undefined) fields[field] = map(object[key]);
}
