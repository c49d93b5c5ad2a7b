import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  header,
  invalidTopic,
  type RawEnvelope,
  rawHeaders,
  rawKey,
  rawTopic,
  transformerGroup,
} from '@syncline/contracts';
import { MicroBatchProducer, readTopic } from '@syncline/messaging';
import { jsonOf, statusOf, until } from '../support/ask.js';
import type { OrderTruth } from '../support/sandbox.js';
import { openStory, place, type Story } from '../support/story.js';
import { type System, startSystem } from '../support/system.js';

// What is judged here is the answer, not its speed: the story judges that.
const allowedMs = 15_000;
let system: System;
let story: Story;
let secrets: Record<string, string>;

beforeAll(async () => {
  system = await startSystem();
  story = openStory(system, allowedMs, allowedMs);
  const lines = readFileSync(join(system.stateDir, 'sandbox.env'), 'utf8').split('\n');
  secrets = Object.fromEntries(lines.filter((line) => line.includes('=')).map((line) => line.split('=', 2)));
}, 120_000);

afterAll(async () => {
  await story?.end();
  await system?.stop();
}, 90_000);

const target = async (name: string) => (await statusOf(system)).targets.find((one) => one.name === name)!;
const connection = async (name: string) => (await statusOf(system)).connections.find((one) => one.name === name)!;
const urlOf = (service: string): string => system.local().services.find(({ name }) => name === service)!.url!;

/** The value of a counter with these attributes on a service's /metrics page; 0 where it was never counted. */
async function counted(service: string, metric: string, attributes: Record<string, string>): Promise<number> {
  const page = await (await fetch(`${urlOf(service)}/metrics`)).text();
  const lines = page.split('\n').filter((line) => line.startsWith(`${metric}{`));
  const fitting = lines.filter((line) => Object.entries(attributes).every(([k, v]) => line.includes(`${k}="${v}"`)));
  return fitting.reduce((sum, line) => sum + Number(/\} (\S+)/.exec(line)![1]), 0);
}

const hmac = (secret: string, body: string, form: 'base64' | 'hex') =>
  createHmac('sha256', secret).update(body).digest(form);

function post(to: 'shop' | 'carrier', body: string, headers: Record<string, string>): Promise<Response> {
  const url = system.local().webhooks[to]!;
  return fetch(url, { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } });
}

const shopHeaders = (topic: string, id: string): Record<string, string> => ({
  'x-shopify-topic': topic,
  'x-shopify-webhook-id': id,
  'x-shopify-triggered-at': new Date().toISOString(),
  'x-shopify-api-version': '2026-07',
});

describe('a webhook that nobody signed', () => {
  it.each([
    ['without a signature', {}],
    ['with another secret', { 'x-shopify-hmac-sha256': hmac('another', '{"id":99}', 'base64') }],
    ['with a broken one', { 'x-shopify-hmac-sha256': 'bm90IGEgc2lnbmF0dXJl' }],
  ])('%s is refused, counted and has no effect', async (_what, signature) => {
    const name = 'syncline_webhook_rejections_total';
    const before = await counted('ingestor-shopify', name, { connection: 'shop' });
    const reply = await post('shop', '{"id":99}', {
      ...shopHeaders('orders/create', 'forged'),
      ...(signature as object),
    });
    expect([reply.status, await reply.text()]).toEqual([401, '{"error":"refused"}']);
    expect(await counted('ingestor-shopify', name, { connection: 'shop' })).toBe(before + 1);
    const { code, stdout } = await system.cli('record', '99');
    expect([code, stdout]).toEqual([1, expect.stringContaining('No record fits "99"')]);
  });
});

describe('a message that cannot be understood', () => {
  it('goes to the invalid topic with its reason, and its partition goes on', async () => {
    const order = await place(story, 'placed');
    const kafka = { brokers: system.local().kafkaBrokers.split(','), clientId: 'poison' };
    const producer = new MicroBatchProducer(kafka);
    const poison: RawEnvelope = {
      eventId: 'poison-1',
      connection: 'shop',
      type: 'orders/updated',
      externalId: String(order.id),
      occurredAt: Date.now(),
      origin: 'webhook',
      apiVersion: '2026-07',
      receivedAt: Date.now(),
      readAt: null,
    };
    const key = rawKey('shop', String(order.id));
    const topic = rawTopic('shopify', 'order');
    await producer.connect();
    try {
      const headers = rawHeaders(poison, 'shopify');
      await producer.send({ topic, key, value: '{"id": "no number", "lines', headers });
      await producer.send({ topic, key, value: '[]', headers: { ...headers, [header.source]: 'nowhere' } });
    } finally {
      await producer.disconnect();
    }
    // The same key is the same partition: what comes after the poison has to pass it.
    await story.steps.step(
      'edited behind the poison → warehouse',
      allowedMs,
      () => story.ask('PATCH', `/orders/${order.name.slice(1)}`, { note: 'after the poison' }),
      story.agree,
    );
    const invalid = [];
    for await (const record of readTopic(kafka, invalidTopic(transformerGroup))) invalid.push(record);
    expect(invalid.map((record) => [record.key, String(record.value)])).toEqual([
      [key, '{"id": "no number", "lines'],
      [key, '[]'],
    ]);
    expect(String(invalid[0]!.headers[header.failureKind])).toBe('unmappable');
    expect(String(invalid[0]!.headers[header.failureReason])).toMatch(/JSON/);
    expect(String(invalid[0]!.headers[header.sourceTopic])).toBe(topic);
    expect(String(invalid[1]!.headers[header.failurePath])).toBe(header.source);
  }, 30_000);
});

describe('a status the carrier never had before', () => {
  it('is kept as its word and shown as unknown', async () => {
    const code = '9400111899223197420001';
    const order = await place(story, 'placed');
    await story.ask('POST', `/orders/${order.name.slice(1)}/fulfil`, { trackingNumber: code, company: 'USPS' });
    await until(
      system,
      'a tracker',
      5_000,
      async () => (await story.tracker(code)) !== undefined && (await story.agree()),
    );
    await story.ask('POST', `/trackers/${code}/scan`, { status: 'in_transit' });
    await until(system, 'in transit', 5_000, story.agree);
    const wire = await story.ask('GET', `/trackers/${code}`);
    const at = new Date(Date.parse(wire.updated_at) + 1_000).toISOString();
    const result = { ...wire, status: 'abducted', status_detail: 'by_aliens', updated_at: at };
    const body = JSON.stringify({
      id: 'evt_1',
      object: 'Event',
      description: 'tracker.updated',
      created_at: at,
      result,
    });
    const reply = await post('carrier', body, {
      'x-hmac-signature': `hmac-sha256-hex=${hmac(secrets.CARRIER_WEBHOOK_SECRET!, body, 'hex')}`,
    });
    expect(reply.status).toBe(200);
    const told = await until(system, 'the word in the record', allowedMs, async () => {
      const record = await jsonOf(system, 'record', code);
      return record.sources.some((s: { native: object }) => JSON.stringify(s.native).includes('abducted')) && record;
    });
    expect(told.record.data.status).toBe('unknown');
    const [row] = await story.rows('SELECT status, native_status FROM shipments WHERE tracking_number = $1', code);
    expect(row.status).toBe('unknown');
    expect(row.native_status['carrier/tracker']).toEqual({ status: 'abducted', status_detail: 'by_aliens' });
    // The shop has no word for it, and shows what it showed.
    const { fulfillments } = (await story.order(order.name)) as OrderTruth;
    expect(fulfillments[0]!.displayStatus).toBe('IN_TRANSIT');
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, Date.parse(at) + 1_000 - Date.now())));
    await story.ask('POST', `/trackers/${code}/scan`, { status: 'delivered' });
    await until(system, 'a word that is known', 5_000, story.agree);
  }, 30_000);
});

describe('a target that does not answer', () => {
  it('leaves its records pending and its circuit open, holds up nobody else, and catches up by itself', async () => {
    await story.ask('POST', '/faults', { target: 'carrier', mode: '5xx', status: 503 });
    const orders: OrderTruth[] = (await story.ask('POST', '/orders', { count: 6 })).orders;
    const codes = orders.map((_, i) => `94001118992231974210${10 + i}`);
    for (const [i, { name }] of orders.entries()) {
      const parcel = { trackingNumber: codes[i], company: 'USPS' };
      await story.ask('POST', `/orders/${name.slice(1)}/fulfil`, parcel);
    }
    // The first failures open the circuit; what comes after them waits in its topic.
    const sick = await until(system, 'an open circuit', 20_000, async () => {
      const one = await target('carrier');
      return one.state === 'unreachable' && one.pending > 0 && one;
    });
    expect(sick).toMatchObject({ dead: 0, desired: sick.delivered + sick.pending });
    // Which of them were taken in before the circuit opened is a matter of luck.
    const told = await Promise.all(codes.map((code) => jsonOf(system, 'record', code)));
    const all = told.flatMap((one) => one.deliveries ?? []);
    const pending = all.find(
      (one: { target: string; failureReason?: string }) => one.target === 'carrier' && one.failureReason,
    );
    expect(pending).toMatchObject({
      state: 'pending',
      deliveredRevision: 0,
      failureReason: expect.stringContaining('503'),
    });
    const why = await system.cli('why', codes[0]!, 'carrier');
    expect([why.code, why.stdout]).toEqual([
      1,
      expect.stringMatching(/ is not written to carrier since carrier failed too often in a row \(.*503.*\); /),
    ]);
    await story.steps.step(
      'placed while the carrier is down → warehouse',
      allowedMs,
      async () => (await story.ask('POST', '/orders')).orders[0] as OrderTruth,
      async ({ name }) => (await story.rows('SELECT 1 FROM orders WHERE name = $1', name)).length === 1,
    );

    await story.ask('DELETE', '/faults?target=carrier');
    await until(system, 'a tracker for each', 40_000, async () => {
      const found = await Promise.all(codes.map(story.tracker));
      return found.every((tracker) => tracker !== undefined) && (await story.agree());
    });
    expect(await target('carrier')).toMatchObject({ state: 'ok', pending: 0, dead: 0 });
  }, 80_000);
});

describe('credentials', () => {
  it('that expire are renewed without anyone noticing', async () => {
    await story.ask('POST', '/tokens/expire');
    const code = '9400111899223197429001';
    const { name } = await place(story, 'placed');
    await story.ask('POST', `/orders/${name.slice(1)}/fulfil`, { trackingNumber: code, company: 'USPS' });
    await until(
      system,
      'a tracker',
      5_000,
      async () => (await story.tracker(code)) !== undefined && (await story.agree()),
    );
    await story.ask('POST', `/trackers/${code}/scan`, { status: 'delivered' });
    await until(system, 'delivered in the shop', 5_000, async () => {
      const { fulfillments } = await story.order(name);
      return fulfillments[0]!.displayStatus === 'DELIVERED';
    });
    expect(await connection('shop')).toMatchObject({ state: 'connected', reason: null });
  }, 30_000);

  it('that are gone with the app are shown', async () => {
    await story.ask('POST', '/uninstall');
    const shown = await until(system, 'a removed app', 10_000, async () => {
      const one = await connection('shop');
      return one.state !== 'connected' && one;
    });
    expect(shown).toMatchObject({ state: 'disconnected', reason: expect.stringMatching(/app was removed/) });
    expect((await connection('carrier')).state).toBe('connected');
    const { code, stdout } = await system.cli('check', '--json');
    expect(code).toBe(1);
    expect(JSON.parse(stdout).connections[0]).toMatchObject({
      connection: 'shop',
      ok: false,
      problem: expect.any(String),
    });
  }, 30_000);
});
