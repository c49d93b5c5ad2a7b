import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type ObjectTarget } from '@syncline/connector-sdk';
import type { Fields } from '@syncline/contracts';
import { shopify } from './index.js';
import { amplePoints, inputOf, recordOf, startTestShop, type TestShop } from './testing/shop.js';

let shop: TestShop;
beforeAll(async () => {
  shop = await startTestShop();
});
afterAll(() => shop.close());
afterEach(async () => {
  await shop.control('DELETE', '/faults');
  await shop.control('POST', '/settings', amplePoints);
});

describe('writes', () => {
  const target = shopify.targets?.shipment as ObjectTarget;

  it('makes a fulfilment with tracking, finds it again, and says where it is', async () => {
    const order = await shop.place({ lines: [{ quantity: 2 }, { quantity: 1 }] });
    const input = inputOf(order.id, {});
    expect(target.applies(input.record)).toBe(true);
    expect(await target.find(shop.context, input)).toBeNull();
    const made = await target.create(shop.context, input);
    expect(made.observation.fields).toMatchObject({
      status: 'pending',
      trackingNumber: '94001',
      carrier: 'usps',
      carrierName: 'USPS',
    });
    expect(made.observation.refs).toEqual([{ field: 'orderId', kind: 'order', externalId: order.id }]);
    expect((await target.find(shop.context, inputOf(order.id, { trackingNumber: '9400 1' })))?.externalId).toBe(
      made.externalId,
    );
    const at = new Date(Date.now() + 3_600_000).toISOString();
    const events = [
      {
        at,
        status: 'in_transit',
        native: 'in_transit',
        message: 'Arrived',
        place: { city: 'Portland', region: 'ME', postalCode: '04101', country: 'US' },
      },
    ];
    const moved = await target.update(
      shop.context,
      made,
      inputOf(order.id, { status: 'in_transit', events }, { status: 'in_transit' }),
    );
    expect(moved.observation.fields.status).toBe('in_transit');
    // An event older than the one the shop shows still becomes its status.
    const delivered = await target.update(
      shop.context,
      moved,
      inputOf(
        order.id,
        {
          status: 'delivered',
          events: [{ ...events[0], at: new Date().toISOString(), status: 'delivered' }] as Fields[string],
        },
        { status: 'delivered' },
      ),
    );
    expect(delivered.observation.fields.status).toBe('delivered');
    expect(await target.read(shop.context, made.externalId)).toMatchObject({
      externalId: made.externalId,
      version: delivered.version,
    });
    const truth = shop.sandbox.world.shop.data.orders.get(Number(order.id))?.fulfillments[0];
    expect(truth?.events[0]).toMatchObject({
      status: 'IN_TRANSIT',
      city: 'Portland',
      province: 'ME',
      zip: '04101',
      country: 'US',
      message: 'Arrived',
    });
  });

  it('fulfils the lines the shipment names, and says its status at once', async () => {
    const order = await shop.place({ lines: [{ quantity: 2 }, { quantity: 3 }] });
    const [, second] = shop.sandbox.world.shop.data.orders.get(Number(order.id))?.lines ?? [];
    const lines = [{ lineId: String(second?.id), sku: null, title: null, quantity: 2 }];
    const made = await target.create(shop.context, inputOf(order.id, { lines, status: 'out_for_delivery' }));
    expect(made.observation.fields).toMatchObject({
      status: 'out_for_delivery',
      lines: [{ lineId: String(second?.id), quantity: 2 }],
    });
    const rest = await target.create(shop.context, inputOf(order.id, { trackingNumber: '94002' }));
    expect((rest.observation.fields.lines as { quantity: number }[]).map((l) => l.quantity)).toEqual([2, 1]);
    const none = await target.create(shop.context, inputOf(order.id, { trackingNumber: '94003' })).catch((e) => e);
    expect(none).toMatchObject({
      kind: 'rejected',
      message: expect.stringMatching(/nothing of the order is left to fulfil: .* closed/),
    });
  });

  it('changes the number and keeps what it does not write', async () => {
    const order = await shop.place();
    await shop.control('POST', `/orders/${order.name}/fulfil`, { trackingNumbers: ['1Z1', '1Z2'], company: 'UPS' });
    const before = (await target.find(shop.context, inputOf(order.id, { trackingNumber: '1Z1' })))!;
    const after = await target.update(
      shop.context,
      before,
      inputOf(order.id, { trackingNumber: '1Z9' }, { trackingNumber: '1Z9' }),
    );
    expect(after.observation.fields).toMatchObject({ trackingNumbers: ['1Z9', '1Z2'], carrier: 'ups' });
  });

  it('stores every value in the form it says it does', async () => {
    const samples: [string, Fields][] = [
      ...[
        'label_created',
        'in_transit',
        'out_for_delivery',
        'ready_for_pickup',
        'attempted',
        'delivered',
        'failed',
        'returned',
      ].map((status): [string, Fields] => ['status', { status }]),
      ['carrierName', { carrierName: 'DHLExpress', carrier: 'dhl_express' }],
      ['carrier', { carrierName: 'fedex ground', carrier: 'fedex' }],
      ['trackingNumber', { trackingNumber: ' 1Z 77 ' }],
    ];
    for (const [field, data] of samples) {
      const order = await shop.place();
      const made = await target.create(shop.context, inputOf(order.id, data));
      expect({ field, value: made.observation.fields[field] }).toEqual({
        field,
        value: target.normalise?.(field, data[field] as string),
      });
    }
    for (const status of ['pending', 'cancelled', 'unknown'])
      expect(target.normalise?.('status', status)).toBeUndefined();
  });

  it('refuses what a shop cannot take, with the reason', async () => {
    const reason = (data: Fields) => target.applies(recordOf(data));
    expect(reason({ orderId: null })).toMatch(/no known order/);
    expect(reason({ trackingNumber: null })).toMatch(/no tracking number/);
    expect(reason({ isReturn: true })).toMatch(/return/);
    expect(reason({ status: 'cancelled' })).toMatch(/cancelled/);
    expect(await target.create(shop.context, inputOf('999', {})).catch((e) => e)).toMatchObject({ kind: 'conflict' });
    const order = await shop.place();
    const made = await target.create(shop.context, inputOf(order.id, {}));
    await target.remove?.(shop.context, made.externalId);
    const gone = (await target.read(shop.context, made.externalId))!;
    expect(gone.observation.fields.status).toBe('cancelled');
    expect(await target.find(shop.context, inputOf(order.id, {}))).toBeNull();
    expect(
      await target.update(shop.context, gone, inputOf(order.id, {}, { status: 'delivered' })).catch((e) => e),
    ).toMatchObject({ kind: 'rejected' });
    expect(await target.read(shop.context, '999')).toBeNull();
  });

  it('does not know the outcome of a create whose answer was lost, and finds it then', async () => {
    const order = await shop.place();
    const input = inputOf(order.id, {});
    await shop.control('POST', '/faults', { target: 'shop', mode: 'lost-reply', count: 1, match: 'fulfillmentCreate' });
    const lost = await target.create(shop.context, input).catch((e) => e);
    expect(lost).toMatchObject({ kind: 'transient', outcomeUnknown: true });
    expect((await target.find(shop.context, input))?.observation.fields.trackingNumber).toBe('94001');
  });

  it('writes tags and notes of orders', async () => {
    const orders = shopify.targets?.order as ObjectTarget;
    const order = await shop.place({ note: 'old', tags: ['x'] });
    const held = (await orders.read(shop.context, order.id))!;
    const input = { record: recordOf({}), links: {} };
    const after = await orders.update(shop.context, held, { ...input, fields: { tags: ['b', 'a'], note: null } });
    expect(after.observation.fields).toMatchObject({ tags: orders.normalise?.('tags', ['b', 'a']), note: null });
    expect(await orders.create(shop.context, { ...input, fields: {} }).catch((e) => e)).toMatchObject({
      kind: 'rejected',
    });
  });
});
