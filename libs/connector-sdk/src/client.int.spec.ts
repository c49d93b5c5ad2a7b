import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { SyncError } from '@syncline/contracts';
import type { AuthSpec } from './auth.js';
import { createHttpClient, type HttpClientOptions } from './client.js';
import { graphql } from './graphql.js';
import { httpFailure } from './reply-errors.js';

type Answer = (req: IncomingMessage, res: ServerResponse, body: string) => void;

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function serve(answer: Answer): Promise<{ url: string; server: Server }> {
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (c: Buffer) => chunks.push(c));
    req.on('end', () => answer(req, res, Buffer.concat(chunks).toString('utf8')));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(
    () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(resolve);
      }),
  );
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

function clientOf(baseUrl: string, more: Partial<HttpClientOptions> = {}) {
  const client = createHttpClient({
    connection: 'shop',
    baseUrl,
    auth: { type: 'none' },
    secrets: {},
    limits: { perSecond: 1000, burst: 100, concurrency: 10 },
    ...more,
  });
  closers.push(() => client.close());
  return client;
}

const failureOf = async (work: Promise<unknown>): Promise<SyncError> => {
  const error = await work.then(
    () => new Error('it did not fail'),
    (e) => e,
  );
  expect(error).toBeInstanceOf(SyncError);
  return error as SyncError;
};

const get = { method: 'GET', path: '/thing', safe: true } as const;
const post = { method: 'POST', path: '/thing', json: { a: 1 }, safe: false } as const;

describe('requests and answers', () => {
  it('sends query, JSON and headers and gives back JSON, text and clock', async () => {
    const seen: unknown[] = [];
    const { url } = await serve((req, res, body) => {
      seen.push(req.method, req.url, req.headers['content-type'], req.headers['x-own'], JSON.parse(body));
      res.setHeader('date', 'Thu, 01 Jan 2026 10:00:00 GMT').end('{"ok":true}');
    });
    const reply = await clientOf(`${url}/base/`).send({
      ...post,
      query: { page: 2, none: undefined, q: 'a b&c' },
      headers: { 'x-own': 'yes' },
    });
    expect(seen).toEqual(['POST', '/base/thing?page=2&q=a+b%26c', 'application/json', 'yes', { a: 1 }]);
    expect(reply).toMatchObject({
      status: 200,
      json: { ok: true },
      text: '{"ok":true}',
      answeredAt: Date.UTC(2026, 0, 1, 10),
    });
    expect(reply.elapsedMs).toBeGreaterThan(0);
  });

  it('takes an empty 204 as null', async () => {
    const { url } = await serve((_q, res) => res.writeHead(204).end());
    expect((await clientOf(url).send(post)).json).toBeNull();
  });

  it('gives a 404 back as a reply where it is asked to, else refuses it', async () => {
    const { url } = await serve((_q, res) => res.writeHead(404).end('{"errors":"Not Found"}'));
    expect((await clientOf(url).send({ ...get, notFound: 'reply' })).status).toBe(404);
    expect(await failureOf(clientOf(url).send(get))).toMatchObject({
      kind: 'rejected',
      message: 'GET /thing answered 404: Not Found',
    });
  });

  it('follows no redirect', async () => {
    let asked = 0;
    const { url } = await serve((_q, res) => {
      asked += 1;
      res.writeHead(302, { location: '/elsewhere' }).end();
    });
    expect(await failureOf(clientOf(url).send(get))).toMatchObject({
      kind: 'rejected',
      message: expect.stringMatching(/redirects/),
    });
    expect(asked).toBe(1);
  });

  it('stops reading an answer over 10 MB', async () => {
    const { url } = await serve((_q, res) => {
      for (let i = 0; i < 11; i += 1) res.write(Buffer.alloc(1024 * 1024, 32));
      res.end('{}');
    });
    expect(await failureOf(clientOf(url).send(get))).toMatchObject({
      kind: 'rejected',
      message: 'GET /thing answered more than 10 MB',
    });
  });
});

describe('failures', () => {
  it.each([
    [400, 'rejected', false],
    [401, 'unauthorized', false],
    [403, 'unauthorized', false],
    [408, 'transient', false],
    [409, 'conflict', false],
    [412, 'conflict', false],
    [422, 'rejected', false],
    [429, 'throttled', false],
    [500, 'transient', true],
    [502, 'transient', true],
    [503, 'transient', false],
    [504, 'transient', true],
  ] as const)('takes a %i on a write for %s, outcome unknown: %s', async (status, kind, outcomeUnknown) => {
    const { url } = await serve((_q, res) => res.writeHead(status).end('{"error":{"code":"ODD.CODE","message":"no"}}'));
    const error = await failureOf(clientOf(url).send(post));
    expect(error).toMatchObject({ kind, outcomeUnknown, message: `POST /thing answered ${status}: no` });
    expect(httpFailure(error)).toEqual({ status, code: 'ODD.CODE' });
    expect((await failureOf(clientOf(url).send({ ...post, safe: true }))).outcomeUnknown).toBe(false);
  });

  it('knows the outcome of a request that never left', async () => {
    const { url, server } = await serve(() => undefined);
    await new Promise((resolve) => server.close(resolve));
    expect(await failureOf(clientOf(url).send(post))).toMatchObject({ kind: 'transient', outcomeUnknown: false });
  });

  it.each([
    ['a reset after sending', (_q: IncomingMessage, res: ServerResponse) => res.socket?.destroy()],
    [
      'a torn answer',
      (_q: IncomingMessage, res: ServerResponse) => {
        res.writeHead(200, { 'content-length': '100' }).write('{"a"');
        setTimeout(() => res.socket?.destroy(), 20);
      },
    ],
    ['an answer that is no JSON', (_q: IncomingMessage, res: ServerResponse) => res.end('<html>')],
    ['an answer that never comes', () => undefined],
    ['an answer that never ends', (_q: IncomingMessage, res: ServerResponse) => res.write('{')],
  ] as [string, Answer][])('does not know the outcome of a write after %s', async (_name, answer) => {
    const { url } = await serve(answer);
    const client = clientOf(url, { timeouts: { overallMs: 300 } });
    expect(await failureOf(client.send(post))).toMatchObject({ kind: 'transient', outcomeUnknown: true });
    expect(await failureOf(client.send(get))).toMatchObject({ kind: 'transient', outcomeUnknown: false });
  });

  it('ends requests when the service stops', async () => {
    const { url } = await serve(() => undefined);
    const stop = new AbortController();
    const sending = failureOf(clientOf(url, { signal: stop.signal }).send(get));
    setTimeout(() => stop.abort(), 50);
    expect(await sending).toMatchObject({
      kind: 'transient',
      message: 'GET /thing got no answer: the service is stopping',
    });
  });

  it('keeps secrets and personal data of the answer out of the message', async () => {
    const { url } = await serve((_q, res) =>
      res
        .writeHead(422)
        .end('{"errors":{"email":["ann@example.com is taken"],"key":["EZTK-secret-1 is odd, call +1 555 123 4567"]}}'),
    );
    const error = await failureOf(clientOf(url, { secrets: { apiKey: 'EZTK-secret-1' } }).send(post));
    expect(error.message).toBe(
      'POST /thing answered 422: email: [e-mail] is taken; key: [secret] is odd, call [number]',
    );
  });
});

describe('limits', () => {
  it('waits as long as a throttling answer says, and tells the next caller', async () => {
    let asked = 0;
    const { url } = await serve((_q, res) => {
      asked += 1;
      res.writeHead(429, { 'retry-after': '30.0' }).end();
    });
    const client = clientOf(url);
    expect(await failureOf(client.send(get))).toMatchObject({ kind: 'throttled', retryAfterMs: 30_000 });
    const next = await failureOf(client.send(get));
    expect(next.kind).toBe('throttled');
    expect(next.retryAfterMs).toBeGreaterThan(29_000);
    expect(asked).toBe(1);
  });

  it('never has more requests under way than allowed', async () => {
    let active = 0;
    let most = 0;
    const { url } = await serve((_q, res) => {
      active += 1;
      most = Math.max(most, active);
      setTimeout(() => {
        active -= 1;
        res.end('{}');
      }, 20);
    });
    const client = clientOf(url, { limits: { perSecond: 1000, burst: 100, concurrency: 3 } });
    await Promise.all(Array.from({ length: 12 }, () => client.send(get)));
    expect(most).toBe(3);
  });

  it('slows down where an answer says the budget is low', async () => {
    const { url } = await serve((_q, res) => res.end('{}'));
    const client = clientOf(url, {
      limits: { perSecond: 1000, burst: 10, concurrency: 2, learn: () => ({ pauseMs: 150 }) },
    });
    const startedAt = Date.now();
    await client.send(get);
    await client.send(get);
    expect(Date.now() - startedAt).toBeGreaterThanOrEqual(145);
  });
});

describe('authorization', () => {
  const oauth: AuthSpec = {
    type: 'clientCredentials',
    tokenPath: '/token',
    clientIdSecret: 'clientId',
    clientSecretSecret: 'clientSecret',
    header: 'x-token',
  };
  const secrets = { clientId: 'id-1', clientSecret: 'secret-1' };

  /** A server that hands out tokens t1, t2 ... and takes those that were not revoked. */
  async function tokenServer(expiresIn: number, answerToken?: Answer) {
    const state = { issued: 0, valid: new Set<string>(), asked: [] as string[], forms: [] as string[] };
    const { url } = await serve((req, res, body) => {
      if (req.url === '/token') {
        state.forms.push(body);
        if (answerToken !== undefined) return answerToken(req, res, body);
        state.issued += 1;
        const token = `t${state.issued}`;
        state.valid.add(token);
        setTimeout(() => res.end(JSON.stringify({ access_token: token, expires_in: expiresIn })), 30);
        return;
      }
      state.asked.push(String(req.headers['x-token']));
      res.writeHead(state.valid.has(String(req.headers['x-token'])) ? 200 : 401).end('{}');
    });
    return { url, state };
  }

  it('sends basic and header credentials', async () => {
    const { url } = await serve((req, res) =>
      res.end(JSON.stringify({ a: req.headers.authorization, k: req.headers['x-key'] ?? null })),
    );
    const basic = clientOf(url, { auth: { type: 'basic', userSecret: 'apiKey' }, secrets: { apiKey: 'k1' } });
    expect((await basic.send(get)).json).toEqual({ a: `Basic ${Buffer.from('k1:').toString('base64')}`, k: null });
    const header = clientOf(url, {
      auth: { type: 'header', header: 'x-key', secret: 'apiKey', prefix: 'Bearer ' },
      secrets: { apiKey: 'k2' },
    });
    expect((await header.send(get)).json).toEqual({ k: 'Bearer k2' });
    const missing = clientOf(url, { auth: { type: 'basic', userSecret: 'apiKey' } });
    expect(await failureOf(missing.send(get))).toMatchObject({ kind: 'unauthorized', path: 'secrets.apiKey' });
  });

  it('asks for one token however many requests need it, and keeps it', async () => {
    const { url, state } = await tokenServer(3600);
    const client = clientOf(url, { auth: oauth, secrets });
    await Promise.all(Array.from({ length: 8 }, () => client.send(get)));
    await client.send(get);
    expect(state.issued).toBe(1);
    expect(state.forms).toEqual(['grant_type=client_credentials&client_id=id-1&client_secret=secret-1']);
  });

  it('gets a new token once when the old one is refused, one for all', async () => {
    const { url, state } = await tokenServer(3600);
    const client = clientOf(url, { auth: oauth, secrets });
    await client.send(get);
    state.valid.clear();
    await Promise.all(Array.from({ length: 5 }, () => client.send(post)));
    expect(state.issued).toBe(2);
  });

  it('renews before the end without making requests wait', async () => {
    const { url, state } = await tokenServer(1);
    const client = clientOf(url, { auth: oauth, secrets });
    await client.send(get);
    await new Promise((resolve) => setTimeout(resolve, 920));
    await client.send(get);
    await new Promise((resolve) => setTimeout(resolve, 60));
    await client.send(get);
    expect(state.issued).toBe(2);
    expect(state.asked).toEqual(['t1', 't1', 't2']);
  });

  it('gives up after one renewal where the new token is refused too', async () => {
    const { url } = await serve((req, res) =>
      req.url === '/token'
        ? res.end('{"access_token":"t"}')
        : res.writeHead(401).end('{"errors":"[API] Invalid API key"}'),
    );
    expect(await failureOf(clientOf(url, { auth: oauth, secrets }).send(get))).toMatchObject({
      kind: 'unauthorized',
      message: 'GET /thing answered 401: [API] Invalid API key',
    });
  });

  it.each([
    [400, 'unauthorized'],
    [401, 'unauthorized'],
    [429, 'throttled'],
    [503, 'transient'],
  ] as const)('says %s of the token endpoint as %s, the write itself not sent', async (status, kind) => {
    const { url, state } = await tokenServer(60, (_q, res) =>
      res.writeHead(status).end('{"error":"invalid_client","error_description":"secret-1 is wrong"}'),
    );
    const error = await failureOf(clientOf(url, { auth: oauth, secrets }).send(post));
    expect(error).toMatchObject({ kind, outcomeUnknown: false });
    expect(error.message).not.toContain('secret-1');
    expect(state.asked).toEqual([]);
  });
});

describe('GraphQL over HTTP', () => {
  const operation = { name: 'Q', document: 'query Q { shop { name } }', safe: true };
  const asking = async (body: unknown) => {
    const { url } = await serve((_q, res) => res.end(JSON.stringify(body)));
    return graphql(clientOf(url), '/graphql.json', operation);
  };

  it('gives the data', async () => {
    expect((await asking({ data: { shop: { name: 'x' } } })).json.data).toEqual({ shop: { name: 'x' } });
  });

  it('waits until the cost bucket holds what the query asks for', async () => {
    const cost = {
      requestedQueryCost: 300,
      throttleStatus: { maximumAvailable: 1000, currentlyAvailable: 100, restoreRate: 50 },
    };
    const error = await failureOf(
      asking({ errors: [{ message: 'Throttled', extensions: { code: 'THROTTLED' } }], extensions: { cost } }),
    );
    expect(error).toMatchObject({ kind: 'throttled', retryAfterMs: 4_000 });
  });

  it.each([
    [
      { message: 'Access denied for orders field', extensions: { code: 'ACCESS_DENIED' }, path: ['orders'] },
      'unauthorized',
      'orders',
    ],
    [{ message: 'Internal error', extensions: { code: 'INTERNAL_SERVER_ERROR' } }, 'transient', undefined],
    [{ message: "Field 'x' doesn't exist", path: ['query', 'x'] }, 'rejected', 'query.x'],
  ] as const)('takes errors beside data for a failure: %j', async (error, kind, path) => {
    expect(await failureOf(asking({ data: { shop: null }, errors: [error] }))).toMatchObject({ kind, path });
  });

  it('takes an answer without data for a failure', async () => {
    expect((await failureOf(asking({}))).kind).toBe('transient');
    expect((await failureOf(asking(null))).kind).toBe('transient');
  });
});
