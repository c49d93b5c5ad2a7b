// Independent judges of the shop: Shopify's own client libraries, unchanged. They insist on https, so their fetch is given one
// that puts the sandbox's origin in its place.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createAdminApiClient } from '@shopify/admin-api-client';
import '@shopify/shopify-api/adapters/node';
import { ApiVersion, shopifyApi } from '@shopify/shopify-api';
import { type Sandbox, startSandbox } from '../index.js';
import { controlClient } from '../testing/control.js';
import { type Receiver, startReceiver } from '../testing/receiver.js';
import { API_VERSION } from './schema.js';
import { SHOP_DOMAIN } from './shop.js';

let sandbox: Sandbox;
let receiver: Receiver;
let control: ReturnType<typeof controlClient>;

beforeAll(async () => {
  sandbox = await startSandbox({ settings: { listLagMs: 40, retryScale: 0.00005, costMaximum: 100_000 } });
  receiver = await startReceiver();
  control = controlClient(sandbox.urls.control);
});

afterAll(async () => {
  await receiver.close();
  await sandbox.close();
});

async function token(): Promise<{ access_token: string; expires_in: number }> {
  const response = await fetch(`${sandbox.urls.shop}/admin/oauth/access_token`, {
    method: 'POST',
    body: new URLSearchParams({
      client_id: sandbox.credentials.shopId,
      client_secret: sandbox.credentials.shopSecret,
      grant_type: 'client_credentials',
    }),
  });
  expect(response.status).toBe(200);
  return (await response.json()) as { access_token: string; expires_in: number };
}

async function adminClient() {
  const { access_token: accessToken } = await token();
  return createAdminApiClient({
    storeDomain: SHOP_DOMAIN,
    apiVersion: API_VERSION,
    accessToken,
    customFetchApi: (url, init) =>
      fetch(String(url).replace(`https://${SHOP_DOMAIN}`, sandbox.urls.shop), init as RequestInit),
  });
}

const judge = () =>
  shopifyApi({
    apiKey: sandbox.credentials.shopId,
    apiSecretKey: sandbox.credentials.shopSecret,
    apiVersion: API_VERSION as ApiVersion,
    isEmbeddedApp: false,
    hostName: 'localhost',
    logger: { log: () => undefined },
  });

const ORDER = `query Order($id: ID!) {
  order(id: $id) {
    id name updatedAt tags
    lineItems(first: 10) { nodes { id sku quantity currentQuantity } }
    fulfillmentOrders(first: 5, query: "status:open") { nodes { id status lineItems(first: 10) { nodes { id remainingQuantity } } } }
    fulfillments(first: 5) { id status displayStatus trackingInfo { company number url } events(first: 5) { nodes { status happenedAt } } }
  }
}`;

describe('the shop, by @shopify/admin-api-client', () => {
  it('pages orders without loss or repetition', async () => {
    await control('POST', '/orders', { count: 23 });
    await new Promise((resolve) => setTimeout(resolve, 60));
    const client = await adminClient();
    const names: string[] = [];
    let after: string | null = null;
    do {
      const {
        data,
        errors,
      }: {
        data?: { orders: { nodes: { name: string }[]; pageInfo: { hasNextPage: boolean; endCursor: string } } };
        errors?: unknown;
      } = await client.request(
        `query Orders($after: String) { orders(first: 5, after: $after, sortKey: UPDATED_AT, query: "updated_at:>='2026-01-01T00:00:00Z'") {
             nodes { name } pageInfo { hasNextPage endCursor } } }`,
        { variables: { after } },
      );
      expect(errors).toBeUndefined();
      names.push(...data!.orders.nodes.map(({ name }) => name));
      after = data!.orders.pageInfo.hasNextPage ? data!.orders.pageInfo.endCursor : null;
    } while (after);
    expect(names).toEqual(Array.from({ length: 23 }, (_, n) => `#${1001 + n}`));
  });

  it('fulfils, moves and tags an order, and refuses what Shopify refuses', async () => {
    const { orders } = await control('POST', '/orders', { lines: [{ sku: 'APRON-IND', quantity: 2 }] });
    const client = await adminClient();
    const read = async () => (await client.request(ORDER, { variables: { id: orders[0].gid } })).data!.order;
    const open = (await read()).fulfillmentOrders.nodes[0];
    const create = (quantity: number) =>
      client.request(
        `mutation Ship($fulfillment: FulfillmentInput!) { fulfillmentCreate(fulfillment: $fulfillment) { fulfillment { id } userErrors { field message } } }`,
        {
          variables: {
            fulfillment: {
              lineItemsByFulfillmentOrder: [
                {
                  fulfillmentOrderId: open.id,
                  fulfillmentOrderLineItems: [{ id: open.lineItems.nodes[0].id, quantity }],
                },
              ],
              trackingInfo: { company: 'USPS', number: '9400100000000000000009' },
            },
          },
        },
      );
    expect((await create(3)).data!.fulfillmentCreate.userErrors).toEqual([
      { field: ['fulfillment'], message: 'Invalid fulfillment order line item quantity requested.' },
    ]);
    const { id } = (await create(2)).data!.fulfillmentCreate.fulfillment;
    expect((await create(1)).data!.fulfillmentCreate.userErrors[0].message).toMatch(
      /has an unfulfillable status= closed\.$/,
    );
    const event = await client.request(
      `mutation Move($event: FulfillmentEventInput!) { fulfillmentEventCreate(fulfillmentEvent: $event) { fulfillmentEvent { status } userErrors { message } } }`,
      { variables: { event: { fulfillmentId: id, status: 'OUT_FOR_DELIVERY', happenedAt: '2026-07-01T08:00:00Z' } } },
    );
    expect(event.data!.fulfillmentEventCreate).toEqual({
      fulfillmentEvent: { status: 'OUT_FOR_DELIVERY' },
      userErrors: [],
    });
    await client.request(`mutation Tag($id: ID!) { tagsAdd(id: $id, tags: ["synced"]) { userErrors { message } } }`, {
      variables: { id: orders[0].gid },
    });
    const after = await read();
    expect(after.tags).toEqual(['synced']);
    expect(after.fulfillments).toEqual([
      {
        id,
        status: 'SUCCESS',
        displayStatus: 'OUT_FOR_DELIVERY',
        trackingInfo: [{ company: 'USPS', number: '9400100000000000000009', url: expect.stringContaining('usps.com') }],
        events: { nodes: [{ status: 'OUT_FOR_DELIVERY', happenedAt: '2026-07-01T08:00:00Z' }] },
      },
    ]);
    expect(after.fulfillmentOrders.nodes).toEqual([]);
  });

  it('names a wrong field as Shopify does, and a missing resolver as its own', async () => {
    const client = await adminClient();
    const wrong = await client.request('query Wrong { orders(first: 1) { nodes { colour } } }');
    expect(wrong.errors?.graphQLErrors?.[0]?.message).toBe('Cannot query field "colour" on type "Order".');
    const missing = await client.request('query Missing { products(first: 1) { nodes { id } } }');
    expect(missing.errors?.graphQLErrors?.[0]?.message).toBe('the sandbox does not implement QueryRoot.products');
  });

  it('answers 401 to a bad or expired token and THROTTLED inside a 200', async () => {
    const client = await adminClient();
    await control('POST', '/tokens/expire');
    expect((await client.request('query Shop { shop { name } }')).errors?.networkStatusCode).toBe(401);
    const fresh = await adminClient();
    await control('POST', '/settings', { costRestoreRate: 1 });
    await control('POST', '/throttle');
    const throttled = await fresh.fetch('query Orders { orders(first: 50) { nodes { id } } }');
    expect(throttled.status).toBe(200);
    const body = (await throttled.json()) as {
      errors: { extensions: { code: string } }[];
      extensions: { cost: { throttleStatus: object } };
    };
    expect(body.errors[0]!.extensions.code).toBe('THROTTLED');
    expect(body.extensions.cost.throttleStatus).toMatchObject({ maximumAvailable: 100_000, restoreRate: 1 });
    await control('POST', '/settings', { costRestoreRate: 1_000_000 });
  });
});

describe("the shop's webhooks, by @shopify/shopify-api", () => {
  const subscribe = async (topic: string, uri: string) => {
    const client = await adminClient();
    return await client.request(
      `mutation Subscribe($topic: WebhookSubscriptionTopic!, $input: WebhookSubscriptionInput!) {
         webhookSubscriptionCreate(topic: $topic, webhookSubscription: $input) { webhookSubscription { id uri } userErrors { field message } } }`,
      { variables: { topic, input: { uri } } },
    );
  };
  const validate = async (
    request: { headers: NodeJS.Dict<string | string[]>; body: Buffer },
    rawBody = request.body.toString('utf8'),
  ) => await judge().webhooks.validate({ rawBody, rawRequest: { headers: request.headers }, rawResponse: {} });

  it('are signed so that its verifier accepts them, within a second of the change', async () => {
    expect((await subscribe('ORDERS_CREATE', receiver.url)).data!.webhookSubscriptionCreate.userErrors).toEqual([]);
    const taken = await subscribe('ORDERS_CREATE', receiver.url);
    expect(taken.data!.webhookSubscriptionCreate.userErrors[0].message).toBe(
      'Address for this topic has already been taken',
    );
    const from = Date.now();
    const { orders } = await control('POST', '/orders', { firstName: 'Łukasz', note: 'naïve “quotes” 😀' });
    const [request] = await receiver.until(1, ({ headers }) => headers['x-shopify-topic'] === 'orders/create');
    expect(request!.at - from).toBeLessThan(1_000);
    expect(await validate(request!)).toMatchObject({
      valid: true,
      topic: 'ORDERS_CREATE',
      domain: SHOP_DOMAIN,
      apiVersion: API_VERSION,
    });
    expect(await validate(request!, `${request!.body} `)).toMatchObject({ valid: false });
    expect(JSON.parse(request!.body.toString('utf8'))).toMatchObject({ id: orders[0].id, note: 'naïve “quotes” 😀' });
  });

  it('are retried eight times as they were, then the subscription is gone', async () => {
    const broken = await startReceiver(() => 500);
    await subscribe('ORDERS_CANCELLED', broken.url);
    const { orders } = await control('POST', '/orders', {});
    await control('POST', `/orders/${orders[0].name.slice(1)}/cancel`);
    const attempts = await broken.until(9);
    expect(new Set(attempts.map(({ body }) => body.toString())).size).toBe(1);
    expect(new Set(attempts.map(({ headers }) => headers['x-shopify-webhook-id'])).size).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const { shop } = await control('GET', '/webhooks');
    expect(shop.subscriptions.map(({ topic }: { topic: string }) => topic)).toEqual(['ORDERS_CREATE']);
    await broken.close();
  });
});
