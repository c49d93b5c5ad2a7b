import { listConnection, type PageArgs } from './connection.js';
import { fulfillmentNode, fulfillmentOrderNode, fulfillmentOrdersOf } from './graph-fulfillment.js';
import {
  addressNode,
  attributeNode,
  customerNode,
  discountNode,
  legacyId,
  lineNode,
  metafieldNode,
  shippingLineNode,
  taxNode,
} from './graph-parts.js';
import { refundNode, transactionNode } from './graph-refund.js';
import type { Order } from './model.js';
import { type Bag, moneyBag, ZERO } from './money.js';
import { gid, SHOP_DOMAIN, SHOP_ID } from './shop.js';
import { graphTime, graphTimeOrNull } from './times.js';
import { financialStatusOf, fulfillmentStatusOf, orderTaxes, totalsOf } from './totals.js';

/** The namespace of metafields set without one: the app's own. */
export const APP_NAMESPACE = 'app--580111';

function sums(order: Order) {
  const totals = totalsOf(order);
  const bag = (amount: Bag) => moneyBag(amount, order);
  return {
    subtotalPriceSet: bag(totals.subtotal),
    totalPriceSet: bag(totals.total),
    originalTotalPriceSet: bag(totals.total),
    totalTaxSet: bag(totals.tax),
    totalDiscountsSet: bag(totals.discounts),
    cartDiscountAmountSet: bag(totals.discounts),
    totalShippingPriceSet: bag(totals.shipping),
    totalReceivedSet: bag(totals.received),
    totalRefundedSet: bag(totals.refunded),
    totalRefundedShippingSet: bag(totals.shippingRefunded),
    totalOutstandingSet: bag(totals.outstanding),
    totalTipReceivedSet: bag(ZERO),
    totalCapturableSet: bag(financialStatusOf(order) === 'AUTHORIZED' ? totals.total : ZERO),
    netPaymentSet: bag(totals.net),
    refundDiscrepancySet: bag(ZERO),
    currentSubtotalPriceSet: bag(totals.currentSubtotal),
    currentTotalPriceSet: bag(totals.currentTotal),
    currentTotalTaxSet: bag(totals.currentTax),
    currentTotalDiscountsSet: bag(totals.currentDiscounts),
    currentCartDiscountAmountSet: bag(totals.currentDiscounts),
    currentShippingPriceSet: bag(totals.currentShipping),
    currentTotalDutiesSet: null,
    currentTotalAdditionalFeesSet: null,
    originalTotalDutiesSet: null,
    originalTotalAdditionalFeesSet: null,
    totalWeight: String(totals.grams),
    currentTotalWeight: String(totals.grams),
    subtotalLineItemsQuantity: totals.quantity,
    currentSubtotalLineItemsQuantity: totals.currentQuantity,
  };
}

/** What this shop never fills. */
const ABSENT = {
  app: null,
  closed: false,
  closedAt: null,
  cartToken: null,
  checkoutToken: null,
  clientIp: null,
  customerJourneySummary: null,
  paymentTerms: null,
  physicalLocation: null,
  publication: null,
  purchasingEntity: null,
  registeredSourceUrl: null,
  retailLocation: null,
  returnStatus: 'NO_RETURN',
  sourceIdentifier: null,
  sourceName: 'web',
  staffMember: null,
  test: false,
  dutiesIncluded: false,
  estimatedTaxes: false,
  taxExempt: false,
  confirmed: true,
  customerLocale: 'en',
  customerAcceptsMarketing: false,
  requiresShipping: true,
  additionalFees: [],
  alerts: [],
  disputes: [],
} as const;

function states(order: Order) {
  const financial = financialStatusOf(order);
  return {
    displayFinancialStatus: financial,
    displayFulfillmentStatus: fulfillmentStatusOf(order),
    fullyPaid: financial === 'PAID',
    unpaid: financial === 'PENDING' || financial === 'AUTHORIZED',
    capturable: financial === 'AUTHORIZED',
    canMarkAsPaid: financial === 'PENDING',
    refundable: financial === 'PAID' || financial === 'PARTIALLY_REFUNDED',
    edited: order.lines.some((line) => line.currentQuantity !== line.quantity),
  };
}

/** What happened to the order, oldest first: plain lists in Shopify's schema, not connections. */
const histories = (order: Order) => ({
  transactions: ({ first }: { first?: number | null }) =>
    order.transactions.slice(0, first ?? undefined).map(transactionNode(order)),
  transactionsCount: { count: order.transactions.length, precision: 'EXACT' },
  refunds: ({ first }: { first?: number | null }) =>
    order.refunds.slice(0, first ?? undefined).map((refund) => refundNode(order, refund)),
  fulfillments: ({ first }: { first?: number | null }) =>
    order.fulfillments
      .slice(0, first ?? undefined)
      .map((fulfillment) => fulfillmentNode(order, fulfillment, orderNode)),
  fulfillmentsCount: { count: order.fulfillments.length, precision: 'EXACT' },
});

/** An Order of the Admin schema. */
export function orderNode(order: Order): object {
  const codes = order.discounts.filter(({ type }) => type === 'discount_code').map(({ title }) => title);
  const metafields = (namespace?: string | null, keys?: readonly string[] | null) =>
    order.metafields.filter(
      (field) =>
        (!namespace || field.namespace === namespace) &&
        (!keys?.length || keys.includes(`${field.namespace}.${field.key}`) || keys.includes(field.key)),
    );
  return {
    ...ABSENT,
    ...sums(order),
    __typename: 'Order',
    id: gid('Order', order.id),
    legacyResourceId: legacyId(order.id),
    name: order.name,
    number: order.number,
    confirmationNumber: order.token.slice(0, 9).toUpperCase(),
    createdAt: graphTime(order.createdAt),
    processedAt: graphTime(order.createdAt),
    updatedAt: graphTime(order.updatedAt),
    cancelledAt: graphTimeOrNull(order.cancelledAt),
    cancelReason: order.cancelReason,
    cancellation: order.cancelledAt === null ? null : { staffNote: null },
    currencyCode: order.currency,
    presentmentCurrencyCode: order.presentmentCurrency,
    taxesIncluded: order.taxesIncluded,
    email: order.email,
    phone: order.phone,
    note: order.note,
    poNumber: order.poNumber,
    tags: order.tags,
    customAttributes: order.customAttributes.map(attributeNode),
    discountCode: codes[0] ?? null,
    discountCodes: codes,
    ...states(order),
    paymentGatewayNames: order.transactions.length > 0 ? ['bogus'] : [],
    statusPageUrl: () => `https://${SHOP_DOMAIN}/${SHOP_ID}/orders/${order.token}/authenticate`,
    billingAddress: addressNode(order.billingAddress),
    shippingAddress: addressNode(order.shippingAddress),
    displayAddress: addressNode(order.shippingAddress),
    billingAddressMatchesShippingAddress: true,
    customer: customerNode(order.customer),
    taxLines: () => orderTaxes(order).map(taxNode(order)),
    shippingLine: order.shippingLines[0] ? shippingLineNode(order)(order.shippingLines[0]) : null,
    shippingLines: (args: PageArgs) => listConnection(order.shippingLines, args, shippingLineNode(order)),
    lineItems: (args: PageArgs) => listConnection(order.lines, args, (line) => lineNode(order, line)),
    discountApplications: (args: PageArgs) =>
      listConnection(
        order.discounts.map((_, id) => ({ id })),
        args,
        ({ id }) => discountNode(order, id),
      ),
    ...histories(order),
    fulfillmentOrders: (args: PageArgs & { query?: string | null }) =>
      listConnection(fulfillmentOrdersOf(order, args.query), args, (item) =>
        fulfillmentOrderNode(order, item, orderNode),
      ),
    metafield: ({ namespace, key }: { namespace?: string | null; key: string }) => {
      const found = metafields(namespace ?? APP_NAMESPACE, [key])[0];
      return found ? metafieldNode(found) : null;
    },
    metafields: (args: PageArgs & { namespace?: string | null; keys?: string[] | null }) =>
      listConnection(metafields(args.namespace, args.keys), args, metafieldNode),
  };
}
