import { createHash } from 'node:crypto';
import { SyncError } from '@syncline/contracts';
import type { AuthSpec } from './auth.js';
import { type OAuthSpec, oauthClient, renewGrant, secretOf } from './oauth.js';
import type { Held, TokenSource } from './renewal.js';
import { memoryTokens, type TokenSet, type TokenStore } from './token-store.js';
import { createTokens, type Tokens } from './tokens.js';

/** Gives requests their authorization header. */
export interface Authorizer {
  /** The header to send now; asks for a token where the spec needs one. */
  header(): Promise<Readonly<Record<string, string>>>;
  /** Called after a 401 with the header that was refused. True: a new one was got, try once more. */
  renew(refused: Readonly<Record<string, string>>): Promise<boolean>;
  /** Waits for a renewal under way, a while at most. */
  close(): Promise<void>;
}

/** Posts a form to the connection's own token endpoint and returns its JSON; throws SyncError as the HTTP client does. */
export type PostForm = (path: string, form: URLSearchParams) => Promise<unknown>;

/** What an authorizer works with. */
export interface AuthorizerOptions {
  readonly connection: string;
  readonly baseUrl: string;
  readonly auth: AuthSpec;
  readonly secrets: Readonly<Record<string, unknown>>;
  readonly postForm: PostForm;
  /** Where tokens are kept; without one this process keeps its own, and grants cannot be used. */
  readonly tokens?: TokenStore | undefined;
  readonly signal: AbortSignal;
}

type CredentialsSpec = Extract<AuthSpec, { type: 'clientCredentials' }>;

/** Asks for a token in the way of RFC 6749, 4.4; answers without a token_type are common there (Shopify's) and taken. */
async function askForToken(auth: CredentialsSpec, { secrets, postForm }: AuthorizerOptions): Promise<TokenSet> {
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    client_id: secretOf(secrets, auth.clientIdSecret),
    client_secret: secretOf(secrets, auth.clientSecretSecret),
  });
  const askedAt = performance.now();
  const answer = (await postForm(auth.tokenPath, form)) as { access_token?: unknown; expires_in?: unknown } | null;
  const { access_token: accessToken, expires_in: expiresIn } = answer ?? {};
  if (typeof accessToken !== 'string' || accessToken === '')
    throw new SyncError('unauthorized', 'the token endpoint answered without an access_token');
  const seconds = Number(expiresIn);
  // RFC 6749 only recommends expires_in: without one the token holds until a 401 says otherwise.
  const lifeMs = Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : null;
  return { accessToken, refreshToken: null, lifeMs, askedAt };
}

/** Names whom tokens are given to, without naming a secret: tokens of one client are of no use to another. */
export function fitsOf(
  auth: CredentialsSpec | OAuthSpec,
  baseUrl: string,
  secrets: AuthorizerOptions['secrets'],
): string {
  const parts = [auth.type, baseUrl, auth.tokenPath, secretOf(secrets, auth.clientIdSecret)];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32);
}

function tokenSource(auth: CredentialsSpec | OAuthSpec, options: AuthorizerOptions): TokenSource {
  const { connection, baseUrl, secrets } = options;
  const shared = { connection, fits: fitsOf(auth, baseUrl, secrets), remedy: remedyFor(connection) };
  if (auth.type === 'clientCredentials') return { ...shared, granted: false, ask: () => askForToken(auth, options) };
  const client = oauthClient(auth, baseUrl, secrets);
  return { ...shared, granted: true, ask: (kept) => renewGrant(client, kept?.refreshToken ?? '') };
}

/** What a person does where a connection has no grant that serves. */
const remedyFor = (connection: string): string => `give access with \`syncline connect ${connection}\``;

function withTokens(auth: CredentialsSpec | OAuthSpec, options: AuthorizerOptions): Authorizer {
  const { connection, tokens: store } = options;
  let tokens: Tokens | null = null;
  const opened = (): Tokens => {
    if (store === undefined && auth.type === 'authorizationCode')
      throw new SyncError(
        'unauthorized',
        `connection ${connection} needs a grant, and there is no store of grants here`,
      );
    tokens ??= createTokens(tokenSource(auth, options), store ?? memoryTokens(), options.signal);
    return tokens;
  };
  /** What was sent last, by header value: the token a 401 is about. */
  const sent = new WeakMap<object, Held>();
  return {
    header: async () => {
      const held = await opened().current();
      const header = { [auth.header]: `${auth.prefix ?? ''}${held.value}` };
      sent.set(header, held);
      return header;
    },
    renew: async (refused) => {
      const held = sent.get(refused);
      if (held === undefined) return false;
      await opened().renew(held);
      return true;
    },
    close: async () => tokens?.close(),
  };
}

/** Carries out an AuthSpec with the connection's secrets. */
export function createAuthorizer(options: AuthorizerOptions): Authorizer {
  const { auth, secrets } = options;
  if (auth.type === 'clientCredentials' || auth.type === 'authorizationCode') return withTokens(auth, options);
  const fixed = (): Readonly<Record<string, string>> => {
    if (auth.type === 'none') return {};
    if (auth.type === 'header') return { [auth.header]: `${auth.prefix ?? ''}${secretOf(secrets, auth.secret)}` };
    const password = auth.passwordSecret === undefined ? '' : secretOf(secrets, auth.passwordSecret);
    const pair = Buffer.from(`${secretOf(secrets, auth.userSecret)}:${password}`).toString('base64');
    return { authorization: `Basic ${pair}` };
  };
  return { header: async () => fixed(), renew: async () => false, close: async () => undefined };
}
