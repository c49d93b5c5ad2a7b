// What makes the sandbox useful for tests: faults on request, disturbed webhooks, lag, the log of effects, memory on disk.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type Sandbox, startSandbox } from './index.js';
import { controlClient } from './testing/control.js';
import { type Receiver, startReceiver } from './testing/receiver.js';

let sandbox: Sandbox;
let receiver: Receiver;
let control: ReturnType<typeof controlClient>;

beforeAll(async () => {
  sandbox = await startSandbox({ settings: { listLagMs: 300, retryScale: 0.00005, costMaximum: 100_000 } });
  receiver = await startReceiver();
  control = controlClient(sandbox.urls.control);
});

afterAll(async () => {
  await receiver.close();
  await sandbox.close();
});

afterEach(async () => {
  await control('DELETE', '/faults');
  await control('POST', '/webhooks', {});
});

const basic = () => `Basic ${Buffer.from(`${sandbox.credentials.carrierKey}:`).toString('base64')}`;
const track = (code: string, signal?: AbortSignal) =>
  fetch(`${sandbox.urls.carrier}/v2/trackers`, {
    method: 'POST',
    headers: { authorization: basic(), 'content-type': 'application/json' },
    body: JSON.stringify({ tracker: { tracking_code: code, carrier: 'USPS' } }),
    ...(signal ? { signal } : {}),
  });
const known = async (code: string): Promise<boolean> =>
  (await control('GET', '/truth')).trackers.some(({ trackingCode }: { trackingCode: string }) => trackingCode === code);

/** A client that holds one token. */
async function shopClient() {
  const grant = {
    client_id: sandbox.credentials.shopId,
    client_secret: sandbox.credentials.shopSecret,
    grant_type: 'client_credentials',
  };
  const granted = await fetch(`${sandbox.urls.shop}/admin/oauth/access_token`, {
    method: 'POST',
    body: new URLSearchParams(grant),
  });
  const { access_token: token } = (await granted.json()) as { access_token: string };
  return (query: string, variables: object = {}) =>
    fetch(`${sandbox.urls.shop}/admin/api/2026-07/graphql.json`, {
      method: 'POST',
      headers: { 'x-shopify-access-token': token, 'content-type': 'application/json' },
      body: JSON.stringify({ query, variables }),
    });
}

const graphql = async (query: string, variables: object = {}) => await (await shopClient())(query, variables);

describe('faults', () => {
  it('lost-reply does the work and loses the answer; the log says so', async () => {
    await control('POST', '/faults', { target: 'carrier', mode: 'lost-reply', count: 1, match: 'POST /v2/trackers' });
    await expect(track('94001000000000000000L1')).rejects.toThrow();
    expect(await known('94001000000000000000L1')).toBe(true);
    const { entries } = await control('GET', '/log?target=carrier&writes=1');
    expect(entries.at(-1)).toMatchObject({ fault: 'lost-reply', status: null, effects: [{ kind: 'tracker.created' }] });
    expect((await track('94001000000000000000L1')).status).toBe(200);
  });

  it.each(['reset', '5xx', '429'])('%s does nothing', async (mode) => {
    await control('POST', '/faults', { target: 'carrier', mode, count: 1 });
    const code = `9400100000000000000${mode}`;
    const answer = await track(code).then(
      (response) => response.status,
      () => 'no answer',
    );
    expect(answer).toBe({ reset: 'no answer', '5xx': 503, '429': 429 }[mode]);
    expect(await known(code)).toBe(false);
    expect((await track(code)).status).toBe(200);
  });

  it('hang never answers, slow answers late', async () => {
    await control('POST', '/faults', { target: 'carrier', mode: 'hang', count: 1 });
    await expect(track('94001000000000000000H1', AbortSignal.timeout(300))).rejects.toThrow(/timeout/);
    await control('POST', '/faults', { target: 'carrier', mode: 'slow', delayMs: 250, count: 1 });
    const from = Date.now();
    expect((await track('94001000000000000000S1')).status).toBe(200);
    expect(Date.now() - from).toBeGreaterThanOrEqual(245);
  });

  it.each([
    ['seconds', /^3$/],
    ['decimal', /^3\.0$/],
    ['date', / GMT$/],
    ['none', null],
  ] as const)('429 says when to come back in %s', async (retryAfter, form) => {
    await control('POST', '/faults', { target: 'carrier', mode: '429', retryAfter, retryAfterSeconds: 3, count: 1 });
    const header = (await track('94001000000000000000R1')).headers.get('retry-after');
    if (form === null) expect(header).toBeNull();
    else expect(header).toMatch(form);
  });

  it('match picks one GraphQL operation and leaves the others', async () => {
    await control('POST', '/faults', { target: 'shop', mode: 'throttled', match: 'tagsAdd' });
    expect(await (await graphql('{ shop { name } }')).json()).toMatchObject({
      data: { shop: { name: 'Syncline Sandbox' } },
    });
    const body = await (
      await graphql('mutation { tagsAdd(id: "gid://shopify/Order/1", tags: ["x"]) { userErrors { message } } }')
    ).json();
    expect(body).toMatchObject({ errors: [{ extensions: { code: 'THROTTLED' } }] });
  });

  it('refuses a fault it does not know, naming it', async () => {
    await expect(control('POST', '/faults', { target: 'carrier', mode: 'gremlin' })).rejects.toThrow(/400.*mode/s);
  });
});

describe('the shop', () => {
  it('shows a change at once by id, and after the lag in a list', async () => {
    const { orders } = await control('POST', '/orders', {});
    const id = orders[0].gid;
    const list = async () => {
      const body = (await (
        await graphql(`{ orders(first: 5, query: "id:${orders[0].id}") { nodes { id } } }`)
      ).json()) as { data: { orders: { nodes: object[] } } };
      return body.data.orders.nodes;
    };
    expect(await list()).toEqual([]);
    expect(await (await graphql('query($id: ID!) { order(id: $id) { id } }', { id })).json()).toMatchObject({
      data: { order: { id } },
    });
    await new Promise((resolve) => setTimeout(resolve, 320));
    expect(await list()).toEqual([{ id }]);
  });

  it('fulfils several lines in one call, and the rest in another', async () => {
    const lines = ['APRON-IND', 'HOOK-BR-S'].map((sku) => ({ sku, quantity: 2 }));
    const { orders } = await control('POST', '/orders', { lines });
    const path = `/orders/${encodeURIComponent(orders[0].name)}/fulfil`;
    const one = { lines: lines.map(({ sku }) => ({ sku, quantity: 1 })) };
    await control('POST', path, one);
    expect((await control('POST', path, one)).fulfillments).toHaveLength(2);
    await expect(control('POST', path, one)).rejects.toThrow(/422/);
  });

  it('ends tokens at their lifetime', async () => {
    await control('POST', '/settings', { tokenLifetimeSeconds: 0.2 });
    const client = await shopClient();
    expect((await client('{ shop { name } }')).status).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 220));
    expect((await client('{ shop { name } }')).status).toBe(401);
    await control('POST', '/settings', { tokenLifetimeSeconds: 86_399 });
  });

  it('tells and forgets its subscribers when the app is removed', async () => {
    const create = `mutation($uri: String!) { webhookSubscriptionCreate(topic: APP_UNINSTALLED, webhookSubscription: { uri: $uri }) { userErrors { message } } }`;
    await graphql(create, { uri: receiver.url });
    await control('POST', '/uninstall');
    const [request] = await receiver.until(1, ({ headers }) => headers['x-shopify-topic'] === 'app/uninstalled');
    expect(JSON.parse(String(request!.body))).toMatchObject({
      myshopify_domain: request!.headers['x-shopify-shop-domain'],
    });
    expect((await graphql('{ shop { name } }')).status).toBe(401);
    await control('POST', '/install');
    expect((await graphql('{ shop { name } }')).status).toBe(200);
  });
});

describe('webhooks', () => {
  const scans = async (code: string, count: number) => {
    for (let n = 0; n < count; n++)
      await control('POST', `/trackers/${code}/scan`, { status: 'in_transit', message: `scan ${n}` });
  };
  const messages = (target: Receiver): string[] =>
    target.received.map(({ body }) => JSON.parse(String(body)).result.tracking_details.at(-1).message);

  it('can be dropped, doubled and put out of order', async () => {
    const fresh = await startReceiver();
    const hook = await fetch(`${sandbox.urls.carrier}/v2/webhooks`, {
      method: 'POST',
      headers: { authorization: basic(), 'content-type': 'application/json' },
      body: JSON.stringify({ webhook: { url: fresh.url } }),
    });
    expect(hook.status).toBe(201);
    await control('POST', '/webhooks', { target: 'carrier', off: true });
    await control('POST', '/trackers', { code: '94001000000000000000D1', carrier: 'USPS' });
    await scans('94001000000000000000D1', 3);
    await control('POST', '/webhooks', { target: 'carrier', duplicate: 1 });
    await scans('94001000000000000000D1', 1);
    await fresh.until(2);
    expect(new Set(fresh.received.map(({ body }) => String(body))).size).toBe(1);
    fresh.received.length = 0;
    await control('POST', '/webhooks', { target: 'carrier', reorderMs: 400 });
    await scans('94001000000000000000D1', 12);
    await fresh.until(12);
    expect(messages(fresh)).not.toEqual(Array.from({ length: 12 }, (_, n) => `scan ${n}`));
    expect([...messages(fresh)].sort()).toEqual(Array.from({ length: 12 }, (_, n) => `scan ${n}`).sort());
    await control('DELETE', '/webhooks?target=carrier');
    await fresh.close();
  });
});

describe('start', () => {
  it('leaves nothing behind when a port is taken', async () => {
    const { port } = new URL(sandbox.urls.shop);
    await expect(startSandbox({ controlPort: Number(port) })).rejects.toThrow('EADDRINUSE');
  });
});

describe('memory', () => {
  it('survives a restart: data, subscriptions, and webhooks still owed', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sandbox-'));
    const stateFile = join(folder, 'state.json');
    const late = await startReceiver((_request, n) => (n === 1 ? 500 : 200));
    const first = await startSandbox({ stateFile, settings: { retryScale: 0.002 } });
    first.world.shop.data.subscriptions.push({
      id: 1,
      topic: 'ORDERS_CREATE',
      uri: late.url,
      includeFields: [],
      name: null,
      createdAt: 0,
      updatedAt: 0,
    });
    const { orders } = await controlClient(first.urls.control)('POST', '/orders', { note: 'kept' });
    await late.until(1);
    await first.close();
    const { shopId, shopSecret, carrierKey } = first.credentials;
    const second = await startSandbox({ stateFile, shopId, shopSecret, carrierKey, settings: { retryScale: 0.002 } });
    const again = controlClient(second.urls.control);
    expect(await again('GET', `/orders/${orders[0].name.slice(1)}`)).toEqual(orders[0]);
    expect((await again('POST', '/orders', {})).orders[0].name).toBe('#1002');
    const webhooks = await late.until(3);
    expect(webhooks.map(({ body }) => JSON.parse(String(body)).name).sort()).toEqual(['#1001', '#1001', '#1002']);
    await second.close();
    await late.close();
    await rm(folder, { recursive: true });
  });
});
