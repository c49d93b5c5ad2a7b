// The judge is npm shopify-webhook-schemas: JSON Schemas inferred by others from Shopify's live webhooks.
import { createRequire } from 'node:module';
import { describe, expect, it } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { quietShop } from '../testing/quiet-shop.js';
import { addFulfillmentEvent, createFulfillment, updateTracking } from './fulfillments.js';
import { cancelOrder, editOrder, payOrder, refundOrder } from './orders.js';
import { placeOrder } from './place.js';
import { restShop } from './rest-shop.js';
import { API_VERSION } from './schema.js';
import { bodyOf } from './webhooks.js';

const require = createRequire(import.meta.url);
const ajv = new Ajv2020({ allErrors: true, strict: false });
(addFormats as unknown as (ajv: Ajv2020) => void)(ajv);

interface Schema {
  type?: string | string[];
  format?: string;
  properties?: Record<string, Schema>;
  items?: Schema | false;
}

/**
 * The schemas are inferred from examples, so two things in them are accidents of those examples: a tax rate that was
 * always 0 became an integer, and a list that was always empty allows no item.
 */
function mend(schema: Schema, name = ''): Schema {
  const fixed = { ...schema };
  if (name === 'rate' && schema.type === 'integer') fixed.type = 'number';
  if (schema.properties) {
    fixed.properties = Object.fromEntries(
      Object.entries(schema.properties).map(([key, value]) => [key, mend(value, key)]),
    );
  }
  if (schema.items === false) fixed.items = {};
  else if (schema.items) fixed.items = mend(schema.items);
  return fixed;
}

function problems(topic: string, body: object): string[] {
  const schema = mend(require(`shopify-webhook-schemas/schemas/${API_VERSION}/${topic}.json`));
  const validate = ajv.compile(schema);
  validate(JSON.parse(JSON.stringify(body)));
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}

/** An order's life with everything in it, and every webhook it caused. */
function everyWebhook() {
  const { shop, announced } = quietShop();
  const order = placeOrder(shop, {
    lines: [
      { sku: 'APRON-IND', quantity: 2 },
      { sku: 'HOOK-BR-S', quantity: 3, customAttributes: [{ key: 'engraving', value: 'Zoë' }] },
    ],
    presentmentCurrency: 'JPY',
    discountCode: 'WELCOME10',
    payment: 'authorized',
    customAttributes: [{ key: 'gift', value: 'yes' }],
  });
  payOrder(shop, order);
  editOrder(shop, order, { note: 'ring twice', lines: [{ sku: 'HOOK-BR-S', quantity: 4 }] });
  const open = order.fulfillmentOrders[0]!;
  const fulfillment = createFulfillment(
    shop,
    order,
    [{ fulfillmentOrder: open, lines: [{ id: open.lines[0]!.id, quantity: 2 }] }],
    {
      company: 'USPS',
      number: '9400100000000000000001',
    },
  );
  updateTracking(shop, order, fulfillment, { company: 'UPS', number: '1Z0000000000000001' });
  addFulfillmentEvent(shop, order, fulfillment, { status: 'IN_TRANSIT', city: 'ALBANY', country: 'US' });
  createFulfillment(shop, order, [{ fulfillmentOrder: open }], { company: 'USPS', number: '9400100000000000000002' });
  refundOrder(shop, order, { lines: [{ sku: 'APRON-IND', quantity: 1 }], shipping: '2.00', note: 'Damaged' });
  const other = placeOrder(shop, { payment: 'paid' });
  cancelOrder(shop, other, 'CUSTOMER', true);
  shop.removed(other);
  return announced.map(({ order: owner, happening }) => ({
    topic: happening.topic as string,
    body: bodyOf(owner, happening),
  }));
}

describe('webhook bodies', () => {
  const all = everyWebhook();
  const topics = [...new Set(all.map(({ topic }) => topic))].sort();

  it('cover every topic the shop has', () => {
    expect(topics).toEqual([
      'fulfillment_events/create',
      'fulfillments/create',
      'fulfillments/update',
      'orders/cancelled',
      'orders/create',
      'orders/delete',
      'orders/edited',
      'orders/fulfilled',
      'orders/paid',
      'orders/partially_fulfilled',
      'orders/updated',
      'refunds/create',
    ]);
  });

  it.each(topics)('%s satisfies the published schema', (topic) => {
    for (const { body } of all.filter((webhook) => webhook.topic === topic)) expect(problems(topic, body)).toEqual([]);
  });

  it('refunds inside an order satisfy the schema of refunds', () => {
    const { refunds } = all.findLast(({ body }) => 'refunds' in body && (body.refunds as object[]).length > 0)!
      .body as {
      refunds: object[];
    };
    expect(refunds).toHaveLength(1);
    expect(problems('refunds/create', refunds[0]!)).toEqual([]);
  });

  it('app/uninstalled satisfies the published schema', () => {
    expect(problems('app/uninstalled', restShop())).toEqual([]);
  });

  it('a body that lacks a field does not', () => {
    const { body } = all.find(({ topic }) => topic === 'orders/create')!;
    const { name: _name, ...rest } = body as { name: string };
    expect(problems('orders/create', rest)).toEqual([" must have required property 'name'"]);
  });
});
