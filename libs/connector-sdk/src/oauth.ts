import { SyncError } from '@syncline/contracts';
import * as oauth from 'oauth4webapi';
import { Agent, request } from 'undici';
import type { AuthSpec } from './auth.js';
import { errorOfReply, errorOfTransport, safeWords } from './reply-errors.js';
import type { TokenSet } from './token-store.js';
import { GrantRefused } from './tokens.js';

/** How a connector declares grants that people give. */
export type OAuthSpec = Extract<AuthSpec, { type: 'authorizationCode' }>;

/** A token endpoint may be slow, and an answer that is not waited for may hold the only refresh token that works. */
const tokenMsMax = 60_000;
const answerBytesMax = 1024 * 1024;

/** The client a connection is at its authorization server. */
export interface OAuthClient {
  readonly authorizeUrl: URL;
  readonly tokenUrl: URL;
  readonly clientId: string;
  readonly clientSecret: string | null;
  readonly spec: OAuthSpec;
}

/** Reads a secret by name. Throws `unauthorized` naming what is missing, never a value. */
export function secretOf(secrets: Readonly<Record<string, unknown>>, name: string): string {
  const value = secrets[name];
  if (typeof value !== 'string' || value === '')
    throw new SyncError('unauthorized', `the connection's secret ${name} is not set`, { path: `secrets.${name}` });
  return value;
}

/** The client of a connection, from what its connector declares. Throws `unauthorized` where a secret is missing. */
export function oauthClient(spec: OAuthSpec, baseUrl: string, secrets: Readonly<Record<string, unknown>>): OAuthClient {
  const at = (place: string) => new URL(/^https?:/.test(place) ? place : `${baseUrl.replace(/\/+$/, '')}${place}`);
  return {
    authorizeUrl: at(spec.authorizePath),
    tokenUrl: at(spec.tokenPath),
    clientId: secretOf(secrets, spec.clientIdSecret),
    clientSecret: spec.clientSecretSecret === undefined ? null : secretOf(secrets, spec.clientSecretSecret),
    spec,
  };
}

/** What must be remembered between sending a person to the provider and the answer. */
export interface PendingGrant {
  /** Where to send the person. */
  readonly url: string;
  readonly state: string;
  readonly verifier: string;
  readonly redirectUri: string;
}

/** Begins an authorization (RFC 6749, 4.1.1) with a fresh state and PKCE challenge (S256). */
export async function beginGrant(client: OAuthClient, redirectUri: string): Promise<PendingGrant> {
  const { spec } = client;
  const state = oauth.generateRandomState();
  const verifier = oauth.generateRandomCodeVerifier();
  const url = new URL(client.authorizeUrl);
  const parameters = {
    ...spec.parameters,
    response_type: 'code',
    client_id: client.clientId,
    redirect_uri: redirectUri,
    ...(spec.scopes.length === 0 ? {} : { scope: spec.scopes.join(' ') }),
    state,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return { url: url.href, state, verifier, redirectUri };
}

/**
 * Ends an authorization with the address the provider sent the browser back to. Throws `rejected` where the answer is not
 * to this request or the person declined, else as `renewGrant`.
 */
export async function endGrant(client: OAuthClient, pending: PendingGrant, answer: URL): Promise<TokenSet> {
  const query = new URLSearchParams(answer.search);
  // Which server answers is known by the state alone: one request, one address, one server.
  query.delete('iss');
  let parameters: URLSearchParams;
  try {
    parameters = oauth.validateAuthResponse(serverOf(client), { client_id: client.clientId }, query, pending.state);
  } catch (error) {
    if (error instanceof oauth.AuthorizationResponseError)
      throw new SyncError(
        'rejected',
        `the provider gave no access: ${safeWords([error.error, error.error_description ?? ''].join(' '))}`,
      );
    throw new SyncError('rejected', 'the answer does not belong to this request (its state or its form is wrong)');
  }
  const secrets = [parameters.get('code') ?? '', pending.verifier];
  return exchange(client, secrets, async (options) =>
    oauth.processAuthorizationCodeResponse(
      serverOf(client),
      { client_id: client.clientId },
      await oauth.authorizationCodeGrantRequest(
        serverOf(client),
        { client_id: client.clientId },
        clientAuthOf(client),
        parameters,
        pending.redirectUri,
        pending.verifier,
        options,
      ),
    ),
  );
}

/**
 * Exchanges a refresh token (RFC 6749, 6). Throws GrantRefused where the grant is over (invalid_grant), `unauthorized` where
 * our client is refused, else as the HTTP client does; `outcomeUnknown` where the endpoint may have given new tokens unseen.
 */
export async function renewGrant(client: OAuthClient, refreshToken: string): Promise<TokenSet> {
  const given = await exchange(client, [refreshToken], async (options) =>
    oauth.processRefreshTokenResponse(
      serverOf(client),
      { client_id: client.clientId },
      await oauth.refreshTokenGrantRequest(
        serverOf(client),
        { client_id: client.clientId },
        clientAuthOf(client),
        refreshToken,
        options,
      ),
    ),
  );
  // Without a new one the old one goes on to serve (RFC 6749, 6).
  return { ...given, refreshToken: given.refreshToken ?? refreshToken };
}

const serverOf = (client: OAuthClient): oauth.AuthorizationServer => ({
  issuer: client.tokenUrl.origin,
  token_endpoint: client.tokenUrl.href,
});

function clientAuthOf({ clientSecret, spec }: OAuthClient): oauth.ClientAuth {
  if (clientSecret === null) return oauth.None();
  return spec.clientAuth === 'post' ? oauth.ClientSecretPost(clientSecret) : oauth.ClientSecretBasic(clientSecret);
}

interface ExchangeOptions {
  [oauth.customFetch]: (url: string, options: oauth.CustomFetchOptions<'POST', URLSearchParams>) => Promise<Response>;
  [oauth.allowInsecureRequests]: boolean;
}

const loopback = /^(127\.\d+\.\d+\.\d+|localhost|\[::1\])$/;

/** One request to the token endpoint, and what it gave. Errors of the library hold answers, so none goes on as a cause. */
async function exchange(
  client: OAuthClient,
  secrets: readonly string[],
  run: (options: ExchangeOptions) => Promise<oauth.TokenEndpointResponse>,
): Promise<TokenSet> {
  const askedAt = performance.now();
  const hidden = [...secrets, ...(client.clientSecret === null ? [] : [client.clientSecret])];
  const { protocol, hostname } = client.tokenUrl;
  if (protocol !== 'https:' && !loopback.test(hostname))
    throw new SyncError('rejected', `the token endpoint of ${client.tokenUrl.host} must be asked by https`);
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
    throw errorOfAnswer(error, client, answer, hidden);
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
  client: OAuthClient,
  answer: TokenAnswer | undefined,
  secrets: readonly string[],
): SyncError {
  const what = `POST ${client.tokenUrl.pathname}`;
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
