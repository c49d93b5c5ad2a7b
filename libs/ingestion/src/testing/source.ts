// A small system to ingest from, with real HTTP on both sides: what the engine's tests need and no provider offers on demand.
import { createHmac, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Connector, defineConnector, type Page, type RawItem, verifyHmac } from '@syncline/connector-sdk';
import { SyncError } from '@syncline/contracts';
import { z } from 'zod';

export const webhookSecret = 'a-webhook-secret';

/** One object as the source holds it. */
export interface SourceObject {
  id: string;
  version: number;
  body: string;
}

export interface Source {
  url: string;
  /** The objects, oldest change first. */
  objects: SourceObject[];
  /** Status of every answer while it is not 200, e.g. 401 or 503. */
  status: number;
  /** Answers of pages left until all of them fail with 503; null for never. */
  pagesLeft: number | null;
  /** Every request as `method path?query`. */
  requests: string[];
  /** Addresses webhooks are registered for. */
  registered: Set<string>;
  /** Milliseconds the source's clock is ahead of ours. */
  clockAheadMs: number;
  pageSize: number;
  /** How long it takes for a page, in milliseconds. */
  pageMs: number;
  close(): Promise<void>;
}

/** Starts a source on a free port of 127.0.0.1. */
export async function startSource(): Promise<Source> {
  const state = {
    objects: [] as SourceObject[],
    status: 200,
    pagesLeft: null as number | null,
    requests: [] as string[],
    registered: new Set<string>(),
    clockAheadMs: 0,
    pageSize: 10,
    pageMs: 0,
  };
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://source');
    source.requests.push(`${request.method} ${url.pathname}${url.search}`);
    const answer = (status: number, body: unknown) =>
      response
        .writeHead(status, {
          'content-type': 'application/json',
          date: new Date(Date.now() + source.clockAheadMs).toUTCString(),
        })
        .end(JSON.stringify(body));
    if (source.status !== 200) return answer(source.status, { error: 'as asked' });
    if (url.pathname === '/hooks') {
      let text = '';
      request.on('data', (chunk) => {
        text += chunk;
      });
      request.on('end', () => {
        const known = [...source.registered];
        if (request.method === 'POST') source.registered.add((JSON.parse(text) as { url: string }).url);
        answer(200, known);
      });
      return;
    }
    if (url.pathname.startsWith('/objects/')) {
      const found = source.objects.find((o) => o.id === url.pathname.slice('/objects/'.length));
      return answer(found ? 200 : 404, { object: found, now: Date.now() + source.clockAheadMs });
    }
    if (url.pathname !== '/objects') return answer(200, {});
    if (source.pagesLeft !== null && source.pagesLeft-- <= 0) return answer(503, { error: 'away' });
    const since = Number(url.searchParams.get('since'));
    const from = Number(url.searchParams.get('from') ?? 0);
    const found = source.objects.filter((o) => o.version >= since);
    const next = from + source.pageSize < found.length ? from + source.pageSize : null;
    const items = found.slice(from, from + source.pageSize);
    setTimeout(() => answer(200, { items, next, now: Date.now() + source.clockAheadMs }), source.pageMs);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const source: Source = Object.assign(state, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  });
  return source;
}

interface ObjectsAnswer {
  items: SourceObject[];
  next: number | null;
  now: number;
}

const itemOf = (object: SourceObject): RawItem => ({
  noun: 'tracker',
  aggregateId: object.id,
  externalId: object.id,
  version: String(object.version),
  body: object.body,
});

/** The connector of that system. It goes by a declared provider's name, since topics are declared by provider and noun. */
export const sourceConnector = defineConnector({
  provider: 'easypost',
  title: 'Test source',
  settings: z.object({
    url: z.string().describe('Where it is'),
    since: z.string().default('1d').describe('First poll'),
  }),
  secrets: z.object({ webhookSecret: z.string().optional().describe('Signs webhooks') }),
  apiVersion: 'v2',
  baseUrl: (settings) => settings.url,
  auth: { type: 'none' },
  limits: { perSecond: 1_000, burst: 1_000, concurrency: 10 },
  objects: {
    tracker: {
      kind: 'shipment',
      toCanonical: () => [],
      settleMs: 100,
      async *poll({ http }, { since, checkpoint }): AsyncGenerator<Page> {
        let from: number | null = checkpoint === null ? 0 : Number(checkpoint);
        if (Number.isNaN(from)) throw new SyncError('rejected', 'this checkpoint has expired');
        while (from !== null) {
          const reply: { json: ObjectsAnswer } = await http.send<ObjectsAnswer>({
            method: 'GET',
            path: '/objects',
            query: { since, from },
            safe: true,
          });
          const { json } = reply;
          from = json.next;
          if (json.items.length === 0) return; // like systems that show no page where there is nothing
          yield { items: json.items.map(itemOf), checkpoint: from === null ? null : String(from), readAt: json.now };
        }
      },
      async read({ http }, externalId) {
        const path = `/objects/${externalId}`;
        const reply = await http.send<{ object: SourceObject; now: number }>({
          method: 'GET',
          path,
          safe: true,
          notFound: 'reply',
        });
        return reply.status === 404 ? null : { item: itemOf(reply.json.object), readAt: reply.json.now };
      },
    },
  },
  check: async ({ http }) => {
    await http.send({ method: 'GET', path: '/me', safe: true });
  },
  webhook: {
    secrets: ['webhookSecret'],
    verify: (request, secrets) =>
      verifyHmac(request, secrets, { header: 'x-signature', algorithm: 'sha256', encoding: 'hex' }),
    parse(request, body) {
      const { topic, id, version, also } = (body ?? {}) as Readonly<Record<string, unknown>>;
      if (topic === 'ping') return { kind: 'ignored', type: 'ping' };
      if (topic === 'removed') return { kind: 'uninstalled' };
      if (typeof id !== 'string') throw new SyncError('unmappable', 'id is missing', { path: 'id' });
      const item = itemOf({ id, version: Number(version), body: request.body.toString('utf8') });
      return {
        kind: 'item',
        item,
        eventId: `evt-${id}-${version}`,
        type: 'tracker.updated',
        occurredAt: null,
        apiVersion: 'v2',
        ...(typeof also === 'string' ? { also: [{ noun: 'tracker', externalId: also }] } : {}),
      };
    },
    async register({ http }, url) {
      const { json } = await http.send<string[]>({ method: 'GET', path: '/hooks', safe: true });
      if (json.includes(url)) return { created: [], kept: [url], removed: [] };
      await http.send({ method: 'POST', path: '/hooks', json: { url }, safe: false });
      return { created: [url], kept: [], removed: [] };
    },
  },
}) as unknown as Connector;

/** The signature the source puts on a body. */
export const sign = (body: string | Buffer, secret = webhookSecret): string =>
  createHmac('sha256', secret).update(body).digest('hex');

/** A connection name no other test uses: all tests share their topics. */
export const freshName = (): string => `c${randomBytes(6).toString('hex')}`;
