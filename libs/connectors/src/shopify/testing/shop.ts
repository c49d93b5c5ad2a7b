import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type ConnectionContext, createHttpClient, type RawItem } from '@syncline/connector-sdk';
import { type CanonicalShipment, dataOf, type Fields, type Observation, type RawEnvelope } from '@syncline/contracts';
import { type Sandbox, startSandbox } from '@syncline/sandbox';
import { shopify } from '../index.js';

/** A webhook request as it came in. */
export interface Hook {
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/** A shop of the sandbox with a connection to it and a receiver for its webhooks. */
export interface TestShop {
  sandbox: Sandbox;
  context: ConnectionContext;
  hooks: Hook[];
  hookUrl: string;
  /** Another connection to it, with this secret. */
  connect(secret: string): ConnectionContext;
  /** The sandbox's control API. */
  // biome-ignore lint/suspicious/noExplicitAny: the control API's answers are read, not typed
  control(method: string, path: string, body?: unknown): Promise<any>;
  /** Places an order; `name` is ready for a path. */
  place(spec?: object): Promise<{ name: string; id: string }>;
  close(): Promise<void>;
}

function connect(sandbox: Sandbox, secret: string): { context: ConnectionContext; close(): Promise<void> } {
  const settings = shopify.settings.parse({ url: sandbox.urls.shop });
  const secrets = shopify.secrets.parse({ clientId: sandbox.credentials.shopId, clientSecret: secret });
  const http = createHttpClient({
    connection: 'shop',
    baseUrl: shopify.baseUrl(settings),
    auth: shopify.auth,
    secrets,
    limits: { perSecond: 500, burst: 100, concurrency: 8 },
  });
  const context = { connection: 'shop', settings, secrets, http, signal: new AbortController().signal };
  return { context, close: () => http.close() };
}

async function receive(hooks: Hook[]): Promise<{ url: string; close(): Promise<unknown> }> {
  const receiver = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (c: Buffer) => chunks.push(c));
    req.on('end', () => {
      hooks.push({ headers: req.headers, body: Buffer.concat(chunks) });
      res.end();
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  const close = (): Promise<unknown> => {
    receiver.closeAllConnections();
    return new Promise((resolve) => receiver.close(resolve));
  };
  return { url: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/webhooks/shop`, close };
}

/** A cost bucket that no test empties by accident. */
export const amplePoints = { costMaximum: 100_000, costRestoreRate: 10_000 };

/** Starts a shop whose lists do not lag. */
export async function startTestShop(): Promise<TestShop> {
  const sandbox = await startSandbox({ settings: { listLagMs: 0, ...amplePoints } });
  const hooks: Hook[] = [];
  const receiver = await receive(hooks);
  const closers: (() => Promise<unknown>)[] = [];
  const connectNew = (secret: string): ConnectionContext => {
    const { context, close } = connect(sandbox, secret);
    closers.push(close);
    return context;
  };
  const control: TestShop['control'] = async (method, path, body = {}) => {
    const response = await fetch(sandbox.urls.control + path, {
      method,
      ...(method === 'GET' ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response.json();
  };
  return {
    sandbox,
    context: connectNew(sandbox.credentials.shopSecret),
    hooks,
    hookUrl: receiver.url,
    connect: connectNew,
    control,
    place: async (spec = {}) => {
      const { orders } = await control('POST', '/orders', spec);
      return { name: encodeURIComponent(orders[0].name), id: String(orders[0].id) };
    },
    close: async () => {
      for (const close of closers) await close();
      await sandbox.close();
      await receiver.close();
    },
  };
}

const envelope = (part: Partial<RawEnvelope>): RawEnvelope => ({
  eventId: 'e',
  connection: 'shop',
  type: 'poll',
  externalId: '1',
  occurredAt: null,
  origin: 'poll',
  apiVersion: null,
  receivedAt: Date.now(),
  readAt: null,
  ...part,
});

/** What an item maps to, checked against the contracts. */
export function mapItem(item: RawItem, part: Partial<RawEnvelope>): Observation[] {
  const mapping = shopify.objects[item.noun as keyof typeof shopify.objects];
  const observations = mapping?.toCanonical({ envelope: envelope(part), body: JSON.parse(item.body) }) ?? [];
  for (const o of observations) dataOf[o.kind].partial().strict().parse(o.fields);
  return observations;
}

/** A shipment as a canonical event brings it. */
export const recordOf = (data: Fields): CanonicalShipment => ({
  id: '7c9e6679-7425-40de-944b-e07fc1f90ae7',
  kind: 'shipment',
  revision: 1,
  changedAt: new Date().toISOString(),
  sources: [],
  provenance: [],
  data: {
    orderId: 'a',
    status: 'pending',
    carrier: 'usps',
    carrierName: 'USPS',
    trackingNumber: '94001',
    trackingUrl: null,
    ...data,
  } as CanonicalShipment['data'],
});
/** What a writer is given for it; all its fields where none are named. */
export const inputOf = (orderId: string, data: Fields, fields?: Fields) => {
  const record = recordOf(data);
  return { record, fields: fields ?? (record.data as Fields), links: { orderId } };
};
