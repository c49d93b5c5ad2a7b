import { SyncError } from '@syncline/contracts';
import type { AuthSpec } from './auth.js';

/** Gives requests their authorization header. */
export interface Authorizer {
  /** The header to send now; asks for a token where the spec needs one. */
  header(): Promise<Readonly<Record<string, string>>>;
  /** Called after a 401 with the header that was refused. True: a new one was got, try once more. */
  renew(refused: Readonly<Record<string, string>>): Promise<boolean>;
}

/** Posts a form to the connection's own token endpoint and returns its JSON; throws SyncError as the HTTP client does. */
export type PostForm = (path: string, form: URLSearchParams) => Promise<unknown>;

/** A token is renewed when this share of its life, at most `renewAheadMsMax`, is left. */
const renewAheadShare = 0.1;
const renewAheadMsMax = 300_000;
/** Wait between two attempts to renew a token that still serves. */
const renewAgainMs = 5_000;

/** Reads a secret by name. Throws `unauthorized` naming what is missing, never a value. */
function secretOf(secrets: Readonly<Record<string, unknown>>, name: string): string {
  const value = secrets[name];
  if (typeof value !== 'string' || value === '')
    throw new SyncError('unauthorized', `the connection's secret ${name} is not set`, { path: `secrets.${name}` });
  return value;
}

interface Token {
  value: string;
  renewAt: number;
  endsAt: number;
}

function readToken(json: unknown, askedAt: number): Token {
  const { access_token: value, expires_in: expiresIn } = (json ?? {}) as {
    access_token?: unknown;
    expires_in?: unknown;
  };
  if (typeof value !== 'string' || value === '')
    throw new SyncError('unauthorized', 'the token endpoint answered without an access_token');
  const seconds = Number(expiresIn);
  // RFC 6749 only recommends expires_in: without one the token holds until a 401 says otherwise.
  const lifeMs = Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : Number.POSITIVE_INFINITY;
  const ahead = Math.min(renewAheadMsMax, lifeMs * renewAheadShare);
  return { value, renewAt: askedAt + lifeMs - ahead, endsAt: askedAt + lifeMs };
}

function clientCredentials(
  auth: Extract<AuthSpec, { type: 'clientCredentials' }>,
  secrets: Readonly<Record<string, unknown>>,
  postForm: PostForm,
): Authorizer {
  let token: Token | null = null;
  let underWay: Promise<Token> | null = null;

  const fetchToken = async (): Promise<Token> => {
    const form = new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: secretOf(secrets, auth.clientIdSecret),
      client_secret: secretOf(secrets, auth.clientSecretSecret),
    });
    const askedAt = Date.now();
    return readToken(await postForm(auth.tokenPath, form), askedAt);
  };
  /** One request however many callers need it. A failure leaves the old token in place: it may still be good. */
  const renewOnce = (): Promise<Token> => {
    underWay ??= fetchToken()
      .then((fresh) => {
        token = fresh;
        return fresh;
      })
      .finally(() => {
        underWay = null;
      });
    return underWay;
  };
  const asHeader = (t: Token): Readonly<Record<string, string>> => ({
    [auth.header]: `${auth.prefix ?? ''}${t.value}`,
  });

  return {
    header: async () => {
      const now = Date.now();
      if (token !== null && now < token.renewAt) return asHeader(token);
      if (token === null || now >= token.endsAt) return asHeader(await renewOnce());
      // Renewal ahead of time must not delay or fail a request that the present token still serves.
      const present = token;
      present.renewAt = now + renewAgainMs;
      renewOnce().catch(() => undefined);
      return asHeader(present);
    },
    renew: async (refused) => {
      // Another request may have renewed it while this one was under way.
      if (token !== null && asHeader(token)[auth.header] !== refused[auth.header]) return true;
      await renewOnce();
      return true;
    },
  };
}

/** Carries out an AuthSpec with the connection's secrets. */
export function createAuthorizer(
  auth: AuthSpec,
  secrets: Readonly<Record<string, unknown>>,
  postForm: PostForm,
): Authorizer {
  if (auth.type === 'clientCredentials') return clientCredentials(auth, secrets, postForm);
  const fixed = (): Readonly<Record<string, string>> => {
    if (auth.type === 'none') return {};
    if (auth.type === 'header') return { [auth.header]: `${auth.prefix ?? ''}${secretOf(secrets, auth.secret)}` };
    const password = auth.passwordSecret === undefined ? '' : secretOf(secrets, auth.passwordSecret);
    const pair = Buffer.from(`${secretOf(secrets, auth.userSecret)}:${password}`).toString('base64');
    return { authorization: `Basic ${pair}` };
  };
  return { header: async () => fixed(), renew: async () => false };
}
