import {
  type ConnectionContext,
  httpFailure,
  type Page,
  type PollRequest,
  type RawItem,
} from '@syncline/connector-sdk';
import { SyncError } from '@syncline/contracts';
import { ask, gid, readAtOf, reserveWaitMs, sliceOf } from './api.js';
import { completeFulfillment, completeOrder } from './complete.js';
import { operations } from './documents.js';
import { needId, object, type Wire } from './wire.js';

/** Orders asked for at once. Halved where Shopify says that the query would cost more than one query may. */
const pageSizeMax = 20;

const itemOf = (noun: string, aggregateId: string, node: Wire): RawItem => ({
  noun,
  aggregateId,
  externalId: needId(node, noun),
  version: String(node.updatedAt ?? ''),
  body: JSON.stringify(node),
});

const searchTime = (at: number): string => new Date(at).toISOString().replace(/\.\d{3}Z$/, 'Z');

function cursorOf(checkpoint: string | null): string | null {
  if (checkpoint === null) return null;
  const { after } = object(JSON.parse(checkpoint));
  return typeof after === 'string' ? after : null;
}

/** One page, smaller where Shopify refuses the size. */
async function askPage(context: ConnectionContext, query: string, after: string | null, size: number) {
  for (let first = size; ; first = Math.floor(first / 2))
    try {
      return { reply: await ask(context, operations.orders, { first, after, query }), first };
    } catch (error) {
      if (first === 1 || httpFailure(error)?.code !== 'MAX_COST_EXCEEDED') throw error;
    }
}

/** Orders changed since a moment, oldest change first, each with its lines, refunds and fulfilments in whole. */
export async function* pollOrders(context: ConnectionContext, request: PollRequest): AsyncGenerator<Page> {
  // Shopify tells seconds: the one that `until` lies in is wanted whole.
  const end = request.until === undefined ? '' : ` updated_at:<='${searchTime(request.until)}'`;
  const query = `updated_at:>='${searchTime(request.since)}'${end}`;
  let after = cursorOf(request.checkpoint);
  let size = pageSizeMax;
  for (;;) {
    const { reply, first } = await askPage(context, query, after, size);
    size = first;
    const slice = sliceOf(reply.json.data.orders, operations.orders.name);
    const items: RawItem[] = [];
    for (const node of slice.nodes) {
      const order = await completeOrder(context, object(node));
      // An order deleted meanwhile has nothing left to read; its deletion is not ours to say.
      if (order !== null) items.push(itemOf('order', needId(order, 'order'), order));
    }
    after = slice.after;
    yield { items, checkpoint: after === null ? null : JSON.stringify({ after }), readAt: readAtOf(reply) };
    if (after === null) return;
    const waitMs = reserveWaitMs(reply.json);
    if (waitMs > 0)
      throw new SyncError('throttled', 'the rest of the cost bucket is kept for writes', { retryAfterMs: waitMs });
  }
}

/** One order as it is now; null where the shop has none of that id. */
export async function readOrder(
  context: ConnectionContext,
  externalId: string,
): Promise<{ item: RawItem; readAt: number } | null> {
  const reply = await ask(context, operations.order, { id: gid('Order', externalId) });
  if (reply.json.data.order === null) return null;
  const order = await completeOrder(context, object(reply.json.data.order));
  return order === null ? null : { item: itemOf('order', externalId, order), readAt: readAtOf(reply) };
}

/** One fulfilment as it is now; null where the shop has none of that id. */
export async function readFulfillment(
  context: ConnectionContext,
  externalId: string,
): Promise<{ item: RawItem; readAt: number } | null> {
  const reply = await ask(context, operations.fulfillment, { id: gid('Fulfillment', externalId) });
  if (reply.json.data.fulfillment === null) return null;
  const node = await completeFulfillment(context, object(reply.json.data.fulfillment));
  if (node === null) return null;
  return { item: itemOf('fulfillment', needId(object(node.order), 'order'), node), readAt: readAtOf(reply) };
}
