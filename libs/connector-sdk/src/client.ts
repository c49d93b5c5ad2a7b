import { SyncError } from '@syncline/contracts';
import { Agent, type Dispatcher, request } from 'undici';
import type { AuthSpec } from './auth.js';
import { type Authorizer, createAuthorizer } from './authorize.js';
import type { Priority } from './budget-allot.js';
import type { BudgetKeeper } from './budget-keeper.js';
import type { RequestLimits } from './connector.js';
import type { HttpClient, HttpReply, HttpRequest } from './http.js';
import { createPacing, type Pacing } from './pacing.js';
import { errorOfReply, errorOfTransport } from './reply-errors.js';
import type { TokenStore } from './token-store.js';

export interface HttpClientOptions {
  readonly connection: string;
  readonly baseUrl: string;
  readonly auth: AuthSpec;
  readonly secrets: Readonly<Record<string, unknown>>;
  readonly limits: RequestLimits;
  /** Where the connection's budget is kept for all processes; absent: this client has one of its own. */
  readonly budget?: BudgetKeeper | undefined;
  /** Who spends it, for operators. */
  readonly service?: string | undefined;
  /** Where access tokens are kept, for connections that need one. */
  readonly tokens?: TokenStore | undefined;
  /** Ends every request when the service stops. */
  readonly signal?: AbortSignal;
  /** Replaces the client's own connection pool. */
  readonly dispatcher?: Dispatcher;
  readonly userAgent?: string;
  /** Bounds of one request in milliseconds. */
  readonly timeouts?: { connectMs?: number; headersMs?: number; bodyMs?: number; overallMs?: number };
}

const answerBytesMax = 10 * 1024 * 1024;
const never = new AbortController().signal;

interface Wire {
  dispatcher: Dispatcher;
  base: string;
  overallMs: number;
  signal: AbortSignal;
  userAgent: string;
  secretValues: readonly string[];
}

interface WireRequest {
  method: HttpRequest['method'];
  path: string;
  query?: HttpRequest['query'];
  headers: Readonly<Record<string, string>>;
  body: string | undefined;
  safe: boolean;
  /** What authorizes it, to keep that out of error words too. */
  hidden?: readonly string[];
}

const what = (r: { method: string; path: string }): string => `${r.method} ${r.path}`;

/** Secrets as texts, to keep them out of what a provider's error words may repeat. */
const textsOf = (secrets: Readonly<Record<string, unknown>>): string[] =>
  Object.values(secrets).flatMap((s) =>
    typeof s === 'string' ? [s] : Array.isArray(s) ? s.filter((x) => typeof x === 'string') : [],
  );

function urlOf(base: string, path: string, query: HttpRequest['query']): string {
  if (!path.startsWith('/')) throw new SyncError('defect', 'the path of a request must start with /', { path: 'path' });
  const pairs = Object.entries(query ?? {}).flatMap(([k, v]) =>
    v === undefined ? [] : [[k, String(v)] as [string, string]],
  );
  return `${base}${path}${pairs.length === 0 ? '' : `?${new URLSearchParams(pairs)}`}`;
}

async function readBody(body: Dispatcher.ResponseData['body'], name: string, safe: boolean): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > answerBytesMax)
      throw new SyncError('rejected', `${name} answered more than ${answerBytesMax / 1048576} MB`, {
        outcomeUnknown: !safe,
      });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseJson(text: string): { json: unknown; valid: boolean } {
  if (text === '') return { json: null, valid: true };
  try {
    return { json: JSON.parse(text), valid: true };
  } catch {
    return { json: null, valid: false };
  }
}

type Answer = HttpReply & { valid: boolean };

/** One exchange on the wire, bounded in time and size; every status is an answer here. */
async function exchange(wire: Wire, r: WireRequest): Promise<Answer> {
  const ended = new AbortController();
  let reason: string | undefined;
  const end = (why: string) => (): void => {
    reason = why;
    ended.abort();
  };
  const onStop = end('the service is stopping');
  const timer = setTimeout(end(`took more than ${wire.overallMs / 1000} s`), wire.overallMs);
  wire.signal.addEventListener('abort', onStop, { once: true });
  const startedAt = performance.now();
  try {
    const answer = await request(urlOf(wire.base, r.path, r.query), {
      method: r.method,
      dispatcher: wire.dispatcher,
      signal: ended.signal,
      headers: { accept: 'application/json', 'user-agent': wire.userAgent, ...r.headers },
      ...(r.body === undefined ? {} : { body: r.body }),
    });
    const text = await readBody(answer.body, what(r), r.safe);
    const date = Date.parse(String(answer.headers.date ?? ''));
    return {
      status: answer.statusCode,
      headers: answer.headers,
      text,
      ...parseJson(text),
      answeredAt: Number.isNaN(date) ? Date.now() : date,
      elapsedMs: Math.ceil(performance.now() - startedAt),
    };
  } catch (thrown) {
    if (thrown instanceof SyncError) throw thrown;
    throw errorOfTransport(thrown, what(r), r.safe, reason);
  } finally {
    clearTimeout(timer);
    wire.signal.removeEventListener('abort', onStop);
  }
}

/** The answer where it is a good one, else the SyncError it means. */
function judge(
  wire: Wire,
  r: WireRequest,
  reply: HttpReply & { valid: boolean },
  notFound: HttpRequest['notFound'],
): HttpReply {
  const good = reply.status >= 200 && reply.status < 300;
  if (good && !reply.valid)
    throw new SyncError('transient', `${what(r)} answered ${reply.status} with something that is no JSON`, {
      outcomeUnknown: !r.safe,
      cause: { status: reply.status, code: null },
    });
  if (good || (reply.status === 404 && notFound === 'reply')) return reply;
  throw errorOfReply({ ...reply, what: what(r), safe: r.safe, secrets: [...wire.secretValues, ...(r.hidden ?? [])] });
}

/** A token request: wrong credentials are said as such, and whatever fails, the caller's own request was not sent. */
async function postForm(wire: Wire, path: string, form: URLSearchParams): Promise<unknown> {
  const r: WireRequest = {
    method: 'POST',
    path,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: form.toString(),
    safe: true,
  };
  try {
    return judge(wire, r, await exchange(wire, r), 'error').json;
  } catch (error) {
    if (error instanceof SyncError && (error.kind === 'rejected' || error.kind === 'conflict'))
      throw new SyncError('unauthorized', `no access token, check the connection's credentials: ${error.message}`, {
        cause: error.cause,
      });
    throw error;
  }
}

async function sendOnce(
  wire: Wire,
  authorizer: Authorizer,
  pacing: Pacing,
  priority: Priority,
  asked: HttpRequest,
): Promise<HttpReply> {
  const body = asked.json === undefined ? undefined : JSON.stringify(asked.json);
  for (let attempt = 1; ; attempt += 1) {
    const authorization = await authorizer.header();
    const headers = {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...asked.headers,
      ...authorization,
    };
    const r: WireRequest = {
      method: asked.method,
      path: asked.path,
      query: asked.query,
      headers,
      body,
      safe: asked.safe,
      hidden: Object.values(authorization).flatMap((value) => value.split(' ').filter((part) => part.length > 8)),
    };
    const reply = await pacing.send(priority, asked, () => exchange(wire, r));
    // A 401 did nothing, so the same request may go out again under a new token, once.
    if (reply.status === 401 && attempt === 1 && (await authorizer.renew(authorization))) continue;
    return judge(wire, r, reply, asked.notFound);
  }
}

/** A connection's HTTP client. What it sends itself is a write; `at` gives it for other work. */
export interface PacedClient extends HttpClient {
  at(priority: Priority): HttpClient;
  close(): Promise<void>;
}

/**
 * HTTP for one connection, as `HttpClient` documents it. No redirects, no retries but the one after a 401; the engine
 * decides about everything else. `close` ends the connection pool.
 */
export function createHttpClient(options: HttpClientOptions): PacedClient {
  const { limits, timeouts = {} } = options;
  const own =
    options.dispatcher === undefined
      ? new Agent({
          connect: { timeout: timeouts.connectMs ?? 3_000 },
          headersTimeout: timeouts.headersMs ?? 10_000,
          bodyTimeout: timeouts.bodyMs ?? 10_000,
          connections: limits.concurrency,
          keepAliveTimeout: 4_000,
        })
      : null;
  const wire: Wire = {
    dispatcher: options.dispatcher ?? (own as Dispatcher),
    base: options.baseUrl.replace(/\/+$/, ''),
    overallMs: timeouts.overallMs ?? 15_000,
    signal: options.signal ?? never,
    userAgent: options.userAgent ?? 'Syncline/0.1',
    secretValues: textsOf(options.secrets),
  };
  const authorizer = createAuthorizer({
    ...options,
    signal: wire.signal,
    postForm: (path, form) => postForm(wire, path, form),
  });
  const { connection, budget: keeper, service } = options;
  const pacing = createPacing(limits, { connection, keeper, service, signal: wire.signal });
  const at = (priority: Priority): HttpClient => ({
    send: async <T>(asked: HttpRequest) => (await sendOnce(wire, authorizer, pacing, priority, asked)) as HttpReply<T>,
  });
  const close = async (): Promise<void> => {
    await authorizer.close();
    await pacing.close();
    await own?.close();
  };
  return { ...at('write'), at, close };
}
