import {
  type ConnectionContext,
  graphql,
  type HttpReply,
  type Operation,
  type UserError,
  userErrorOf,
} from '@syncline/connector-sdk';
import { SyncError } from '@syncline/contracts';
import { apiVersion } from './documents.js';
import { object, type Wire } from './wire.js';

/** A global id, as the Admin API names objects. */
export const gid = (type: string, id: string): string => `gid://shopify/${type}/${id}`;

/** Sends one operation to the pinned version. */
export const ask = (
  context: ConnectionContext,
  operation: Operation,
  variables: Readonly<Record<string, unknown>> = {},
): Promise<HttpReply<{ data: Wire }>> =>
  graphql<Wire>(context.http, `/admin/api/${apiVersion}/graphql.json`, operation, variables);

/** When the source began to read what it answered, by its own clock: the answer shows nothing older than this moment. */
export const readAtOf = (reply: HttpReply): number => reply.answeredAt - reply.elapsedMs;

/** A connection's page: its nodes, and where to go on. */
export interface Slice {
  nodes: readonly unknown[];
  after: string | null;
}

/** Reads a connection out of an answer. Throws `transient` where it is not there: a part missing must not pass for an empty one. */
export function sliceOf(connection: unknown, what: string): Slice {
  const { nodes, pageInfo } = object(connection);
  if (!Array.isArray(nodes)) throw new SyncError('transient', `${what}: the answer has no list`);
  const { hasNextPage, endCursor } = object(pageInfo);
  if (hasNextPage === true && typeof endCursor !== 'string')
    throw new SyncError('transient', `${what}: the answer names no next page`);
  return { nodes, after: hasNextPage === true ? (endCursor as string) : null };
}

/** Words in user errors that mean the object is not (or no longer) there. */
const goneWords = /does not exist|not found|could not be found/i;

/**
 * Does a mutation and returns its payload. User errors become `rejected` with the field and Shopify's words, or `conflict`
 * where the object went under our hands: the engine then reads and decides again.
 */
export async function change(
  context: ConnectionContext,
  operation: Operation,
  field: string,
  variables: Readonly<Record<string, unknown>>,
): Promise<Wire> {
  const reply = await ask(context, operation, variables);
  const payload = object(reply.json.data[field]);
  const error = userErrorOf(operation.name, payload.userErrors as UserError[] | undefined);
  if (error === null) return payload;
  throw goneWords.test(error.message) ? new SyncError('conflict', error.message, { path: error.path }) : error;
}

/** Milliseconds until the cost bucket holds this query again and a quarter of it is left for writes; 0 where it does. */
export function reserveWaitMs(body: unknown): number {
  const cost = object(object(object(body).extensions).cost);
  const { maximumAvailable, currentlyAvailable, restoreRate } = object(cost.throttleStatus);
  const wanted = Number(cost.requestedQueryCost) + Number(maximumAvailable) / 4;
  const missing = Math.min(wanted, Number(maximumAvailable)) - Number(currentlyAvailable);
  const waitMs = Math.ceil((missing / Number(restoreRate)) * 1000);
  return Number.isFinite(waitMs) && waitMs > 0 ? waitMs : 0;
}
