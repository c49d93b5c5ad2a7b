import { SyncError } from '@syncline/contracts';
import type { HttpClient, HttpReply } from './http.js';
import type { Learned } from './learned.js';
import { type HttpFailure, safeWords } from './reply-errors.js';

interface GraphqlError {
  message?: unknown;
  path?: unknown;
  extensions?: { code?: unknown } | null;
}

interface Cost {
  requestedQueryCost?: unknown;
  actualQueryCost?: unknown;
  throttleStatus?: { maximumAvailable?: unknown; currentlyAvailable?: unknown; restoreRate?: unknown } | null;
}

/** An answer's body as GraphQL over HTTP gives it; `extensions.cost` is Shopify's cost bucket. */
export interface GraphqlBody<T> {
  data?: T | null;
  errors?: GraphqlError[] | string;
  extensions?: { cost?: Cost | null } | null;
}

/** Milliseconds until the provider's cost bucket holds what this query asked for; 0 where it does or nothing is said. */
export function costWaitMs(body: unknown): number {
  const cost = (body as GraphqlBody<unknown> | null)?.extensions?.cost;
  const asked = Number(cost?.requestedQueryCost);
  const available = Number(cost?.throttleStatus?.currentlyAvailable);
  const rate = Number(cost?.throttleStatus?.restoreRate);
  if (!(asked > 0) || !(available >= 0) || !(rate > 0) || available >= asked) return 0;
  return Math.min(60_000, Math.ceil(((asked - available) / rate) * 1000));
}

/**
 * What an answer with a cost bucket says of it (https://shopify.dev/docs/api/usage/limits): its size and rate, what is left,
 * and what the query was charged. A throttled query was charged nothing, and says how long to wait.
 */
export function learnedFromCost({ json }: { json: unknown }): Learned {
  const cost = (json as GraphqlBody<unknown> | null)?.extensions?.cost;
  const status = cost?.throttleStatus;
  const [burst, perSecond] = [Number(status?.maximumAvailable), Number(status?.restoreRate)];
  if (!cost || !(burst > 0) || !(perSecond > 0)) return {};
  const asked = Number(cost.requestedQueryCost);
  const throttled = cost.actualQueryCost === null || cost.actualQueryCost === undefined;
  const pauseMs = throttled ? costWaitMs(json) : 0;
  return {
    limit: { perSecond, burst },
    ...(status?.currentlyAvailable === undefined ? {} : { available: Number(status.currentlyAvailable) }),
    ...(asked >= 0 ? { cost: { asked, actual: throttled ? 0 : Number(cost.actualQueryCost) } } : {}),
    ...(pauseMs > 0 ? { pauseMs } : {}),
  };
}

function pathOf(error: GraphqlError): string | undefined {
  return Array.isArray(error.path) ? error.path.map(String).join('.') : undefined;
}

function errorOf(body: GraphqlBody<unknown>, operation: string, safe: boolean): SyncError {
  const errors: GraphqlError[] = Array.isArray(body.errors) ? body.errors : [{ message: body.errors }];
  const codes = errors.map((e) => (typeof e.extensions?.code === 'string' ? e.extensions.code : null));
  const words = safeWords(errors.map((e) => String(e.message ?? 'an error without words')).join('; '));
  const message = `${operation}: ${words}`;
  // A throttled query was not executed at all.
  if (codes.includes('THROTTLED'))
    return new SyncError('throttled', `${operation}: throttled`, { retryAfterMs: costWaitMs(body) || 1_000 });
  if (codes.includes('ACCESS_DENIED') || codes.includes('UNAUTHENTICATED') || codes.includes('FORBIDDEN'))
    return new SyncError('unauthorized', message, { path: errors.map(pathOf).find((p) => p !== undefined) });
  if (codes.includes('INTERNAL_SERVER_ERROR') || codes.includes('TIMEOUT'))
    return new SyncError('transient', message, { outcomeUnknown: !safe });
  const code = codes.find((c) => c !== null) ?? null;
  return new SyncError('rejected', message, {
    path: errors.map(pathOf).find((p) => p !== undefined),
    cause: { status: 200, code } satisfies HttpFailure,
  });
}

/** A GraphQL operation with its name, for messages and traces. */
export interface Operation {
  readonly name: string;
  readonly document: string;
  /** False for mutations. */
  readonly safe: boolean;
}

/**
 * Sends one GraphQL operation. `errors` inside a 200 are failures, also beside partial data: a page with holes must never
 * pass for a whole one. THROTTLED → throttled with the wait computed from the cost bucket, ACCESS_DENIED → unauthorized,
 * INTERNAL_SERVER_ERROR → transient, others → rejected with the provider's words.
 */
export async function graphql<T>(
  http: HttpClient,
  path: string,
  operation: Operation,
  variables: Readonly<Record<string, unknown>> = {},
): Promise<HttpReply<{ data: T }>> {
  const reply = await http.send<GraphqlBody<T>>({
    method: 'POST',
    path,
    json: { query: operation.document, operationName: operation.name, variables },
    safe: operation.safe,
  });
  const body = reply.json;
  if (body !== null && body.errors !== undefined && body.errors.length > 0)
    throw errorOf(body, operation.name, operation.safe);
  if (body?.data === undefined || body.data === null)
    throw new SyncError('transient', `${operation.name}: the answer has no data`, { outcomeUnknown: !operation.safe });
  return reply as HttpReply<{ data: T }>;
}

export interface UserError {
  readonly field?: readonly string[] | null;
  readonly message?: string | null;
  readonly code?: string | null;
}

/** What the user errors of a mutation mean: `rejected` with the field and the provider's words; null where there are none. */
export function userErrorOf(operation: string, errors: readonly UserError[] | null | undefined): SyncError | null {
  const first = errors?.[0];
  if (errors === null || errors === undefined || first === undefined) return null;
  const path = first.field?.join('.');
  const words = errors.map(
    (e) => `${e.field?.length ? `${e.field.join('.')}: ` : ''}${e.message ?? 'refused without words'}`,
  );
  return new SyncError('rejected', `${operation}: ${safeWords(words.join('; '))}`, {
    path,
    cause: { status: 200, code: first.code ?? null },
  });
}
