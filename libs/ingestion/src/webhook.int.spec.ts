import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ownBudgets } from '@syncline/connector-sdk';
import { declaredTopics, headerText, rawTopic } from '@syncline/contracts';
import { testInfra } from '@syncline/infra';
import { type InboundRecord, MicroBatchProducer, migrateTopics, readTopic } from '@syncline/messaging';
import { createLogger } from '@syncline/runtime';
import { bodyBytesMax } from './body.js';
import { openConnections, type Served } from './connection.js';
import { sendRaw } from './testing/raw-http.js';
import { freshName, sign, sourceConnector, webhookSecret } from './testing/source.js';
import { startWebhookServer, type WebhookServer, type WebhookServerOptions } from './webhook-server.js';

const name = freshName();
const topic = rawTopic('easypost', 'tracker');
const log = createLogger('test', 'silent');
const accepted: string[] = [];
const uninstalled: string[] = [];
let brokers: string[];
let producer: MicroBatchProducer;
let server: WebhookServer;
let served: Served[];

const start = (over: Partial<WebhookServerOptions> = {}) =>
  startWebhookServer({
    connections: served,
    sender: producer,
    log,
    accepted: (connection) => accepted.push(connection),
    readAlso: () => {},
    uninstalled: (connection) => uninstalled.push(connection),
    publishMsMax: 2_000,
    host: '127.0.0.1',
    port: 0,
    ratePerSecond: 5_000,
    headersMsMax: 600,
    requestMsMax: 900,
    ...over,
  });

beforeAll(async () => {
  const infra = await testInfra();
  brokers = [...infra.kafkaBrokers];
  const kafka = { brokers, clientId: 'ingestion-test' };
  await migrateTopics(
    kafka,
    declaredTopics([]).filter((t) => t.name === topic),
  );
  producer = new MicroBatchProducer(kafka);
  await producer.connect();
  const settings = { url: 'http://127.0.0.1:9', since: '1d' };
  served = openConnections(sourceConnector, [{ name, provider: 'easypost', settings, secrets: { webhookSecret } }], {
    budgets: ownBudgets(),
    signal: new AbortController().signal,
  });
  server = await start();
}, 60_000);

afterAll(async () => {
  await server?.close();
  await producer?.disconnect();
});

const records = async (connection = name): Promise<InboundRecord[]> => {
  const out: InboundRecord[] = [];
  for await (const record of readTopic({ brokers, clientId: 'ingestion-test' }, topic))
    if (record.key.startsWith(`${connection}/`)) out.push(record);
  return out;
};

interface Asked {
  method?: string;
  path?: string;
  headers?: Record<string, string>;
  body?: string | Buffer;
  signature?: string | null;
}
const ask = async (asked: Asked = {}, at = server) => {
  const body = asked.body ?? '{"id":"t1","version":1}';
  const signature = asked.signature === undefined ? sign(body) : asked.signature;
  const method = asked.method ?? 'POST';
  const reply = await fetch(`${at.url}${asked.path ?? `/webhooks/${name}`}`, {
    method,
    headers: {
      'content-type': 'application/json',
      ...(signature === null ? {} : { 'x-signature': signature }),
      ...asked.headers,
    },
    ...(method === 'GET' || method === 'HEAD' ? {} : { body: new Uint8Array(Buffer.from(body)) }),
  });
  return { status: reply.status, body: await reply.text(), headers: reply.headers };
};
const refused = '{"error":"refused"}';

describe('POST /webhooks/<connection>', () => {
  it('publishes the bytes unaltered, with the headers of the envelope, before it answers', async () => {
    const body = '{ "id":"first", "version": 12.0, "name":"Zoë \\u0000", "big": 12345678901234567890 }';
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    expect(await ask({ body, headers: { traceparent } })).toMatchObject({ status: 200, body: '{}' });
    const [record] = (await records()).filter((r) => r.key === `${name}/first`);
    expect(record?.value?.toString()).toBe(body);
    const header = (h: string) => headerText(record?.headers, h);
    expect(header('ce_id')).toBe('evt-first-12');
    expect(header('ce_source')).toBe(`/connections/${name}`);
    expect(header('ce_type')).toBe('easypost.tracker.updated');
    expect(header('sync-origin')).toBe('webhook');
    expect(header('sync-api-version')).toBe('v2');
    expect(Math.abs(Number(header('sync-received-at')) - Date.now())).toBeLessThan(60_000);
    expect(accepted).toContain(name);
  });

  it('takes the same request again, and a gzipped one', async () => {
    const body = '{"id":"again","version":1}';
    expect((await ask({ body })).status).toBe(200);
    expect((await ask({ body })).status).toBe(200);
    const packed = gzipSync(body);
    expect((await ask({ body: packed, signature: sign(body), headers: { 'content-encoding': 'gzip' } })).status).toBe(
      200,
    );
    const found = (await records()).filter((r) => r.key === `${name}/again`);
    expect(found.map((r) => r.value?.toString())).toEqual([body, body, body]);
    expect(new Set(found.map((r) => headerText(r.headers, 'ce_id')))).toEqual(new Set(['evt-again-1']));
  });

  it('answers 2xx to what needs no publishing, and hears of a removal', async () => {
    const before = accepted.length;
    expect((await ask({ body: '{"topic":"ping"}' })).status).toBe(200);
    expect((await ask({ body: '{"topic":"removed"}' })).status).toBe(200);
    expect(uninstalled).toEqual([name]);
    expect(accepted).toHaveLength(before);
  });

  it.each<[string, Asked, number]>([
    ['too large by its own account', { body: Buffer.alloc(bodyBytesMax + 1, 0x20) }, 413],
    ['a gzip bomb', { body: gzipSync(Buffer.alloc(50 << 20)), headers: { 'content-encoding': 'gzip' } }, 413],
    ['unknown content encoding', { headers: { 'content-encoding': 'br' } }, 415],
    ['unknown charset', { headers: { 'content-type': 'application/json; charset=utf-16' } }, 415],
    ['wrong content type', { headers: { 'content-type': 'text/plain' } }, 415],
    ['malformed content type', { headers: { 'content-type': 'json' } }, 415],
    ['bad JSON, signed', { body: '{"id":' }, 400],
    ['bad JSON, not signed', { body: '{"id":', signature: null }, 401],
    ['invalid UTF-8, signed', { body: Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]) }, 400],
    ['deep nesting, signed', { body: `${'['.repeat(65)}${']'.repeat(65)}` }, 400],
    ['deep nesting, not signed', { body: `${'['.repeat(65)}${']'.repeat(65)}`, signature: '00' }, 401],
    ['JSON its connector does not understand', { body: '{"no":"id"}' }, 400],
    ['JSON null', { body: 'null' }, 400],
    ['no body', { body: '' }, 400],
    ['no signature', { signature: null }, 401],
    ['an empty signature', { signature: '' }, 401],
    ['a wrong signature', { signature: sign('other') }, 401],
    ['another secret', { signature: sign('{"id":"t1","version":1}', 'not-the-secret') }, 401],
    ['a signature of the wrong length', { signature: 'abcd' }, 401],
    ['capital hex', { signature: sign('{"id":"t1","version":1}').toUpperCase() }, 401],
    ['a re-serialised body', { body: '{"id": "t1", "version": 1}', signature: sign('{"id":"t1","version":1}') }, 401],
    ['an unknown connection', { path: '/webhooks/nobody' }, 404],
    ['a connection with line breaks', { path: '/webhooks/a%0d%0aset-cookie%3a%20x' }, 404],
    ['a connection like a prototype', { path: '/webhooks/__proto__' }, 404],
    ['a very long connection', { path: `/webhooks/${'x'.repeat(500)}` }, 404],
    ['a path below', { path: `/webhooks/${name}/more` }, 404],
    ['another path', { path: '/' }, 404],
    ['a broken path', { path: '/webhooks/%zz' }, 400],
  ])('%s → answered and not published', async (_, asked, status) => {
    const before = accepted.length;
    expect(await ask(asked)).toMatchObject({ status, body: refused });
    expect(accepted).toHaveLength(before);
  });

  it.each(['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'])('%s → 405 with Allow', async (method) => {
    const answer = await ask({ method });
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'POST']);
  });

  const head = (lines: readonly string[]) => `${[`POST /webhooks/${name} HTTP/1.1`, ...lines].join('\r\n')}\r\n\r\n`;
  const body = '{"id":"raw","version":1}';
  const good = ['Host: a', 'content-type: application/json', `content-length: ${body.length}`];

  it.each<[string, string[], number]>([
    ['two Host headers', [...good, 'Host: b', `x-signature: ${sign(body)}`], 400],
    ['no Host header', [...good.slice(1), `x-signature: ${sign(body)}`], 400],
    [
      'Content-Length and Transfer-Encoding',
      [...good, 'transfer-encoding: chunked', `x-signature: ${sign(body)}`],
      400,
    ],
    ['two Content-Lengths', [...good, 'content-length: 3', `x-signature: ${sign(body)}`], 400],
    ['two signatures, one right', [...good, `x-signature: ${sign(body)}`, 'x-signature: 00'], 401],
    ['two right signatures', [...good, `x-signature: ${sign(body)}`, `x-signature: ${sign(body)}`], 401],
    ['no content type', [good[0]!, good[2]!, `x-signature: ${sign(body)}`], 415],
    ['no HTTP at all', ['nonsense'], 400],
    ['the same well made', [...good, `x-signature: ${sign(body)}`], 200],
  ])('%s', async (_, lines, status) => {
    expect((await sendRaw(server.url, [head(lines) + body])).status).toBe(status);
  });

  it('ends slow headers and slow bodies with 408', async () => {
    const began = Date.now();
    const slowHead = sendRaw(
      server.url,
      [`POST /webhooks/${name} HTTP/1.1\r\n`, 'Host: a\r\n', 'x: y\r\n', 'z: y\r\n'],
      700,
    );
    const slowBody = sendRaw(server.url, [head([...good, `x-signature: ${sign(body)}`]), '{', '"', 'i', 'd'], 700);
    expect((await slowHead).status).toBe(408);
    expect((await slowBody).status).toBe(408);
    expect(Date.now() - began).toBeLessThan(5_000);
  });

  it('does not stop at a sender that breaks off, and counts chunked bytes itself', async () => {
    const chunk = Buffer.alloc(64 * 1024, 0x20);
    const part = Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n')]);
    const lines = [
      'Host: a',
      'content-type: application/json',
      'transfer-encoding: chunked',
      `x-signature: ${sign(body)}`,
    ];
    const answer = await sendRaw(server.url, [head(lines), ...Array.from({ length: 17 }, () => part)]);
    expect([answer.status, answer.headers.connection]).toEqual([413, 'close']);
    await expect(sendRaw(server.url, [head(lines), '5\r\nab'], 50).catch(() => 'ended')).resolves.toBeDefined();
    expect((await ask()).status).toBe(200);
  });

  it('answers a flood 429 with Retry-After, and lets others pass', async () => {
    const quick = await start({ ratePerSecond: 5 });
    try {
      const answers = await Promise.all(Array.from({ length: 30 }, () => ask({}, quick)));
      const late = answers.filter((a) => a.status === 429);
      expect(late.length).toBeGreaterThanOrEqual(15);
      expect(answers.filter((a) => a.status === 200).length).toBeGreaterThanOrEqual(10);
      expect(late[0]?.headers.get('retry-after')).toBe('1');
    } finally {
      await quick.close();
    }
  });

  it('answers 503 with Retry-After while no broker takes the message', async () => {
    const away = new MicroBatchProducer(
      { brokers: ['127.0.0.1:9'], clientId: 'away', log: () => undefined },
      { timeoutMs: 1_000 },
    );
    await away.connect();
    const cut = await start({ sender: away, publishMsMax: 1_500 });
    try {
      const answer = await ask({}, cut);
      expect(answer.status).toBe(503);
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(answer.body).toBe(refused);
    } finally {
      await cut.close();
      await away.disconnect();
    }
  });

  it('refuses to open a connection without a secret', () => {
    const open = (secrets: Record<string, unknown>) => () =>
      openConnections(sourceConnector, [{ name, provider: 'easypost', settings: { url: 'http://h' }, secrets }], {
        budgets: ownBudgets(),
        signal: new AbortController().signal,
      });
    expect(open({})).toThrow(`connections.${name}.secrets.webhookSecret`);
    expect(open({ webhookSecret: '' })).toThrow('no secret to verify webhooks with');
  });

  it('published every message it accepted, and no other', async () => {
    const found = await records();
    expect(found).toHaveLength(accepted.length);
    expect(new Set(found.map((r) => r.key.split('/')[1]))).toEqual(new Set(['first', 'again', 'raw', 't1']));
  });
});
