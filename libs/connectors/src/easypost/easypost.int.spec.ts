import { createServer, type IncomingMessage } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  type ConnectionContext,
  createHttpClient,
  type Page,
  type RawItem,
  type WriteInput,
} from '@syncline/connector-sdk';
import { fixtureEnvelope } from '@syncline/connector-sdk/testing';
import type { CanonicalRecord } from '@syncline/contracts';
import { type Sandbox, startSandbox } from '@syncline/sandbox';
import { easypost } from './index.js';
import { verify } from './webhook.js';
import { shipmentTarget } from './write.js';

const webhookSecret = 'a-sécret-for-webhooks';
let sandbox: Sandbox;
let http: ReturnType<typeof createHttpClient>;
let context: ConnectionContext;

const contextWith = (secrets: Record<string, string>): ConnectionContext => {
  http = createHttpClient({
    connection: 'carrier',
    baseUrl: easypost.baseUrl(easypost.settings.parse({ url: `${sandbox.urls.carrier}/` })),
    auth: easypost.auth,
    secrets,
    limits: { perSecond: 1_000, burst: 1_000, concurrency: 10 },
  });
  const settings = easypost.settings.parse({});
  return { connection: 'carrier', settings, secrets, http, signal: new AbortController().signal };
};
const control = async (method: string, path: string, body?: object): Promise<Record<string, unknown>> => {
  const reply = await fetch(`${sandbox.urls.control}${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    body: body === undefined ? null : JSON.stringify(body),
  });
  expect(reply.status).toBeLessThan(300);
  return (await reply.json()) as Record<string, unknown>;
};

beforeAll(async () => {
  sandbox = await startSandbox();
  context = contextWith({ apiKey: sandbox.credentials.carrierKey, webhookSecret });
});
beforeEach(() => sandbox.world.reset());
afterAll(async () => {
  await http.close();
  await sandbox.close();
});

const record = (data: object): CanonicalRecord => ({
  kind: 'shipment',
  id: 'x',
  revision: 1,
  changedAt: '2026-11-20T10:00:00.000Z',
  sources: [],
  provenance: [],
  data,
});
const input = (data: object): WriteInput => ({ record: record(data), fields: {}, links: {} });

describe('writing', () => {
  const data = { trackingNumber: 'EZ 2000-000002', carrier: 'usps', carrierName: 'U.S. Postal Service' };

  it('makes one tracker of a number, finds it, and reads it', async () => {
    expect(await shipmentTarget.find(context, input(data))).toBeNull();
    const made = await shipmentTarget.create(context, input(data));
    // Any webhook of the same second is newer than the answer.
    expect(made.observation.tie).toBe(made.version);
    expect(made.observation.fields).toMatchObject({
      trackingNumber: 'EZ2000000002',
      carrierName: 'USPS',
      status: 'in_transit',
    });
    expect(await shipmentTarget.create(context, input(data))).toMatchObject({ externalId: made.externalId });
    for (const held of [
      await shipmentTarget.find(context, input(data)),
      await shipmentTarget.read(context, made.externalId),
    ])
      expect(held).toMatchObject({
        externalId: made.externalId,
        version: made.version,
        observation: { fields: made.observation.fields },
      });
    expect(await shipmentTarget.find(context, input({ ...data, carrier: 'ups' }))).toBeNull();
    expect(await shipmentTarget.read(context, 'trk_none')).toBeNull();
  });

  it('leaves an unknown carrier to EasyPost, whose refusal is in its words', async () => {
    const made = await shipmentTarget.create(
      context,
      input({ trackingNumber: '1Z0000000000000001', carrierName: 'Someone' }),
    );
    expect(made.observation.fields.carrier).toBe('ups');
    await expect(
      shipmentTarget.create(context, input({ trackingNumber: 'ABC', carrierName: 'Someone' })),
    ).rejects.toMatchObject({
      kind: 'rejected',
      message: expect.stringContaining('could not be detected'),
    });
  });

  it('tells what to fix when the key is refused', async () => {
    const wrong = contextWith({ apiKey: 'EZTKwrong', webhookSecret });
    await expect(easypost.check(wrong)).rejects.toMatchObject({
      kind: 'unauthorized',
      message: expect.stringContaining('secrets.apiKey'),
    });
    await easypost.check(context);
  });
});

describe('polling', () => {
  const pages = async (noun: string, since: number, checkpoint: string | null = null): Promise<Page[]> => {
    const all: Page[] = [];
    for await (const page of easypost.objects[noun]?.poll?.(context, { since, checkpoint }) ?? []) all.push(page);
    return all;
  };
  const ids = (given: Page[]): string[] => given.flatMap((page) => page.items.map((item) => item.externalId));

  it('gives only what changed, oldest first over all pages, and goes on from a checkpoint', async () => {
    const now = Math.floor(Date.now() / 1000) * 1000;
    const made: string[] = [];
    for (let i = 0; i < 250; i++)
      made.push(String((await control('POST', '/trackers', { code: `9400${10_000_000 + i}`, carrier: 'USPS' })).id));
    // All 250 are of one moment at the sandbox: spread them over the last 250 hours, all unchanged since.
    const trackers = [...sandbox.world.carrier.data.trackers.values()];
    for (const [i, tracker] of trackers.entries()) {
      const at = now - (250 - i) * 3_600_000;
      Object.assign(tracker, { createdAt: at, updatedAt: at });
    }
    expect(ids(await pages('tracker', now - 1000))).toEqual([]);
    for (const i of [3, 120, 249]) Object.assign(trackers[i] ?? {}, { updatedAt: now });
    const changed = await pages('tracker', now - 1000);
    expect(ids(changed)).toEqual([made[3], made[120], made[249]]);
    for (const i of [3, 120, 249]) Object.assign(trackers[i] ?? {}, { updatedAt: trackers[i]?.createdAt });
    const all = await pages('tracker', 0);
    expect(ids(all)).toEqual([...made.slice(0, 50), ...made.slice(50, 150), ...made.slice(150)]);
    expect(ids(await pages('tracker', 0, all[1]?.checkpoint ?? null))).toEqual(made.slice(50));
    for (const page of all) expect(Math.abs(page.readAt - Date.now())).toBeLessThan(5_000);
  });

  it('gives shipments with a label only, and maps them with their tracker', async () => {
    await control('POST', '/shipments', { reference: '#1042', buy: false });
    const bought = await control('POST', '/shipments', { reference: '#1043', carrier: 'UPS', weight: 12 });
    const [page] = await pages('shipment', 0);
    const items: readonly RawItem[] = page?.items ?? [];
    expect(items).toHaveLength(1);
    const body = JSON.parse(items[0]?.body ?? '');
    const observations =
      easypost.objects.shipment?.toCanonical({ envelope: fixtureEnvelope({ origin: 'poll' }), body }) ?? [];
    expect(observations).toMatchObject([
      { noun: 'shipment', fields: { orderName: '#1043', carrier: 'ups', grams: 340.19 }, refs: [{ name: '1043' }] },
      { noun: 'tracker', fields: { status: 'label_created' } },
    ]);
    expect(observations[0]?.keys).toEqual(observations[1]?.keys);
    expect(bought).toBeDefined();
    const read = await easypost.objects.shipment?.read?.(context, items[0]?.externalId ?? '');
    expect(JSON.parse(read?.item.body ?? '')).toEqual(body);
    expect(await easypost.objects.shipment?.read?.(context, 'shp_none')).toBeNull();
  });
});

describe('webhooks', () => {
  it('are registered once, put back to work, and what arrives is verified and parsed', async () => {
    const received: { request: IncomingMessage; body: Buffer }[] = [];
    const server = createServer(async (request, reply) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      received.push({ request, body: Buffer.concat(chunks) });
      reply.end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const url = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}/webhooks/carrier`;
    const register = () => easypost.webhook?.register(context, url);

    const first = await register();
    expect(first?.created).toHaveLength(1);
    const hooks = sandbox.world.carrier.data.webhooks;
    Object.assign(hooks[0] ?? {}, { disabledAt: Date.now(), secret: 'changed by someone' });
    hooks.push(
      { ...hooks[0]!, id: 'hook_double' },
      { ...hooks[0]!, id: 'hook_other', url: 'http://127.0.0.1:9/other' },
    );
    expect(await register()).toEqual({ created: [], kept: first?.created, removed: ['hook_double'] });
    expect(sandbox.world.carrier.data.webhooks).toMatchObject([
      { url, disabledAt: null, secret: webhookSecret },
      { id: 'hook_other' },
    ]);

    await control('POST', '/trackers', { code: 'EZ4000000004' });
    await control('POST', '/trackers/EZ4000000004/scan', { status: 'delivered', weight: 12 });
    const end = Date.now() + 5_000;
    while (received.length < 2 && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
    for (const { request, body } of received) {
      const given = { headers: request.headers, body, receivedAt: Date.now() };
      expect(verify(given, ['another', webhookSecret])).toEqual({ ok: true });
      expect(verify(given, ['another'])).toEqual({ ok: false, reason: 'mismatch' });
      expect(easypost.webhook?.parse(given, JSON.parse(body.toString('utf8')))).toMatchObject({
        kind: 'item',
        item: { noun: 'tracker' },
      });
    }
    expect(received).toHaveLength(2);
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
});
