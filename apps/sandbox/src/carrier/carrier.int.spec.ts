// Independent judge of the carrier: EasyPost's own client library, unchanged but for its base URL.

import EasyPostClient from '@easypost/api';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Sandbox, startSandbox } from '../index.js';
import { controlClient } from '../testing/control.js';
import { type Receiver, startReceiver } from '../testing/receiver.js';

// biome-ignore lint/suspicious/noExplicitAny: the library's types do not know every answer
type Client = any;
// Its types describe a class but export a module.
const Judge = EasyPostClient as unknown as new (key: string, options: { baseUrl: string }) => Client;

let sandbox: Sandbox;
let receiver: Receiver;
let control: ReturnType<typeof controlClient>;
let client: Client;
const SECRET = 'sécret ﬁ';

beforeAll(async () => {
  sandbox = await startSandbox({ settings: { retryScale: 0.00005 } });
  receiver = await startReceiver();
  control = controlClient(sandbox.urls.control);
  client = new Judge(sandbox.credentials.carrierKey, { baseUrl: `${sandbox.urls.carrier}/v2/` });
});

afterAll(async () => {
  await receiver.close();
  await sandbox.close();
});

describe('the carrier, by @easypost/api', () => {
  it('creates a tracker once per code and carrier, and reads it back', async () => {
    const tracker = await client.Tracker.create({ tracking_code: '9400100000000000000001', carrier: 'USPS' });
    expect(tracker).toMatchObject({ object: 'Tracker', status: 'unknown', carrier: 'USPS', tracking_details: [] });
    expect((await client.Tracker.create({ tracking_code: '9400100000000000000001' })).id).toBe(tracker.id);
    expect(await client.Tracker.retrieve(tracker.id)).toMatchObject({
      id: tracker.id,
      tracking_code: '9400100000000000000001',
    });
  });

  it.each([
    ['EZ1000000001', 'pre_transit'],
    ['EZ2000000002', 'in_transit'],
    ['EZ3000000003', 'out_for_delivery'],
    ['EZ4000000004', 'delivered'],
    ['EZ5000000005', 'return_to_sender'],
    ['EZ6000000006', 'failure'],
    ['EZ7000000007', 'unknown'],
  ])('test code %s stands for %s', async (code, status) => {
    expect(await client.Tracker.create({ tracking_code: code })).toMatchObject({ tracking_code: code, status });
  });

  it("pages newest first, by the library's own next page", async () => {
    for (let n = 10; n < 17; n++) await client.Tracker.create({ tracking_code: `1Z00000000000000${n}` });
    const codes: string[] = [];
    let page = await client.Tracker.all({ page_size: 3, carrier: 'UPS' });
    codes.push(...page.trackers.map(({ tracking_code: code }: { tracking_code: string }) => code));
    while (page.has_more) {
      page = await client.Tracker.getNextPage(page, 3);
      codes.push(...page.trackers.map(({ tracking_code: code }: { tracking_code: string }) => code));
    }
    expect(codes).toEqual([16, 15, 14, 13, 12, 11, 10].map((n) => `1Z00000000000000${n}`));
  });

  it('buys a shipment: label, tracker, reference', async () => {
    const shipment = await client.Shipment.create({
      reference: '#1001',
      to_address: { name: 'Ada', street1: '1 Mill Lane', city: 'Duluth', state: 'MN', zip: '55802', country: 'US' },
      from_address: {
        company: 'Shop',
        street1: '5 Old Quay',
        city: 'Portland',
        state: 'ME',
        zip: '04101',
        country: 'US',
      },
      parcel: { length: 10, width: 8, height: 4, weight: 12 },
    });
    expect(shipment).toMatchObject({ object: 'Shipment', reference: '#1001', tracker: null, tracking_code: null });
    const bought = await client.Shipment.buy(shipment.id, shipment.lowestRate());
    expect(bought).toMatchObject({
      selected_rate: { carrier: 'USPS', rate: '6.07' },
      tracker: { shipment_id: shipment.id },
    });
    await expect(client.Shipment.buy(shipment.id, shipment.lowestRate())).rejects.toMatchObject({
      statusCode: 422,
      code: 'SHIPMENT.POSTAGE.EXISTS',
    });
    expect((await client.Shipment.all({ page_size: 5 })).shipments.map(({ id }: { id: string }) => id)).toEqual([
      shipment.id,
    ]);
  });

  it("answers errors in EasyPost's shape", async () => {
    await expect(client.Tracker.retrieve('trk_0')).rejects.toMatchObject({ statusCode: 404, code: 'NOT_FOUND' });
    await expect(client.Tracker.create({})).rejects.toMatchObject({ statusCode: 422, code: 'PARAMETER.REQUIRED' });
    const stranger: Client = new Judge('EZTKwrong', { baseUrl: `${sandbox.urls.carrier}/v2/` });
    await expect(stranger.Tracker.all({})).rejects.toMatchObject({ statusCode: 401, code: 'APIKEY.INACTIVE' });
    await control('POST', '/faults', { target: 'carrier', mode: '429', count: 1 });
    await expect(client.Tracker.all({})).rejects.toMatchObject({ statusCode: 429, code: 'RATE_LIMITED' });
  });
});

describe("the carrier's webhooks, by the same library", () => {
  it('are signed so that its verifier accepts them, whole weights and odd secrets included', async () => {
    const hook = await client.Webhook.create({ url: receiver.url, webhook_secret: SECRET });
    const tracker = await client.Tracker.create({ tracking_code: '9400100000000000000077' });
    await control('POST', `/trackers/${tracker.tracking_code}/scan`, { status: 'in_transit', weight: 12 });
    const [created, updated] = await receiver.until(2);
    expect(client.Utils.validateWebhook(created!.body, created!.headers, SECRET)).toMatchObject({
      object: 'Event',
      description: 'tracker.created',
      result: { id: tracker.id, status: 'unknown' },
    });
    expect(updated!.body.toString()).toContain('"weight":12.0');
    expect(client.Utils.validateWebhook(updated!.body, updated!.headers, SECRET)).toMatchObject({
      description: 'tracker.updated',
      previous_attributes: { status: 'unknown' },
      pending_urls: [receiver.url],
      result: { id: tracker.id, status: 'in_transit', weight: 12 },
    });
    expect(() => client.Utils.validateWebhook(updated!.body, updated!.headers, 'another')).toThrow();
    const events = await client.Event.all({ page_size: 2 });
    expect(events.events.map(({ description }: { description: string }) => description)).toEqual([
      'tracker.updated',
      'tracker.created',
    ]);
    await client.Webhook.delete(hook.id);
    expect((await client.Webhook.all()).webhooks).toEqual([]);
  });

  it('are retried, then the webhook is disabled until it is updated', async () => {
    const broken = await startReceiver(() => 500);
    const hook = await client.Webhook.create({ url: broken.url, webhook_secret: SECRET });
    await client.Tracker.create({ tracking_code: '9400100000000000000078' });
    await broken.until(7);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect((await client.Webhook.retrieve(hook.id)).disabled_at).not.toBeNull();
    await client.Webhook.update(hook.id, { webhook_secret: 'new' });
    expect((await client.Webhook.retrieve(hook.id)).disabled_at).toBeNull();
    await client.Webhook.delete(hook.id);
    await broken.close();
  });
});
