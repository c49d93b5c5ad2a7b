import {
  type ConnectionContext,
  type HttpReply,
  type Page,
  type PollRequest,
  type RawItem,
} from '@syncline/connector-sdk';
import { type Noun, nouns, text, timeOf, type Wire, wires } from './api.js';

const pageSize = 100;
const dayMs = 86_400_000;
/** Pages of one poll at most: a list that never ends is a fault of the other side. */
const pagesMax = 10_000;

/** When a source began to answer, by its own clock: whatever it says is no older than that. */
export const readTime = (reply: HttpReply): number => reply.answeredAt - reply.elapsedMs;

/** An object as it goes to its raw topic. */
export function itemOf(noun: Noun, object: Wire): RawItem {
  const id = text(object.id) ?? '';
  return {
    noun,
    aggregateId: id,
    externalId: id,
    version: text(object.updated_at) ?? '',
    body: JSON.stringify(object),
  };
}

interface ListPage {
  objects: Wire[];
  hasMore: boolean;
  readAt: number;
}

/** How a poll walks one noun's list. */
interface Walk {
  readonly context: ConnectionContext;
  readonly noun: Noun;
  /** Lists nothing made before this moment. */
  readonly from: string;
}

async function listPage({ context, noun, from }: Walk, before: string | null): Promise<ListPage> {
  const { path, list } = nouns[noun];
  const reply = await context.http.send<Wire>({
    method: 'GET',
    path,
    query: {
      page_size: pageSize,
      start_datetime: from,
      before_id: before ?? undefined,
      // A shipment without label is a quote; most are never bought.
      purchased: noun === 'shipment' ? 'true' : undefined,
    },
    safe: true,
  });
  const objects = wires(reply.json?.[list]).filter((object) => text(object.id) !== null);
  return { objects, hasMore: reply.json?.has_more === true && objects.length > 0, readAt: readTime(reply) };
}

const changedSince = (objects: readonly Wire[], since: number): Wire[] =>
  objects.filter((object) => (timeOf(object.updated_at) ?? Number.POSITIVE_INFINITY) >= since);

const createdAt = (object: Wire | undefined): number => timeOf(object?.created_at) ?? 0;

/**
 * EasyPost lists by creation, newest first, and cannot filter by change. So the whole list of what is young enough to move is
 * walked once to learn which of its pages hold a change, and those are then read again and given from the oldest on. The
 * newest page is kept from the walk: what is made meanwhile would push its end out of it. Two pages are held at most. The
 * checkpoint is the creation time of the newest object given so far.
 */
export async function* poll(noun: Noun, context: ConnectionContext, request: PollRequest): AsyncGenerator<Page> {
  const walk = { context, noun, from: new Date(Math.max(0, request.since - watchMs(context))).toISOString() };
  const done = request.checkpoint === null ? Number.NEGATIVE_INFINITY : Number(request.checkpoint);
  const holdsChange = ({ objects }: ListPage): boolean =>
    createdAt(objects[0]) >= done && changedSince(objects, request.since).length > 0;
  const first = await listPage(walk, null);
  const cursors: string[] = [];
  let page = first;
  for (let pages = 1; page.hasMore && pages < pagesMax; pages++) {
    const before = text(page.objects.at(-1)?.id) ?? '';
    page = await listPage(walk, before);
    if (holdsChange(page)) cursors.push(before);
  }
  for (const before of cursors.reverse()) yield pageOf(noun, await listPage(walk, before), request.since);
  if (holdsChange(first)) yield pageOf(noun, first, request.since);
}

function pageOf(noun: Noun, { objects, readAt }: ListPage, since: number): Page {
  const changed = changedSince(objects, since).sort(
    (a, b) => (timeOf(a.updated_at) ?? 0) - (timeOf(b.updated_at) ?? 0),
  );
  return { items: changed.map((object) => itemOf(noun, object)), checkpoint: String(createdAt(objects[0])), readAt };
}

function watchMs({ settings }: ConnectionContext): number {
  return (typeof settings.watchDays === 'number' ? settings.watchDays : 0) * dayMs;
}

/** One object as it is now; null where EasyPost has none of that id. */
export async function readObject(
  noun: Noun,
  { http }: ConnectionContext,
  externalId: string,
): Promise<{ item: RawItem; readAt: number; object: Wire } | null> {
  const path = `${nouns[noun].path}/${encodeURIComponent(externalId)}`;
  const reply = await http.send<Wire>({ method: 'GET', path, safe: true, notFound: 'reply' });
  if (reply.status === 404) return null;
  return { item: { ...itemOf(noun, reply.json), body: reply.text }, readAt: readTime(reply), object: reply.json };
}
