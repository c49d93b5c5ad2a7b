// What an order shows only in part, and what it adds up, over GraphQL.
import { describe, expect, it } from '@jest/globals';
import { askOf } from '../testing/ask.js';
import { quietShop } from '../testing/quiet-shop.js';
import { queryRoot } from './graph-queries.js';
import { refundOrder } from './orders.js';
import { placeOrder } from './place.js';
import { gid } from './shop.js';

function world() {
  const { shop } = quietShop();
  return { shop, ask: askOf(queryRoot(shop, ['read_orders'])) };
}

describe('what is longer than an order shows', () => {
  it('is read refund by refund, and a long refund page by page', async () => {
    const { shop, ask } = world();
    const sku = 'APRON-IND';
    const order = placeOrder(shop, { lines: Array.from({ length: 12 }, () => ({ sku, quantity: 6, price: '1.00' })) });
    for (let n = 0; n < 6; n += 1)
      refundOrder(shop, order, { lines: order.lines.map(({ id }) => ({ id, quantity: 1 })), note: `refund ${n}` });
    const lists = '($id: ID!) { order(id: $id) { some: refunds(first: 5) { id } all: refunds(first: 250) { id } } }';
    const { some, all } = (await ask(`query${lists}`, { id: gid('Order', order.id) })).data.order;
    expect(all.slice(0, 5)).toEqual(some);
    expect(all).toHaveLength(6);
    const page = async (after: string | null) =>
      (
        await ask(
          `query($id: ID!, $after: String) { refund(id: $id) {
             note refundLineItems(first: 10, after: $after) { nodes { quantity lineItem { id } } pageInfo { hasNextPage endCursor } } } }`,
          { id: all[5].id, after },
        )
      ).data.refund;
    const first = await page(null);
    const second = await page(first.refundLineItems.pageInfo.endCursor);
    expect([first.note, first.refundLineItems.pageInfo.hasNextPage]).toEqual(['refund 5', true]);
    expect(second.refundLineItems.pageInfo.hasNextPage).toBe(false);
    expect([...first.refundLineItems.nodes, ...second.refundLineItems.nodes]).toEqual(
      order.lines.map(({ id }) => ({ quantity: 1, lineItem: { id: gid('LineItem', id) } })),
    );
  });
});

describe('taxes', () => {
  it("of an order are its lines' taxes, one sum for each title and rate", async () => {
    const { shop, ask } = world();
    const lines = ['48.00', '9.60', '1.60'].map((price) => ({ sku: 'APRON-IND', price }));
    const order = placeOrder(shop, { lines, presentmentCurrency: 'EUR' });
    order.lines[2]!.taxLines.push({ title: 'State Tax', rate: 0.02, price: [3, 3] });
    order.shippingLines[0]!.taxLines.push({ title: 'City Tax', rate: 0.0625, price: [49, 45] });
    const { taxLines, totalTaxSet } = (
      await ask(
        `query($id: ID!) { order(id: $id) {
           taxLines { title rate priceSet { shopMoney { amount } presentmentMoney { amount } } } totalTaxSet { shopMoney { amount } } } }`,
        { id: gid('Order', order.id) },
      )
    ).data.order;
    const money = (shopAmount: string, presentment: string) => ({
      shopMoney: { amount: shopAmount },
      presentmentMoney: { amount: presentment },
    });
    // 6.25 % of 48.00, 9.60 and 1.60: 3.00 + 0.60 + 0.10; in euros 2.76 + 0.55 + 0.09
    expect(taxLines).toEqual([
      { title: 'State Tax', rate: 0.0625, priceSet: money('3.7', '3.4') },
      { title: 'State Tax', rate: 0.02, priceSet: money('0.03', '0.03') },
      { title: 'City Tax', rate: 0.0625, priceSet: money('0.49', '0.45') },
    ]);
    expect(totalTaxSet.shopMoney.amount).toBe('4.22');
  });
});
