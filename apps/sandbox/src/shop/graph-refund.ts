// Transactions and refunds of the Admin schema.
import { listConnection, type PageArgs } from './connection.js';
import { legacyId, lineNode, shippingLineNode } from './graph-parts.js';
import type { Order, Refund, Transaction } from './model.js';
import { type Bag, moneyBag, times, ZERO } from './money.js';
import { gid, LOCATION_ID } from './shop.js';
import { graphTime } from './times.js';

export const transactionNode =
  (order: Order) =>
  (transaction: Transaction): object => ({
    __typename: 'OrderTransaction',
    id: gid('OrderTransaction', transaction.id),
    kind: transaction.kind.toUpperCase(),
    status: transaction.status.toUpperCase(),
    gateway: transaction.gateway,
    formattedGateway: 'Bogus',
    amountSet: moneyBag(transaction.amount, order),
    createdAt: graphTime(transaction.createdAt),
    processedAt: graphTime(transaction.createdAt),
    errorCode: null,
    test: false,
    manualPaymentGateway: false,
    paymentId: `${order.name}.1`,
    authorizationExpiresAt: null,
    parentTransaction: () => {
      const parent = order.transactions.find(({ id }) => id === transaction.parentId);
      return parent ? transactionNode(order)(parent) : null;
    },
  });

export function refundNode(order: Order, refund: Refund) {
  const transactions = order.transactions.filter(({ id }) => refund.transactionIds.includes(id));
  const total = transactions.reduce<Bag>((sum, { amount }) => [sum[0] + amount[0], sum[1] + amount[1]], ZERO);
  return {
    __typename: 'Refund',
    id: gid('Refund', refund.id),
    legacyResourceId: legacyId(refund.id),
    note: refund.note,
    createdAt: graphTime(refund.createdAt),
    updatedAt: graphTime(refund.createdAt),
    processedAt: graphTime(refund.createdAt),
    totalRefundedSet: moneyBag(total, order),
    duties: [],
    return: null,
    transactions: (args: PageArgs) => listConnection(transactions, args, transactionNode(order)),
    orderAdjustments: (args: PageArgs) => listConnection([], args, () => null),
    refundShippingLines: (args: PageArgs) =>
      listConnection(refund.shipping[0] === 0 ? [] : order.shippingLines, args, (line) => ({
        id: gid('RefundShippingLine', refund.id),
        shippingLine: shippingLineNode(order)(line),
        subtotalAmountSet: moneyBag(refund.shipping, order),
        taxAmountSet: moneyBag(ZERO, order),
      })),
    refundLineItems: (args: PageArgs) =>
      listConnection(refund.lines, args, (line) => ({
        id: gid('RefundLineItem', line.id),
        quantity: line.quantity,
        restockType: line.restockType,
        restocked: line.restockType !== 'NO_RESTOCK',
        location: line.restockType === 'NO_RESTOCK' ? null : { id: gid('Location', LOCATION_ID) },
        priceSet: moneyBag(times(line.subtotal, 1 / line.quantity), order),
        subtotalSet: moneyBag(line.subtotal, order),
        totalTaxSet: moneyBag(line.tax, order),
        lineItem: lineNode(order, order.lines.find(({ id }) => id === line.lineId)!),
      })),
  };
}
