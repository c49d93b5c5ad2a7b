// The public endpoint with the real connectors and a real Kafka: what tests of bad input start from. Importing it sets it up.
import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { type Connector, ownBudgets } from '@syncline/connector-sdk';
import { connectors } from '@syncline/connectors';
import { declaredTopics, rawTopic } from '@syncline/contracts';
import { testInfra } from '@syncline/infra';
import { MicroBatchProducer, migrateTopics, readTopic } from '@syncline/messaging';
import { createLogger } from '@syncline/runtime';
import { openConnections, type Served } from '../connection.js';
import { startWebhookServer, type WebhookServer } from '../webhook-server.js';
import { type RawAnswer, sendRaw } from './raw-http.js';
import { freshName } from './source.js';

export const secret = 'a-secret-of-the-provider';
export const [shop, shop2, carrier] = [freshName(), freshName(), freshName()];
export const topics = [rawTopic('shopify', 'order'), rawTopic('easypost', 'tracker')];
export const refused = '{"error":"refused"}';
let brokers: string[];
let producer: MicroBatchProducer;
let served: Served[];
export let server: WebhookServer;
/** Messages that were published. */
export let accepted = 0;

const open = (connector: Connector, name: string, secrets: Record<string, unknown>) =>
  openConnections(
    connector,
    [{ name, provider: connector.provider, settings: { url: 'http://127.0.0.1:9' }, secrets }],
    { budgets: ownBudgets(), signal: new AbortController().signal },
  );
/** Starts a further endpoint of the same connections. */
export const start = (ratePerSecond = 5_000): Promise<WebhookServer> =>
  startWebhookServer({
    connections: served,
    sender: producer,
    log: createLogger('test', 'silent'),
    accepted: () => {
      accepted++;
    },
    readAlso: () => {},
    uninstalled: () => {},
    publishMsMax: 5_000,
    host: '127.0.0.1',
    port: 0,
    ratePerSecond,
  });

beforeAll(async () => {
  const infra = await testInfra();
  brokers = [...infra.kafkaBrokers];
  const kafka = { brokers, clientId: 'bad-input-test' };
  await migrateTopics(
    kafka,
    declaredTopics([]).filter((t) => t.name.startsWith('raw.')),
  );
  producer = new MicroBatchProducer(kafka);
  await producer.connect();
  const shopify = connectors.shopify as unknown as Connector;
  served = [
    ...open(shopify, shop, { clientId: 'i', clientSecret: secret }),
    ...open(shopify, shop2, { clientId: 'i', clientSecret: secret }),
    ...open(connectors.easypost as unknown as Connector, carrier, { apiKey: 'k', webhookSecret: secret }),
  ];
  server = await start();
}, 60_000);

afterAll(async () => {
  await server?.close();
  await producer?.disconnect();
});

export type Headers = Record<string, string | undefined>;
export const hmac = (
  body: string | Buffer,
  encoding: 'base64' | 'hex' = 'base64',
  algorithm = 'sha256',
  key = secret,
) => createHmac(algorithm, key).update(body).digest(encoding);
export const order = (id: number, more = '') => `{"id":${id},"updated_at":"2026-01-01T00:00:00Z"${more}}`;
export const ofShop = (body: string | Buffer): Headers => ({
  'content-type': 'application/json',
  'x-shopify-topic': 'orders/updated',
  'x-shopify-hmac-sha256': hmac(body),
});
export const post = async (body: string | Buffer, headers: Headers = ofShop(body), name = shop, at = server) => {
  const given = Object.entries(headers).filter((h): h is [string, string] => h[1] !== undefined);
  const reply = await fetch(`${at.url}/webhooks/${name}`, {
    method: 'POST',
    headers: Object.fromEntries(given),
    body: new Uint8Array(Buffer.from(body)),
  });
  return { status: reply.status, body: await reply.text(), headers: reply.headers };
};
export const published = async (topic: string, key: string): Promise<string[]> => {
  const out: string[] = [];
  for await (const record of readTopic({ brokers, clientId: 'bad-input-test' }, topic))
    if (record.key === key) out.push(record.value?.toString() ?? '');
  return out;
};
/** The request is answered so, and nothing of it was published. */
export const refuses = async (status: number, ...request: Parameters<typeof post>) => {
  const before = accepted;
  expect(await post(...request)).toMatchObject({ status, body: refused });
  expect(accepted).toBe(before);
};

/** A request of these header lines, as it stands. */
export const raw = (
  lines: readonly string[],
  body = '',
  first = `POST /webhooks/${shop} HTTP/1.1`,
): Promise<RawAnswer> => sendRaw(server.url, [`${[first, ...lines].join('\r\n')}\r\n\r\n${body}`]);
