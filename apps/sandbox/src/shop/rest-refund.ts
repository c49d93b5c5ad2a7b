// Refunds and their transactions in REST's shape: https://shopify.dev/docs/api/admin-rest/latest/resources/refund
import type { Order, Refund, Transaction } from './model.js';
import { type Bag, decimalsOf, formatMinor, moneyV2, restSet, times } from './money.js';
import { lineOf, restLine, shopAmount } from './rest-parts.js';
import { gid, LOCATION_ID, SHOP_ID } from './shop.js';
import { restTime } from './times.js';

const restTransaction = (order: Order, transaction: Transaction) => ({
  id: transaction.id,
  admin_graphql_api_id: gid('OrderTransaction', transaction.id),
  amount: shopAmount(transaction.amount, order),
  amount_rounding: null,
  authorization: null,
  created_at: restTime(transaction.createdAt),
  currency: order.currency,
  device_id: null,
  error_code: null,
  gateway: transaction.gateway,
  kind: transaction.kind,
  location_id: null,
  manual_payment_gateway: false,
  message: 'Bogus Gateway: Forced success',
  order_id: order.id,
  parent_id: transaction.parentId,
  payment_id: `${order.name}.1`,
  processed_at: restTime(transaction.createdAt),
  receipt: {},
  source_name: 'web',
  status: transaction.status,
  test: false,
  // The one bag of Shopify's REST that says `currency` and one decimal less.
  total_unsettled_set: {
    presentment_money: { amount: moneyV2(0, order.presentmentCurrency).amount, currency: order.presentmentCurrency },
    shop_money: { amount: moneyV2(0, order.currency).amount, currency: order.currency },
  },
  user_id: null,
});

const asNumber = (bag: Bag, order: Order): number => bag[0] / 10 ** decimalsOf(order.currency);

/** A refund inside an order, and the body of refunds/create. */
export const restRefund = (order: Order, refund: Refund) => ({
  id: refund.id,
  admin_graphql_api_id: gid('Refund', refund.id),
  created_at: restTime(refund.createdAt),
  note: refund.note,
  order_id: order.id,
  processed_at: restTime(refund.createdAt),
  restock: refund.lines.some(({ restockType }) => restockType !== 'NO_RESTOCK'),
  total_duties_set: restSet([0, 0], order),
  user_id: SHOP_ID,
  order_adjustments:
    refund.shipping[0] === 0
      ? []
      : [
          {
            id: refund.id + 1,
            amount: `-${shopAmount(refund.shipping, order)}`,
            amount_set: restSet(times(refund.shipping, -1), order),
            kind: 'shipping_refund',
            order_id: order.id,
            reason: 'Shipping refund',
            refund_id: refund.id,
            tax_amount: formatMinor(0, order.currency),
            tax_amount_set: restSet([0, 0], order),
          },
        ],
  transactions: order.transactions
    .filter(({ id }) => refund.transactionIds.includes(id))
    .map((transaction) => restTransaction(order, transaction)),
  refund_line_items: refund.lines.map((line) => ({
    id: line.id,
    line_item: restLine(order, lineOf(order, line.lineId)),
    line_item_id: line.lineId,
    location_id: line.restockType === 'NO_RESTOCK' ? null : LOCATION_ID,
    quantity: line.quantity,
    restock_type: line.restockType.toLowerCase(),
    subtotal: asNumber(line.subtotal, order),
    subtotal_set: restSet(line.subtotal, order),
    total_tax: asNumber(line.tax, order),
    total_tax_set: restSet(line.tax, order),
  })),
  return: null,
  refund_shipping_lines: [],
  duties: [],
});
