import type { OrderTruth } from './sandbox.js';
import { instant, money, moneyOf, one, type Row, same, type Warehouse } from './truth-rows.js';

const orderMeans: Readonly<Record<string, string>> = {
  UNFULFILLED: 'unfulfilled',
  PARTIALLY_FULFILLED: 'partial',
  FULFILLED: 'fulfilled',
};

/** An order of the shop and its row. */
export function compareOrder(order: OrderTruth, rows: Warehouse, found: string[]): void {
  const where = `order ${order.name}`;
  const row = one(found, where, rows.orders.get(`shop/${order.id}`));
  if (row === null) return;
  const twoCurrencies = order.presentmentCurrency !== order.currency;
  const { totals, shippingAddress: to } = order;
  same(
    found,
    where,
    {
      name: order.name,
      email: order.email,
      status: order.cancelledAt === null ? 'open' : 'cancelled',
      financial_status: order.financialStatus.toLowerCase(),
      fulfillment_status: orderMeans[order.fulfillmentStatus],
      placed_at: instant(order.createdAt),
      cancelled_at: instant(order.cancelledAt),
      cancel_reason: order.cancelReason?.toLowerCase() ?? null,
      currency: order.currency,
      presentment_currency: order.presentmentCurrency,
      tags: [...new Set(order.tags)].sort(),
      shipping_city: to.city,
      shipping_region: to.provinceCode,
      shipping_postal_code: to.zip,
      shipping_country: to.countryCode,
    },
    row,
  );
  same(
    found,
    where,
    { note: order.note, attributes: order.customAttributes.map(({ key, value }) => ({ name: key, value })) },
    {
      note: row.record.data.note,
      attributes: row.record.data.attributes?.map(({ name, value }: Row) => ({ name, value })),
    },
  );
  same(
    found,
    where,
    {
      ...money('subtotal', totals.subtotal.shop),
      ...money('shipping_total', totals.shipping.shop),
      ...money('tax_total', totals.tax.shop),
      ...money('discount_total', totals.discounts.shop),
      ...money('total', totals.total.shop),
      // The shop's webhooks do not tell in which of two currencies a refund was.
      ...money('refunded_total', twoCurrencies ? null : totals.refunded.shop),
      ...money('presentment_total', twoCurrencies ? totals.total.presentment : null),
    },
    moneyOf(
      row,
      'subtotal',
      'shipping_total',
      'tax_total',
      'discount_total',
      'total',
      'refunded_total',
      'presentment_total',
    ),
  );
  compareLines(order, row, rows, found);
}

function compareLines(order: OrderTruth, row: Row, rows: Warehouse, found: string[]): void {
  const lines = new Map((rows.lines.get(row.id) ?? []).map((line) => [line.line_id, line]));
  if (lines.size !== order.lines.length)
    found.push(`order ${order.name}: ${order.lines.length} lines, ${lines.size} in the warehouse`);
  for (const line of order.lines) {
    const is = lines.get(String(line.id));
    if (is === undefined) {
      found.push(`order ${order.name}: line ${line.id} is missing`);
      continue;
    }
    same(
      found,
      `order ${order.name}, line ${line.sku}`,
      {
        sku: line.sku,
        title: line.title,
        quantity: line.quantity,
        current_quantity: line.currentQuantity,
        currency: order.currency,
        ...money('unit_price', line.unitPrice.shop),
      },
      { ...is, ...moneyOf(is, 'unit_price') },
    );
  }
  const refunds = (row.record.data.refunds ?? []).map((r: Row) => [
    r.refundId,
    r.lines.map((l: Row) => [l.lineId, l.quantity]),
  ]);
  const expected = order.refunds.map((r) => [String(r.id), r.lines.map((l) => [String(l.lineId), l.quantity])]);
  same(found, `order ${order.name}`, { refunds: expected }, { refunds });
}
