import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import {
  canonicalTopic,
  header,
  headerText,
  invalidTopic,
  rawHeaders,
  rawKey,
  rawTopic,
  transformerGroup,
} from '@syncline/contracts';
import { type InboundRecord, type KafkaSettings, MicroBatchProducer, readTopic } from '@syncline/messaging';
import type { RunningService } from '@syncline/runtime';
import { startTransformer } from '../start.js';
import { type OwnServers, startOwnServers } from '../testing/own-servers.js';
import type { DriftWatch } from './watch.js';

// A provider changes its messages under a running transformer: nothing is lost, and it is told what changed.
const topic = rawTopic('shopify', 'order');
const fixture = new URL('../../../../libs/connectors/src/shopify/fixtures/order/webhook.json', import.meta.url);
let servers: OwnServers;
let kafka: KafkaSettings;
let producer: MicroBatchProducer;
let service: RunningService | undefined;
let body: Record<string, unknown>;

beforeAll(async () => {
  servers = await startOwnServers('drift', ['warehouse']);
  ({ kafka, producer } = servers);
  body = JSON.parse(await readFile(fixture, 'utf8')).body;
  await writeFile(
    join(servers.dir, 'syncline.yaml'),
    `connections: { shop: { provider: shopify }, warehouse: { provider: postgres } }
flows: [{ kinds: [order], from: [shop], to: [warehouse] }]
`,
  );
  service = await start();
}, 120_000);

afterAll(async () => {
  await service?.close();
  await servers?.stop();
}, 60_000);

const start = () =>
  startTransformer({
    KAFKA_BROKERS: kafka.brokers.join(','),
    DATABASE_URL: servers.databaseUrl,
    SYNCLINE_CONFIG: join(servers.dir, 'syncline.yaml'),
    LOG_LEVEL: 'silent',
  });

const orderOf = (n: number, over: object = {}): Record<string, unknown> => ({
  ...body,
  id: 9_000 + n,
  admin_graphql_api_id: `gid://shopify/Order/${9_000 + n}`,
  name: `#D${n}`,
  fulfillments: [],
  ...over,
});

async function send(orders: readonly object[], apiVersion: string, type = 'orders/updated'): Promise<void> {
  for (const order of orders) {
    const { name } = order as { name?: string };
    const headers = rawHeaders(
      {
        eventId: `${name}:${apiVersion}`,
        connection: 'shop',
        type,
        externalId: String(name),
        occurredAt: null,
        origin: 'webhook',
        apiVersion,
        receivedAt: Date.now(),
        readAt: null,
      },
      'shopify',
    );
    await producer.send({ topic, key: rawKey('shop', String(name)), value: JSON.stringify(order), headers });
  }
}

const all = async (from: string): Promise<InboundRecord[]> => {
  const out: InboundRecord[] = [];
  for await (const record of readTopic(kafka, from)) out.push(record);
  return out;
};
const report = async (query = '') =>
  (await (await fetch(`${service?.url}/drift${query}`)).json()) as Awaited<ReturnType<DriftWatch['report']>>;
const looked = async (count: number, at = Date.now()): Promise<void> => {
  const { watched } = await report();
  const messages = watched.reduce((sum, w) => sum + w.messages, 0);
  if (messages >= count) return;
  if (Date.now() - at > 30_000) throw new Error(`only ${messages} of ${count} messages were looked at`);
  await new Promise((resolve) => setTimeout(resolve, 200));
  return looked(count, at);
};
const range = (count: number, from = 0) => Array.from({ length: count }, (_, i) => from + i);

it('maps what it can, keeps what it cannot with the path that failed, and tells which fields changed since when', async () => {
  await send(
    range(25).map((n) => orderOf(n)),
    '2026-07',
  );
  await looked(25);
  expect((await report()).changes).toEqual([]);

  const began = Date.now();
  const changed = (n: number, over: object = {}) => ({
    // JSON has no undefined: the field is gone.
    ...orderOf(n, { contact_email: undefined }),
    total_weight: '12 kg',
    duties: [{ amount: '1.00' }],
    ...over,
  });
  await send(
    range(24, 100).map((n) => changed(n)),
    '2026-10',
  );
  // An id that is none any more: not to be mapped.
  const poison = changed(200, { id: { value: 1 }, admin_graphql_api_id: null });
  await send([poison], '2026-10');
  await looked(50);

  const { changes, watched } = await report('?connection=shop');
  const one = (path: string) => changes.find((c) => c.path === path);
  expect(one('duties')).toMatchObject({ change: 'appeared', noun: 'order', to: ['array'], messages: 25 });
  expect(one('total_weight')).toMatchObject({ change: 'retyped', from: ['number'], to: ['string'] });
  expect(one('contact_email')).toMatchObject({ change: 'vanished', from: ['string'], messages: 25 });
  expect(one('2026-10')).toMatchObject({ change: 'version', types: ['orders/updated'] });
  expect(one('id')).toMatchObject({ change: 'retyped', to: ['object'] });
  expect(one('duties')?.since).toBeGreaterThanOrEqual(began);
  expect(one('contact_email')?.since).toBeLessThanOrEqual(began);
  expect(watched).toEqual([expect.objectContaining({ messages: 50, versions: ['2026-07', '2026-10'], dropped: 0 })]);
  expect(changes.map((c) => c.path).sort()).toEqual(
    ['2026-10', 'contact_email', 'duties', 'id', 'total_weight'].sort(),
  );
  expect(JSON.stringify({ changes, watched })).not.toMatch(/12 kg|example|@/);
  expect((await report('?connection=nobody')).changes).toEqual([]);

  // Mapped all the same.
  const names = (await all(canonicalTopic('order'))).map((r) => JSON.parse(r.value?.toString() ?? '{}').data?.name);
  expect(new Set(names)).toEqual(new Set([...range(25), ...range(24, 100)].map((n) => `#D${n}`)));
  // Kept, with its bytes and the path.
  const invalid = await all(invalidTopic(transformerGroup));
  expect(invalid.map((r) => [r.value?.toString(), headerText(r.headers, header.failurePath)])).toEqual([
    [JSON.stringify(poison), 'id'],
  ]);
  expect((await all(topic)).filter((r) => r.value?.toString() === JSON.stringify(poison))).toHaveLength(1);
}, 60_000);

it('knows it still after a restart', async () => {
  const { changes } = await report();
  await service?.close();
  service = await start();
  expect((await report()).changes).toEqual(changes);
}, 60_000);
