import { SyncError } from '@syncline/contracts';
import * as oauth from 'oauth4webapi';
import { Agent, request } from 'undici';
import { GrantRefused } from './renewal.js';
import { errorOfReply, errorOfTransport } from './reply-errors.js';
import type { TokenSet } from './token-store.js';

/** A token endpoint may be slow, and an answer that is not waited for may hold the only refresh token that works. */
const tokenMsMax = 60_000;
const answerBytesMax = 1024 * 1024;

/** What the library is to send its request with. */
export interface ExchangeOptions {
  [oauth.customFetch]: (url: string, options: oauth.CustomFetchOptions<'POST', URLSearchParams>) => Promise<Response>;
  [oauth.allowInsecureRequests]: boolean;
}

const loopback = /^(127\.\d+\.\d+\.\d+|localhost|\[::1\])$/;

/**
 * One request to the token endpoint, and what it gave; `secrets` appear in no error. Throws as `renewGrant` says. Errors of the
 * library hold answers, so none goes on as a cause.
 */
export async function exchange(
  tokenUrl: URL,
  secrets: readonly string[],
  run: (options: ExchangeOptions) => Promise<oauth.TokenEndpointResponse>,
): Promise<TokenSet> {
  const askedAt = performance.now();
  const { protocol, hostname } = tokenUrl;
  if (protocol !== 'https:' && !loopback.test(hostname))
    throw new SyncError('rejected', `the token endpoint of ${tokenUrl.host} must be asked by https`);
  let answer: TokenAnswer | undefined;
  try {
    const given = await run({
      [oauth.customFetch]: async (url, options) => {
        answer = await postToken(new URL(url), options);
        return responseOf(answer);
      },
      [oauth.allowInsecureRequests]: protocol === 'http:',
    });
    return {
      accessToken: given.access_token,
      refreshToken: given.refresh_token ?? null,
      lifeMs: given.expires_in === undefined || given.expires_in <= 0 ? null : given.expires_in * 1000,
      askedAt,
    };
  } catch (error) {
    if (error instanceof SyncError) throw error;
    throw errorOfAnswer(error, tokenUrl, answer, secrets);
  }
}

interface TokenAnswer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly json: unknown;
}

/** Sends the form. Not ended when the service stops: an answer on its way may hold the only refresh token that works. */
async function postToken(url: URL, { body, headers }: { body: URLSearchParams; headers: Record<string, string> }) {
  const what = `POST ${url.pathname}`;
  const agent = new Agent({ connect: { timeout: 3_000 }, headersTimeout: tokenMsMax, bodyTimeout: tokenMsMax });
  try {
    const {
      statusCode,
      headers: said,
      body: stream,
    } = await request(url, {
      method: 'POST',
      dispatcher: agent,
      signal: AbortSignal.timeout(tokenMsMax),
      headers: { ...headers, accept: 'application/json' },
      body: body.toString(),
    });
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > answerBytesMax) throw new Error('too long an answer');
      chunks.push(chunk);
    }
    return { status: statusCode, headers: said, json: parsed(Buffer.concat(chunks).toString('utf8')) };
  } catch (thrown) {
    const { kind, message, outcomeUnknown } = errorOfTransport(thrown, what, false);
    throw new SyncError(kind, message, { outcomeUnknown });
  } finally {
    void agent.close().catch(() => undefined);
  }
}

const isGood = ({ status }: TokenAnswer): boolean => status >= 200 && status < 300;

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/**
 * The answer as the library reads it, without what we do not use: a good answer whose other fields are odd (no token_type, an
 * id_token for somebody else) must not cost us the refresh token in it.
 */
function responseOf(answer: TokenAnswer): Response {
  const { status, json } = answer;
  const good = isGood(answer);
  const fields = (typeof json === 'object' && json !== null ? json : {}) as Record<string, unknown>;
  const { access_token, refresh_token, expires_in, error, error_description } = fields;
  const seconds = Number(expires_in);
  const body = good
    ? {
        access_token,
        token_type: 'bearer',
        ...(typeof refresh_token === 'string' && refresh_token !== '' ? { refresh_token } : {}),
        ...(Number.isFinite(seconds) && seconds > 0 ? { expires_in: seconds } : {}),
      }
    : { error, error_description };
  return new Response(JSON.stringify(body), {
    status: good ? 200 : status,
    headers: { 'content-type': 'application/json' },
  });
}

/** Error codes that say nothing but that it did not work now, whatever the status (RFC 6749, 4.1.2.1 has them for redirects). */
const passing = new Set(['temporarily_unavailable', 'server_error', 'slow_down']);

/**
 * What an answer without tokens means. Only the words of the standard end a grant, and only where the status says the same:
 * a proxy's 403, a limit or a crash never does.
 */
function errorOfAnswer(
  error: unknown,
  tokenUrl: URL,
  answer: TokenAnswer | undefined,
  secrets: readonly string[],
): SyncError {
  const what = `POST ${tokenUrl.pathname}`;
  if (answer === undefined) return new SyncError('defect', `${what} could not be sent (${(error as Error)?.name})`);
  if (isGood(answer))
    return new SyncError('transient', `${what} answered ${answer.status} without an access_token`, {
      outcomeUnknown: true,
    });
  const asReply = errorOfReply({ ...answer, answeredAt: Date.now(), what, safe: false, secrets });
  if (asReply.kind === 'transient' || asReply.kind === 'throttled') return asReply;
  const code = error instanceof oauth.ResponseBodyError ? error.error : null;
  if (asReply.kind === 'conflict' || (code !== null && passing.has(code)))
    return new SyncError('transient', asReply.message, { cause: asReply.cause });
  if (code === 'invalid_grant') return new GrantRefused(asReply.message);
  return new SyncError('unauthorized', `no access token, check the connection's client: ${asReply.message}`, {
    cause: asReply.cause,
  });
}
