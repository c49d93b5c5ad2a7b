import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import Provider, { type Configuration, type KoaContextWithOIDC } from 'oidc-provider';

/** A request to the token endpoint, as the server saw it. */
export interface TokenRequest {
  readonly at: number;
  /** Whether the server acted on it. */
  acted: boolean;
  /** When it was answered, and with what; null while it is under way, or where nobody waited for the answer. */
  answeredAt: number | null;
  status: number | null;
}

/** What a test does to the token endpoint. */
export interface TokenFaults {
  /** What the server waits for before it acts: a sender that is gone by then was never heard. */
  before?: () => Promise<unknown>;
  /** What it waits for after it has acted and before it answers. */
  after?: () => Promise<unknown>;
  /** Answers this instead of acting. */
  answer?: { status: number; body?: string; headers?: Record<string, string> } | undefined;
}

/** A real OAuth 2 server with rotating refresh tokens, each of which ends its whole grant when it is used twice. */
export interface AuthorizationServer {
  readonly url: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly requests: TokenRequest[];
  /** Every token and code it gave: what must appear nowhere else. */
  readonly given: Set<string>;
  /** Errors it answered at the token endpoint, in its own words. */
  readonly refusals: string[];
  faults: TokenFaults;
  /** Goes through login and consent at `url` as a person would; returns the address the browser is sent back to. */
  approve(url: string, answer?: 'consent' | 'decline'): Promise<string>;
  /** Ends every grant, as a person does in the provider's settings. */
  revokeAll(): Promise<void>;
  close(): Promise<void>;
}

const clientId = 'syncline-test';
const clientSecret = 'client-secret-of-the-test';

/** Starts it on a free port of 127.0.0.1. GET /resource answers 200 to a good access token, else 401. */
export async function startAuthorizationServer(options: { accessTokenSeconds: number }): Promise<AuthorizationServer> {
  const http = createServer();
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const provider = quietly(() => new Provider(url, configuration(options.accessTokenSeconds)));
  const server: AuthorizationServer = {
    url,
    clientId,
    clientSecret,
    requests: [],
    given: new Set(),
    refusals: [],
    faults: {},
    approve: (at, answer = 'consent') => approve(url, at, answer),
    revokeAll: async () => {
      for (const grantId of grants) {
        await provider.RefreshToken.revokeByGrantId(grantId);
        await provider.AccessToken.revokeByGrantId(grantId);
        await (await provider.Grant.find(grantId))?.destroy();
      }
    },
    close: () => closed(http),
  };
  const grants = new Set<string>();
  provider.on('grant.error', (_ctx, error) => {
    const { error: code, error_detail: detail } = error as { error?: string; error_detail?: string };
    server.refusals.push(`${code}: ${detail}`);
  });
  provider.on('authorization_code.saved', ({ grantId }) => void (grantId && grants.add(grantId)));
  provider.use(resource(provider));
  provider.use(tokenEndpoint(server));
  http.on('request', provider.callback());
  return server;
}

function configuration(accessTokenSeconds: number): Configuration {
  return {
    clients: [
      {
        client_id: clientId,
        client_secret: clientSecret,
        // RFC 8252, 7.3: a native application takes whichever loopback port is free.
        application_type: 'native',
        redirect_uris: ['http://127.0.0.1/callback'],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        token_endpoint_auth_method: 'client_secret_basic',
      },
    ],
    scopes: ['orders:read'],
    pkce: { required: () => true },
    issueRefreshToken: async () => true,
    rotateRefreshToken: true,
    ttl: {
      AccessToken: accessTokenSeconds,
      AuthorizationCode: 60,
      RefreshToken: 86_400,
      Grant: 86_400,
      Session: 86_400,
      Interaction: 600,
    },
    findAccount: async (_ctx, accountId) => ({ accountId, claims: async () => ({ sub: accountId }) }),
    cookies: { keys: ['cookie-key-of-the-test'] },
    features: { devInteractions: { enabled: true } },
  };
}

/** It warns that its defaults are for development, which is what this is. */
function quietly<T>(make: () => T): T {
  const { warn } = console;
  console.warn = () => undefined;
  try {
    return make();
  } finally {
    console.warn = warn;
  }
}

type Middleware = (ctx: KoaContextWithOIDC, next: () => Promise<unknown>) => Promise<void>;

const resource =
  (provider: Provider): Middleware =>
  async (ctx, next) => {
    if (ctx.path !== '/resource') return void (await next());
    const sent = ctx.get('authorization').replace(/^Bearer /, '');
    const token = sent === '' ? undefined : await provider.AccessToken.find(sent);
    ctx.status = token?.isValid ? 200 : 401;
    ctx.body = token?.isValid ? { account: token.accountId } : { error: `no good token: ${sent}` };
  };

const tokenEndpoint =
  (server: AuthorizationServer): Middleware =>
  async (ctx, next) => {
    if (ctx.path !== '/token') return void (await next());
    const request: TokenRequest = { at: Date.now(), acted: false, answeredAt: null, status: null };
    server.requests.push(request);
    const { before, after, answer } = server.faults;
    await before?.();
    if (ctx.req.socket.destroyed) return;
    if (answer) {
      ctx.req.resume();
      ctx.status = answer.status;
      ctx.set(answer.headers ?? {});
      ctx.body = answer.body ?? '';
    } else {
      await next();
      const { params } = ctx.oidc;
      for (const name of ['refresh_token', 'code'] as const) if (params?.[name]) server.given.add(String(params[name]));
      const { access_token, refresh_token } = (ctx.body ?? {}) as Record<string, string | undefined>;
      for (const token of [access_token, refresh_token]) if (token) server.given.add(token);
      request.acted = true;
      await after?.();
    }
    if (ctx.req.socket.destroyed) return;
    request.status = ctx.status;
    request.answeredAt = Date.now();
  };

/** A browser as far as it takes: cookies, redirects, and the two forms of the server's own pages. */
async function approve(base: string, start: string, answer: 'consent' | 'decline'): Promise<string> {
  const cookies = new Map<string, string>();
  let method = 'GET';
  let body: URLSearchParams | null = null;
  let at = new URL(start);
  for (let steps = 0; steps < 20; steps += 1) {
    const reply = await fetch(at, {
      method,
      body,
      redirect: 'manual',
      headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
    });
    for (const cookie of reply.headers.getSetCookie()) {
      const [name, value] = cookie.split(';', 1)[0]!.split('=', 2) as [string, string];
      cookies.set(name, value);
    }
    const location = reply.headers.get('location');
    const page = await reply.text();
    method = 'GET';
    body = null;
    if (location !== null) {
      at = new URL(location, at);
      if (at.origin !== base) return at.href;
      continue;
    }
    if (reply.status !== 200)
      throw new Error(`the authorization server answered ${reply.status}: ${page.slice(0, 300)}`);
    if (answer === 'decline') {
      at = new URL(`${at.pathname}/abort`, at);
      continue;
    }
    method = 'POST';
    body = new URLSearchParams(
      page.includes('value="login"') ? { prompt: 'login', login: 'ada', password: 'x' } : { prompt: 'consent' },
    );
  }
  throw new Error('the authorization server never sent the browser back');
}

async function closed(http: Server): Promise<void> {
  http.closeAllConnections();
  await new Promise((resolve) => http.close(resolve));
}
