import { SyncError } from '@syncline/contracts';
import * as oauth from 'oauth4webapi';
import type { AuthSpec } from './auth.js';
import { safeWords } from './reply-errors.js';
import { exchange } from './token-endpoint.js';
import type { TokenSet } from './token-store.js';

/** How a connector declares grants that people give. */
export type OAuthSpec = Extract<AuthSpec, { type: 'authorizationCode' }>;

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
  const secrets = hidden(client, parameters.get('code') ?? '', pending.verifier);
  return exchange(client.tokenUrl, secrets, async (options) =>
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
  const given = await exchange(client.tokenUrl, hidden(client, refreshToken), async (options) =>
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

const hidden = ({ clientSecret }: OAuthClient, ...more: string[]): string[] =>
  clientSecret === null ? more : [clientSecret, ...more];

const serverOf = (client: OAuthClient): oauth.AuthorizationServer => ({
  issuer: client.tokenUrl.origin,
  token_endpoint: client.tokenUrl.href,
});

function clientAuthOf({ clientSecret, spec }: OAuthClient): oauth.ClientAuth {
  if (clientSecret === null) return oauth.None();
  return spec.clientAuth === 'post' ? oauth.ClientSecretPost(clientSecret) : oauth.ClientSecretBasic(clientSecret);
}
