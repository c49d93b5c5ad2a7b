// The resolvers against Shopify's own schema, without HTTP.
import { describe, expect, it } from '@jest/globals';
import {
  type GraphQLField,
  type GraphQLNamedType,
  GraphQLNonNull,
  type GraphQLObjectType,
  getNamedType,
  isAbstractType,
  isLeafType,
  isObjectType,
  Kind,
  parse,
} from 'graphql';
import { askOf } from '../testing/ask.js';
import { quietShop } from '../testing/quiet-shop.js';
import { requestedCost } from './cost.js';
import { fulfillmentMutations } from './fulfillment-mutations.js';
import { addFulfillmentEvent, createFulfillment } from './fulfillments.js';
import { queryRoot } from './graph-queries.js';
import { orderMutations } from './order-mutations.js';
import { refundOrder, setMetafield } from './orders.js';
import { placeOrder } from './place.js';
import { shopifySchema } from './schema.js';
import { gid } from './shop.js';
import { subscriptionMutations } from './subscriptions.js';

function world() {
  const { shop, topics } = quietShop({ listLagMs: 0 });
  const order = placeOrder(shop, {
    presentmentCurrency: 'EUR',
    discountCode: 'TEN',
    customAttributes: [{ key: 'a', value: 'b' }],
  });
  const effects: string[] = [];
  const effect = (kind: string) => void effects.push(kind);
  const root = {
    ...queryRoot(shop, ['read_orders']),
    ...orderMutations(shop, effect),
    ...fulfillmentMutations(shop, effect),
    ...subscriptionMutations(shop, effect, () => undefined),
  };
  const ask = askOf(root);
  topics();
  return { shop, order, ask, effects, topics };
}

const ARGUMENTS: Readonly<Record<string, string>> = { first: '3', key: '"color"', namespace: '"custom"' };

/** Asks for everything a node offers: its own keys, with Shopify's types. */
function selectionOf(type: GraphQLNamedType, sample: unknown, depth: number): string {
  const value = (Array.isArray(sample) ? sample[0] : sample) as Record<string, unknown> | null | undefined;
  if (value === null || value === undefined || depth === 0) return '{ __typename }';
  const object = isObjectType(type) ? type : (shopifySchema().getType(String(value.__typename)) as GraphQLObjectType);
  const fields = Object.entries(object.getFields()).filter(([name]) => value[name] !== undefined);
  const inner = ['__typename', ...fields.map(([name, field]) => fieldOf(name, field, value[name], depth))].join(' ');
  return isAbstractType(type) ? `{ ... on ${object.name} { ${inner} } }` : `{ ${inner} }`;
}

function fieldOf(name: string, field: GraphQLField<unknown, unknown>, value: unknown, depth: number): string {
  const wanted = field.args.filter(
    (arg) =>
      arg.name === 'first' ||
      arg.name === 'namespace' ||
      (arg.type instanceof GraphQLNonNull && arg.defaultValue === undefined),
  );
  const args = wanted.length === 0 ? '' : `(${wanted.map((arg) => `${arg.name}: ${ARGUMENTS[arg.name]}`).join(', ')})`;
  const type = getNamedType(field.type);
  if (isLeafType(type)) return name + args;
  const given = typeof value === 'function' ? value({ first: 3, key: 'color', namespace: 'custom' }) : value;
  return `${name}${args} ${selectionOf(type, given, depth - 1)}`;
}

describe('every field the sandbox offers', () => {
  it('has a value of the type that Shopify publishes', async () => {
    const { shop, order, ask } = world();
    const open = order.fulfillmentOrders[0]!;
    const part = [{ fulfillmentOrder: open, lines: [{ id: open.lines[0]!.id, quantity: 1 }] }];
    const fulfillment = createFulfillment(shop, order, part, { company: 'USPS', number: '1' });
    addFulfillmentEvent(shop, order, fulfillment, { status: 'IN_TRANSIT' });
    refundOrder(shop, order, { lines: [{ id: order.lines[0]!.id, quantity: 1 }], shipping: '1.00' });
    setMetafield(shop, order, { namespace: 'custom', key: 'color', type: 'single_line_text_field', value: 'red' });
    const root = queryRoot(shop, []);
    const node = root.order({ id: gid('Order', order.id) });
    const type = shopifySchema().getType('Order')!;
    const document = `query All($id: ID!) { order(id: $id) ${selectionOf(type, node, 6)} shop ${selectionOf(shopifySchema().getType('Shop')!, root.shop(), 2)} }`;
    const { data, errors } = await ask(document, { id: gid('Order', order.id) });
    expect(errors).toEqual([]);
    expect(data.order.fulfillments[0].order.__typename).toBe('Order');
    expect(data.order.refunds[0].refundLineItems.nodes[0].lineItem.id).toBe(gid('LineItem', order.lines[0]!.id));
    expect(data.order.metafield).toMatchObject({ namespace: 'custom', value: 'red', jsonValue: 'red' });
    expect(Object.keys(data.order).length).toBeGreaterThan(90);
  });
});

describe('reads by id', () => {
  it('finds refunds, and the newest event by its own time', async () => {
    const { shop, order, ask } = world();
    const fulfillment = createFulfillment(shop, order, [{ fulfillmentOrder: order.fulfillmentOrders[0]! }]);
    for (const [status, happenedAt] of [
      ['OUT_FOR_DELIVERY', 3_000],
      ['IN_TRANSIT', 1_000],
      ['CONFIRMED', 2_000],
    ] as const) {
      addFulfillmentEvent(shop, order, fulfillment, { status, happenedAt });
    }
    const events = async (args: string) =>
      (
        await ask(
          `{ fulfillment(id: "${gid('Fulfillment', fulfillment.id)}") { events(${args}) { nodes { status } } } }`,
        )
      ).data.fulfillment.events.nodes.map(({ status }: { status: string }) => status);
    expect(await events('first: 1, sortKey: HAPPENED_AT, reverse: true')).toEqual(['OUT_FOR_DELIVERY']);
    // Shopify's schema makes HAPPENED_AT the default.
    expect(await events('first: 5')).toEqual(['IN_TRANSIT', 'CONFIRMED', 'OUT_FOR_DELIVERY']);
    expect(await events('first: 5, sortKey: ID')).toEqual(['OUT_FOR_DELIVERY', 'IN_TRANSIT', 'CONFIRMED']);
    const refund = refundOrder(shop, order, { lines: [{ id: order.lines[0]!.id, quantity: 1 }], note: 'n' });
    const id = gid('Refund', refund.id);
    expect(
      (await ask('query($id: ID!) { refund(id: $id) { note order { name } } node(id: $id) { id } }', { id })).data,
    ).toEqual({
      refund: { note: 'n', order: { name: order.name } },
      node: { id },
    });
    expect((await ask('{ refund(id: "gid://shopify/Refund/1") { id } }')).data.refund).toBeNull();
  });
});

describe('mutations', () => {
  it('write metafields all or none, and conditionally', async () => {
    const { order, ask, effects } = world();
    const set =
      'mutation($m: [MetafieldsSetInput!]!) { metafieldsSet(metafields: $m) { metafields { value compareDigest namespace } userErrors { field message } } }';
    const one = {
      ownerId: gid('Order', order.id),
      namespace: 'sync',
      key: 'id',
      type: 'single_line_text_field',
      value: 'x',
    };
    const first = (await ask(set, { m: [{ ...one, compareDigest: null }] })).data.metafieldsSet;
    expect(first.metafields).toMatchObject([{ value: 'x', namespace: 'sync' }]);
    const stale = (await ask(set, { m: [{ ...one, value: 'y', compareDigest: null }] })).data.metafieldsSet;
    expect(stale).toMatchObject({ metafields: null, userErrors: [{ field: ['metafields', '0', 'compareDigest'] }] });
    const digest = first.metafields[0].compareDigest;
    expect(
      (await ask(set, { m: [{ ...one, value: 'z', compareDigest: digest }] })).data.metafieldsSet.userErrors,
    ).toEqual([]);
    const half = (await ask(set, { m: [one, { ...one, ownerId: 'gid://shopify/Order/1' }] })).data.metafieldsSet;
    expect(half.userErrors).toEqual([{ field: ['metafields', '1', 'ownerId'], message: 'Order does not exist' }]);
    expect(order.metafields.map(({ value }) => value)).toEqual(['z']);
    expect(effects).toEqual(['metafield.set', 'metafield.set']);
  });

  it('change and cancel orders, and say what was wrong', async () => {
    const { order, ask, topics } = world();
    const id = gid('Order', order.id);
    const update =
      'mutation($i: OrderInput!) { orderUpdate(input: $i) { order { note tags shippingAddress { country city } } userErrors { field message } } }';
    const shippingAddress = { city: 'Montréal', countryCode: 'CA' };
    expect((await ask(update, { i: { id, note: 'n', tags: ['b', 'a'], shippingAddress } })).data.orderUpdate).toEqual({
      order: { note: 'n', tags: ['a', 'b'], shippingAddress: { country: 'Canada', city: 'Montréal' } },
      userErrors: [],
    });
    expect(topics()).toEqual(['orders/updated']);
    const cancel =
      'mutation($o: ID!) { orderCancel(orderId: $o, reason: CUSTOMER, restock: true) { job { done } orderCancelUserErrors { field message } } }';
    expect((await ask(cancel, { o: id })).data.orderCancel).toEqual({ job: { done: true }, orderCancelUserErrors: [] });
    expect((await ask(cancel, { o: id })).data.orderCancel.orderCancelUserErrors).toMatchObject([
      { field: ['orderId'] },
    ]);
    const event =
      'mutation($e: FulfillmentEventInput!) { fulfillmentEventCreate(fulfillmentEvent: $e) { userErrors { field message } } }';
    expect(
      (await ask(event, { e: { fulfillmentId: 'gid://shopify/Fulfillment/1', status: 'DELIVERED' } })).data
        .fulfillmentEventCreate.userErrors,
    ).toEqual([{ field: ['fulfillmentEvent', 'fulfillmentId'], message: 'Fulfillment does not exist.' }]);
    expect((await ask('{ order(id: "17") { id } }')).errors).toEqual(["Invalid global id '17'"]);
    expect((await ask('{ order(id: "gid://shopify/Order/17") { id } }')).data.order).toBeNull();
  });

  it('keep subscriptions to addresses Shopify would take, and this machine', async () => {
    const { shop, ask } = world();
    const create =
      'mutation($w: WebhookSubscriptionInput!) { webhookSubscriptionCreate(topic: ORDERS_UPDATED, webhookSubscription: $w) { webhookSubscription { id } userErrors { message } } }';
    const errorOf = async (w: object) =>
      (await ask(create, { w })).data.webhookSubscriptionCreate.userErrors[0]?.message;
    expect(await errorOf({ uri: 'http://example.com/x' })).toBe('Address protocol http:// is not supported');
    expect(await errorOf({ uri: 'nonsense' })).toBe('Address is invalid');
    expect(await errorOf({})).toBe("Address can't be blank");
    expect(await errorOf({ uri: 'https://example.com/x' })).toBeUndefined();
    expect(await errorOf({ callbackUrl: 'http://127.0.0.1:1/x' })).toBeUndefined();
    const [{ id }] = (await ask('{ webhookSubscriptions(first: 5) { nodes { id uri topic } } }')).data
      .webhookSubscriptions.nodes;
    await ask(
      'mutation($id: ID!) { webhookSubscriptionDelete(id: $id) { deletedWebhookSubscriptionId userErrors { message } } }',
      { id },
    );
    expect(shop.data.subscriptions.map(({ uri }) => uri)).toEqual(['http://127.0.0.1:1/x']);
  });
});

describe('query cost', () => {
  const costOf = (source: string): number => {
    const document = parse(source);
    const operation = document.definitions.find((node) => node.kind === Kind.OPERATION_DEFINITION)!;
    return requestedCost(document, operation, { n: 100 });
  };

  it('grows with page sizes and nesting, and counts a mutation as ten more', () => {
    expect(costOf('{ shop { name } }')).toBe(1);
    expect(costOf('{ orders(first: 100) { nodes { id } } }')).toBe(11);
    expect(costOf('query($n: Int) { orders(first: $n) { nodes { lineItems(first: $n) { nodes { id } } } } }')).toBe(
      1 + 10 * 11,
    );
    expect(costOf('mutation { tagsAdd(id: "x", tags: []) { node { id } } }')).toBe(12);
  });
});
