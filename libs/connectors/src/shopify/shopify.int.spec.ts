import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type ObjectTarget, type RawItem } from '@syncline/connector-sdk';
import { type Observation, SyncError } from '@syncline/contracts';
import { shopify } from './index.js';
import { amplePoints, inputOf, mapItem, startTestShop, type TestShop } from './testing/shop.js';

let shop: TestShop;
beforeAll(async () => {
  shop = await startTestShop();
});
afterAll(() => shop.close());
afterEach(async () => {
  await shop.control('DELETE', '/faults');
  await shop.control('POST', '/settings', amplePoints);
});

async function pollAll(since: number): Promise<RawItem[]> {
  const items: RawItem[] = [];
  const poll = shopify.objects.order?.poll;
  for await (const page of poll?.(shop.context, { since, checkpoint: null }) ?? []) items.push(...page.items);
  return items;
}

const readOrder = async (id: string): Promise<Observation[]> => {
  const found = await shopify.objects.order?.read?.(shop.context, id);
  if (!found) throw new Error('no such order');
  return mapItem(found.item, { readAt: found.readAt });
};

const until = async (found: () => boolean): Promise<void> => {
  const end = Date.now() + 5_000;
  while (!found()) {
    if (Date.now() > end) throw new Error('nothing came within 5 s');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
};

/** The newest webhook state of each object, as our verify and parse understand it. */
function webhookStates(): Map<string, Observation> {
  const states = new Map<string, Observation>();
  for (const { headers, body } of shop.hooks) {
    const request = { headers: headers as Record<string, string>, body, receivedAt: Date.now() };
    expect(shopify.webhook?.verify(request, [shop.sandbox.credentials.shopSecret])).toEqual({ ok: true });
    const delivery = shopify.webhook?.parse(request, JSON.parse(body.toString('utf8')));
    if (delivery?.kind !== 'item') continue;
    const { occurredAt, type } = delivery;
    for (const o of mapItem(delivery.item, { occurredAt, type, origin: 'webhook' })) {
      const before = states.get(`${o.noun}/${o.externalId}`);
      const newer =
        !before || o.version > before.version || (o.version === before.version && (o.tie ?? 0) >= (before.tie ?? 0));
      if (newer) states.set(`${o.noun}/${o.externalId}`, o);
    }
  }
  return states;
}

describe('check', () => {
  it('passes with the right credentials', async () => {
    await expect(shopify.check(shop.context)).resolves.toBeUndefined();
  });

  it('says unauthorized with wrong ones, without quoting them', async () => {
    const wrong = shop.connect('a-wrong-secret');
    const error = await shopify.check(wrong).catch((e) => e);
    expect(error).toMatchObject({ kind: 'unauthorized' });
    expect(String(error)).not.toContain('a-wrong-secret');
  });
});

describe('webhook registration', () => {
  it('registers what is missing, keeps it, repairs what differs, and leaves others alone', async () => {
    const topics = [
      'APP_UNINSTALLED',
      'FULFILLMENTS_CREATE',
      'FULFILLMENTS_UPDATE',
      'ORDERS_CREATE',
      'ORDERS_DELETE',
      'ORDERS_UPDATED',
    ];
    const register = (url: string) => shopify.webhook?.register(shop.context, url);
    const old = shop.hookUrl.replace(/:\d+/, ':9');
    const other = shop.hookUrl.replace('/webhooks/shop', '/webhooks/other');
    expect((await register(other))?.created).toHaveLength(6);
    expect((await register(old))?.created.sort()).toEqual(topics);
    const moved = await register(shop.hookUrl);
    expect([moved?.created.sort(), moved?.removed.sort()]).toEqual([topics, topics]);
    expect(await register(shop.hookUrl)).toEqual({ created: [], kept: expect.arrayContaining(topics), removed: [] });
    shop.sandbox.world.shop.data.subscriptions = shop.sandbox.world.shop.data.subscriptions.filter(
      (s) => s.topic !== 'ORDERS_UPDATED',
    );
    expect((await register(shop.hookUrl))?.created).toEqual(['ORDERS_UPDATED']);
    for (const s of shop.sandbox.world.shop.data.subscriptions)
      if (s.topic === 'ORDERS_CREATE' && s.uri === shop.hookUrl) s.includeFields = ['id'];
    expect(await register(shop.hookUrl)).toMatchObject({ created: ['ORDERS_CREATE'], removed: ['ORDERS_CREATE'] });
    expect((await register(other))?.kept).toHaveLength(5);
    shop.sandbox.world.shop.data.subscriptions = shop.sandbox.world.shop.data.subscriptions.filter(
      (s) => s.uri === shop.hookUrl,
    );
  });
});

describe('both shapes', () => {
  const stories: [string, object, (name: string) => Promise<void>][] = [
    ['a plain order', {}, async () => undefined],
    [
      'two currencies, a discount code, tags, a note',
      {
        presentmentCurrency: 'EUR',
        discountCode: 'SPRING',
        tags: ['b', 'a', 'B'],
        note: 'ring twice',
        customAttributes: [{ key: 'gift', value: 'yes' }],
        lines: [{ quantity: 3, customAttributes: [{ key: 'engraving', value: 'ü' }] }, { quantity: 1 }],
      },
      async (name) => {
        await shop.control('POST', `/orders/${name}/refund`, { note: 'broken', shipping: '2.00' });
      },
    ],
    ['yen and taxes included', { presentmentCurrency: 'JPY', taxesIncluded: true }, async () => undefined],
    [
      'edited, part fulfilled, part refunded',
      { lines: [{ quantity: 4 }, { quantity: 2 }] },
      async (name) => {
        const order = await shop.control('GET', `/orders/${name}`);
        const [first] = order.lines;
        await shop.control('PATCH', `/orders/${name}`, { note: 'edited', tags: ['vip'] });
        await shop.control('POST', `/orders/${name}/fulfil`, {
          lines: [{ sku: first.sku, quantity: 1 }],
          trackingNumber: '9400 1',
          company: 'USPS',
        });
        await shop.control('POST', `/orders/${name}/event`, { status: 'IN_TRANSIT' });
        await shop.control('POST', `/orders/${name}/refund`, {
          lines: [{ sku: first.sku, quantity: 1 }],
          note: 'late',
        });
      },
    ],
    [
      'fulfilled, delivered',
      {},
      async (name) => {
        await shop.control('POST', `/orders/${name}/fulfil`, { trackingNumbers: ['1Z1', '1Z2'], company: 'UPS' });
        await shop.control('POST', `/orders/${name}/event`, { status: 'OUT_FOR_DELIVERY' });
        await shop.control('POST', `/orders/${name}/event`, { status: 'DELIVERED' });
      },
    ],
    [
      'a fulfilment that was cancelled',
      {},
      async (name) => {
        await shop.control('POST', `/orders/${name}/fulfil`, { trackingNumber: 'X9', company: 'Dragon Post' });
        await shop.control('POST', `/orders/${name}/event`, { status: 'IN_TRANSIT' });
        await shop.control('POST', `/orders/${name}/unfulfil`);
      },
    ],
    [
      'cancelled',
      { payment: 'authorized' },
      async (name) => {
        await shop.control('POST', `/orders/${name}/cancel`);
      },
    ],
  ];

  it.each(stories)(
    '%s: webhook, poll and read give equal fields, native words, keys and references',
    async (_name, spec, story) => {
      shop.hooks.length = 0;
      const since = Math.floor(Date.now() / 1000) * 1000;
      const order = await shop.place(spec);
      await story(order.name);
      const read = await readOrder(order.id);
      const wanted = read[0]?.version ?? 0;
      await until(() => (webhookStates().get(`order/${order.id}`)?.version ?? 0) >= wanted);
      await new Promise((resolve) => setTimeout(resolve, 150));
      const states = webhookStates();
      const polled = (await pollAll(since))
        .filter((item) => item.externalId === order.id)
        .flatMap((item) => mapItem(item, { readAt: Date.now() }));
      expect(polled.length).toBe(read.length);
      const same = ({ version, externalId, fields, native, keys, refs }: Observation) => ({
        version,
        externalId,
        fields,
        native,
        keys,
        refs,
      });
      for (const [at, o] of read.entries()) {
        const hook = states.get(`${o.noun}/${o.externalId}`) as Observation;
        expect(same(polled[at] as Observation)).toEqual(same(o));
        expect(same(hook)).toEqual(same(o));
        if (o.noun !== 'fulfillment') continue;
        const alone = await shopify.objects.fulfillment?.read?.(shop.context, o.externalId);
        expect(alone?.item.aggregateId).toBe(order.id);
        expect(same(mapItem(alone?.item as RawItem, {})[0] as Observation)).toEqual(same(o));
      }
    },
  );

  it('a deletion comes as a deletion, and the order is gone to reads', async () => {
    shop.hooks.length = 0;
    const order = await shop.place();
    await shop.control('DELETE', `/orders/${order.name}`);
    await until(() => webhookStates().get(`order/${order.id}`)?.deleted === true);
    expect(await shopify.objects.order?.read?.(shop.context, order.id)).toBeNull();
  });
});

describe('poll', () => {
  it('pages through everything, oldest change first, and goes on from a checkpoint', async () => {
    const since = Math.floor(Date.now() / 1000) * 1000;
    await shop.control('POST', '/orders', { count: 45 });
    const items = await pollAll(since);
    expect(new Set(items.map((i) => i.externalId)).size).toBe(items.length);
    expect(items.length).toBeGreaterThanOrEqual(45);
    expect(items.map((i) => i.version)).toEqual(items.map((i) => i.version).sort());
    const pages = shopify.objects.order?.poll?.(shop.context, { since, checkpoint: null });
    const first = await pages?.next();
    if (!first || first.done) throw new Error('no page');
    expect(first.value.items).toHaveLength(20);
    const rest: RawItem[] = [];
    for await (const page of shopify.objects.order?.poll?.(shop.context, {
      since,
      checkpoint: first.value.checkpoint,
    }) ?? [])
      rest.push(...page.items);
    expect([...first.value.items, ...rest].map((i) => i.externalId)).toEqual(items.map((i) => i.externalId));
  });

  it('reads long orders in whole: lines, fulfilments and refunds', async () => {
    const since = Math.floor(Date.now() / 1000) * 1000;
    const lines = Array.from({ length: 75 }, (_, i) => ({ quantity: 20, title: `line ${i}` }));
    const order = await shop.place({ lines });
    const ids = (shop.sandbox.world.shop.data.orders.get(Number(order.id))?.lines ?? []).map((l) => l.id);
    const target = shopify.targets?.shipment as ObjectTarget;
    for (let i = 0; i < 7; i += 1) {
      const named = ids.slice(0, 14).map((id) => ({ lineId: String(id), sku: null, title: null, quantity: 1 }));
      await target.create(shop.context, inputOf(order.id, { lines: named, trackingNumber: `T${i}` }));
    }
    for (let i = 0; i < 5; i += 1)
      await shop.control('POST', `/orders/${order.name}/refund`, {
        lines: ids.slice(20, 30).map((id) => ({ id, quantity: 1 })),
      });
    const [item] = (await pollAll(since)).filter((i) => i.externalId === order.id);
    const observations = mapItem(item as RawItem, {});
    const fields = observations[0]?.fields as Record<string, { lines: unknown[] }[]>;
    expect(fields.lines).toHaveLength(75);
    expect(fields.refunds?.map((r) => r.lines.length)).toEqual([10, 10, 10, 10, 10]);
    expect(observations.slice(1).map((o) => (o.fields.lines as unknown[]).length)).toEqual([
      14, 14, 14, 14, 14, 14, 14,
    ]);
  });

  it('leaves a reserve of the cost bucket, and says how long to wait', async () => {
    await shop.control('POST', '/orders', { count: 25 });
    await shop.control('POST', '/settings', { costMaximum: 1_000, costRestoreRate: 50 });
    await shop.control('POST', '/throttle');
    const drained = await pollAll(0).catch((e) => e);
    expect(drained).toBeInstanceOf(SyncError);
    expect(drained).toMatchObject({ kind: 'throttled' });
    expect((drained as SyncError).retryAfterMs).toBeGreaterThan(1_000);
  });
});
