import { describe, expect, it } from '@jest/globals';
import { quietShop } from '../testing/quiet-shop.js';
import { addFulfillmentEvent, cancelFulfillment, createFulfillment, displayStatusOf } from './fulfillments.js';
import { cancelOrder, changeTags, editOrder, payOrder, refundOrder } from './orders.js';
import { placeOrder } from './place.js';
import { financialStatusOf, fulfillableQuantity, fulfillmentStatusOf, totalsOf } from './totals.js';

const LINES = [
  { sku: 'APRON-IND', quantity: 2, price: '48.00' },
  { sku: 'HOOK-BR-S', quantity: 1, price: '9.50' },
];

const placed = (payment: 'paid' | 'authorized' | 'pending' = 'paid', more: object = {}) => {
  const quiet = quietShop();
  const order = placeOrder(quiet.shop, { lines: LINES, payment, ...more });
  return { ...quiet, order, open: order.fulfillmentOrders[0]! };
};

describe('placing', () => {
  it('adds up in both currencies', () => {
    const { order } = placed('paid', { presentmentCurrency: 'JPY', discountCode: 'TEN', shippingPrice: '7.90' });
    // 105.50 - 10 % = 94.95; tax 6.25 % of each line: 86.40 -> 5.40, 8.55 -> 0.53; shipping 7.90
    expect(totalsOf(order)).toMatchObject({
      lineItems: [10_550, 15_772],
      discounts: [1_055, 1_577],
      subtotal: [9_495, 14_195],
    });
    expect(totalsOf(order).tax[0]).toBe(593);
    expect(totalsOf(order).total[0]).toBe(9_495 + 593 + 790);
  });

  it('announces one creation, and the payment with it', () => {
    expect(placed('paid').topics()).toEqual(['orders/create', 'orders/paid']);
    expect(placed('authorized').topics()).toEqual(['orders/create']);
  });
});

describe('money', () => {
  it('moves from authorized to paid to partly refunded to refunded', () => {
    const { shop, order } = placed('authorized');
    expect(financialStatusOf(order)).toBe('AUTHORIZED');
    payOrder(shop, order);
    expect(financialStatusOf(order)).toBe('PAID');
    expect(() => payOrder(shop, order)).toThrow('already paid');
    refundOrder(shop, order, { lines: [{ sku: 'APRON-IND', quantity: 1 }] });
    expect(financialStatusOf(order)).toBe('PARTIALLY_REFUNDED');
    expect(totalsOf(order).refunded[0]).toBe(4_800 + 300);
    refundOrder(shop, order, { shipping: '7.90' });
    expect(financialStatusOf(order)).toBe('REFUNDED');
    expect(totalsOf(order)).toMatchObject({ currentTotal: [0, 0], net: [0, 0], outstanding: [0, 0] });
  });

  it('refuses to refund more than is left', () => {
    const { shop, order } = placed();
    expect(() => refundOrder(shop, order, { lines: [{ sku: 'HOOK-BR-S', quantity: 2 }] })).toThrow(
      'Only 1 of HOOK-BR-S',
    );
  });

  it('is voided when an authorized order is cancelled, returned when a paid one is', () => {
    const authorized = placed('authorized');
    cancelOrder(authorized.shop, authorized.order, 'FRAUD', true);
    expect(financialStatusOf(authorized.order)).toBe('VOIDED');
    const paid = placed('paid');
    cancelOrder(paid.shop, paid.order, 'CUSTOMER', true);
    expect(financialStatusOf(paid.order)).toBe('REFUNDED');
    expect(totalsOf(paid.order).currentTotal).toEqual([0, 0]);
    const [back] = paid.order.refunds;
    expect(back!.lines.map(({ lineId, quantity }) => [lineId, quantity])).toEqual(
      paid.order.lines.map(({ id, quantity }) => [id, quantity]),
    );
    expect(paid.order.transactions.filter(({ id }) => back!.transactionIds.includes(id))).toMatchObject([
      { kind: 'refund', amount: totalsOf(paid.order).total },
    ]);
    expect(() => cancelOrder(paid.shop, paid.order, 'CUSTOMER', true)).toThrow('already canceled');
  });
});

describe('edits', () => {
  it('raise both quantities and lower only the current one', () => {
    const { shop, order, topics } = placed();
    const line = order.lines[0]!;
    topics();
    editOrder(shop, order, { lines: [{ sku: 'APRON-IND', quantity: 3 }] });
    expect([line.quantity, line.currentQuantity, fulfillableQuantity(order, line.id)]).toEqual([3, 3, 3]);
    expect(topics()).toEqual(['orders/updated', 'orders/edited']);
    editOrder(shop, order, { lines: [{ sku: 'APRON-IND', quantity: 1 }] });
    expect([line.quantity, line.currentQuantity, fulfillableQuantity(order, line.id)]).toEqual([3, 1, 1]);
  });

  it('of tags are sets: nothing new says nothing', () => {
    const { shop, order, topics } = placed();
    topics();
    changeTags(shop, order, ['b', ' a '], []);
    changeTags(shop, order, ['a'], ['c']);
    expect(order.tags).toEqual(['a', 'b']);
    expect(topics()).toEqual(['orders/updated']);
  });
});

describe('fulfilments', () => {
  it('take what they say, in parts, and no more', () => {
    const { shop, order, open, topics } = placed();
    topics();
    createFulfillment(shop, order, [{ fulfillmentOrder: open, lines: [{ id: open.lines[0]!.id, quantity: 1 }] }]);
    expect([fulfillmentStatusOf(order), open.status]).toEqual(['PARTIALLY_FULFILLED', 'IN_PROGRESS']);
    expect(topics()).toEqual(['fulfillments/create', 'orders/partially_fulfilled', 'orders/updated']);
    const tooMany = [{ fulfillmentOrder: open, lines: [{ id: open.lines[0]!.id, quantity: 2 }] }];
    expect(() => createFulfillment(shop, order, tooMany)).toThrow('Invalid fulfillment order line item quantity');
    createFulfillment(shop, order, [{ fulfillmentOrder: open }]);
    expect([fulfillmentStatusOf(order), open.status]).toEqual(['FULFILLED', 'CLOSED']);
    expect(() => createFulfillment(shop, order, [{ fulfillmentOrder: open }])).toThrow('unfulfillable status= closed.');
    expect(() => cancelOrder(shop, order, 'OTHER', false)).toThrow('has fulfillments');
  });

  it('count a fulfilment order once, however many parts name it', () => {
    const { shop, order, open } = placed();
    const [aprons, hooks] = open.lines.map(({ id }) => id);
    const part = (id: number | undefined, quantity: number) => ({
      fulfillmentOrder: open,
      lines: [{ id: id!, quantity }],
    });
    createFulfillment(shop, order, [part(aprons, 1), part(hooks, 1)]);
    expect(open.lines.map(({ remaining }) => remaining)).toEqual([1, 0]);
    expect([fulfillmentStatusOf(order), open.status]).toEqual(['PARTIALLY_FULFILLED', 'IN_PROGRESS']);
    expect(() => createFulfillment(shop, order, [part(aprons, 1), part(aprons, 1)])).toThrow('Invalid fulfillment');
    expect(open.lines.map(({ remaining }) => remaining)).toEqual([1, 0]);
    createFulfillment(shop, order, [part(aprons, 1)]);
    expect([fulfillmentStatusOf(order), open.status]).toEqual(['FULFILLED', 'CLOSED']);
  });

  it('show the newest event by its own time, whatever came last', () => {
    const { shop, order, open } = placed();
    const fulfillment = createFulfillment(shop, order, [{ fulfillmentOrder: open }], { number: '1', company: 'USPS' });
    expect(displayStatusOf(fulfillment)).toBe('FULFILLED');
    addFulfillmentEvent(shop, order, fulfillment, { status: 'DELIVERED', happenedAt: 2_000 });
    addFulfillmentEvent(shop, order, fulfillment, { status: 'IN_TRANSIT', happenedAt: 1_000 });
    expect(displayStatusOf(fulfillment)).toBe('DELIVERED');
  });

  it('give their goods back when cancelled', () => {
    const { shop, order, open } = placed();
    const fulfillment = createFulfillment(shop, order, [{ fulfillmentOrder: open }]);
    cancelFulfillment(shop, order, fulfillment);
    expect(fulfillmentStatusOf(order)).toBe('UNFULFILLED');
    expect(order.fulfillmentOrders.at(-1)).toMatchObject({
      status: 'OPEN',
      lines: [{ remaining: 2 }, { remaining: 1 }],
    });
  });
});
