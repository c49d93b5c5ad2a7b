import type { ObjectTarget } from '@syncline/connector-sdk';
import { asSyncError, type CanonicalRecord, header, headerText, type Kind } from '@syncline/contracts';
import type { Batch, Outcome } from '@syncline/messaging';
import { type DesiredRow, type LinkRow, storeDesired, storeLinks, wakeWaiting } from '@syncline/store';
import { belongs, parseEvent, sourceAt } from './event.js';
import { type NewestEvent, newestEvents } from './newest.js';
import type { ObjectTargetRuntime } from './object-target.js';

/**
 * Takes a batch of canonical events in: links of what writes refer to, and the newest revision of each record that belongs at
 * the target, as rows that are due. After it the offsets may move. Returns one outcome per record; throws where the store fails.
 */
export async function takeIn(target: ObjectTargetRuntime, batch: Batch, due: () => void): Promise<Outcome[]> {
  const { kind, newest, outcomes } = newestEvents(batch);
  const links: LinkRow[] = [];
  const rows: DesiredRow[] = [];
  for (const event of newest) {
    try {
      const taken = takeOne(target, kind as Kind, event);
      if (taken.link) links.push(taken.link);
      if (taken.row) rows.push(taken.row);
    } catch (thrown) {
      outcomes[event.index] = asSyncError(thrown);
    }
  }
  const { store, name } = target;
  const news = await storeLinks(store, name, links);
  const pending = await storeDesired(store, name, rows);
  const woken = await wakeWaiting(store, name, news);
  if (pending + woken > 0) due();
  return outcomes;
}

function takeOne(
  target: ObjectTargetRuntime,
  kind: Kind,
  event: NewestEvent,
): { link?: LinkRow | undefined; row?: DesiredRow | undefined } {
  const { envelope, record } = event;
  const spec = target.specs[kind];
  const noun = target.linked.get(kind);
  // A tombstone may have lost its list of connections: whoever has a row of the record takes it.
  const fed = target.wanted(kind, envelope.connections) || (record.value === null && envelope.connections.length === 0);
  const lives = envelope.connections.includes(target.name);
  if (record.value === null) return { row: spec && (fed || lives) ? rowOf(event, kind, null, false) : undefined };
  if (!(spec && (fed || lives)) && !(noun && lives)) return {};
  const text = record.value.toString('utf8');
  const parsed = parseEvent(text, envelope.id, kind);
  const link = noun === undefined ? undefined : linkOf(target, kind, noun, parsed);
  if (!spec) return { link };
  const source = sourceAt(parsed.sources, target.name, spec.noun, null);
  // A record no flow brings here is still put right where an edit of it at the target was not taken.
  const lacking = source !== null && !source.deleted && source.behind.length > 0;
  if (!fed && !lacking) return { link };
  return { link, row: rowOf(event, kind, text, wants(spec, parsed, source !== null && !source.deleted)) };
}

const wants = (spec: ObjectTarget, record: CanonicalRecord, lives: boolean): boolean => lives || belongs(spec, record);

function linkOf(target: ObjectTargetRuntime, kind: Kind, noun: string, record: CanonicalRecord): LinkRow | undefined {
  const source = sourceAt(record.sources, target.name, noun, null);
  return source && !source.deleted ? { kind, id: record.id, externalId: source.externalId } : undefined;
}

function rowOf({ envelope, record }: NewestEvent, kind: string, event: string | null, wanted: boolean): DesiredRow {
  return {
    id: envelope.id,
    kind,
    revision: envelope.revision,
    deleted: event === null,
    mergedInto: envelope.mergedInto ?? null,
    wanted,
    event,
    cause: envelope.cause,
    changedAt: envelope.changedAt,
    receivedAt: envelope.receivedAt,
    traceparent: headerText(record.headers, header.traceparent),
  };
}
