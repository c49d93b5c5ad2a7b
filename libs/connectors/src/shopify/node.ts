import { eventless } from './statuses.js';
import { id, number, object, objects, text, type Wire } from './wire.js';

/**
 * GraphQL nodes written as the REST bodies webhooks carry, so that one mapping serves both and the two can never disagree
 * about a field. Only what the mapping reads is written; amounts keep their MoneyBag, which `parts.bag` understands.
 */

const lower = (value: unknown): string | null => text(value)?.toLowerCase() ?? null;
const nodes = (connection: unknown): Wire[] => objects(object(connection).nodes);

const gramsPer: Readonly<Record<string, number>> = {
  GRAMS: 1,
  KILOGRAMS: 1000,
  OUNCES: 28.349523125,
  POUNDS: 453.59237,
};

function grams(weight: unknown): number | null {
  const { unit, value } = object(weight);
  const amount = number(value);
  const factor = typeof unit === 'string' && Object.hasOwn(gramsPer, unit) ? gramsPer[unit] : undefined;
  return amount === null || factor === undefined ? null : Math.round(amount * factor);
}

const address = (value: unknown): Wire | null => {
  if (typeof value !== 'object' || value === null) return null;
  const node = value as Wire;
  return {
    name: node.name,
    company: node.company,
    address1: node.address1,
    address2: node.address2,
    city: node.city,
    province: node.province,
    province_code: node.provinceCode,
    zip: node.zip,
    country: node.country,
    country_code: node.countryCodeV2,
    phone: node.phone,
  };
};

const allocation = (node: Wire): Wire => ({
  amount_set: node.allocatedAmountSet,
  discount_application_index: object(node.discountApplication).index,
});

/** How far a line is, as REST says it: null, "partial" or "fulfilled". */
function lineStatus(lineId: string | null, open: unknown, fulfilled: ReadonlyMap<string, number>): string | null {
  if ((fulfilled.get(lineId ?? '') ?? 0) === 0) return null;
  return (number(open) ?? 0) > 0 ? 'partial' : 'fulfilled';
}

const line =
  (fulfilled: ReadonlyMap<string, number>) =>
  (node: Wire): Wire => ({
    id: id(node.id),
    product_id: id(object(node.product).id),
    variant_id: id(object(node.variant).id),
    sku: node.sku,
    title: node.title,
    variant_title: node.variantTitle,
    vendor: node.vendor,
    quantity: node.quantity,
    current_quantity: node.currentQuantity,
    price_set: node.originalUnitPriceSet,
    discount_allocations: objects(node.discountAllocations).map(allocation),
    tax_lines: node.taxLines,
    requires_shipping: node.requiresShipping,
    taxable: node.taxable,
    gift_card: node.isGiftCard,
    grams: grams(node.weight),
    fulfillment_status: lineStatus(id(node.id), node.unfulfilledQuantity, fulfilled),
    properties: node.customAttributes,
  });

const shippingLine = (node: Wire): Wire => ({
  code: node.code,
  title: node.title,
  carrier_identifier: node.carrierIdentifier,
  price_set: node.originalPriceSet,
  discount_allocations: objects(node.discountAllocations).map(allocation),
  tax_lines: node.taxLines,
});

const discountTypes: Readonly<Record<string, string>> = {
  DiscountCodeApplication: 'discount_code',
  AutomaticDiscountApplication: 'automatic',
  ManualDiscountApplication: 'manual',
  ScriptDiscountApplication: 'script',
};

const discountType = (name: string | null): string | null =>
  name !== null && Object.hasOwn(discountTypes, name) ? (discountTypes[name] ?? name) : name;

function discountApplication(node: Wire): Wire {
  const value = object(node.value);
  const percentage = number(value.percentage);
  return {
    type: discountType(text(node.__typename)),
    code: node.code,
    title: node.title,
    description: node.description,
    value: percentage ?? value.amount,
    value_type: percentage === null ? 'fixed_amount' : 'percentage',
  };
}

const transaction = (node: Wire): Wire => {
  const shop = object(object(node.amountSet).shopMoney);
  return { kind: lower(node.kind), status: lower(node.status), amount: shop.amount, currency: shop.currencyCode };
};

const refund = (node: Wire): Wire => ({
  id: id(node.id),
  created_at: node.createdAt ?? node.processedAt,
  note: node.note,
  transactions: nodes(node.transactions).map(transaction),
  refund_line_items: nodes(node.refundLineItems).map((item) => ({
    line_item_id: id(object(item.lineItem).id),
    quantity: item.quantity,
    subtotal_set: item.subtotalSet,
  })),
});

/** A Fulfillment node as REST's fulfilment; `order` is the order it stands in, where it does not name one itself. */
export function fulfillmentFromNode(node: Wire, order: Wire = object(node.order)): Wire {
  const tracking = objects(node.trackingInfo);
  const display = text(node.displayStatus);
  const numbers = tracking.map((t) => t.number).filter((n) => text(n) !== null);
  const urls = tracking.map((t) => t.url).filter((u) => text(u) !== null);
  return {
    id: id(node.id),
    order_id: id(order.id),
    name: node.name,
    created_at: node.createdAt,
    updated_at: node.updatedAt,
    status: lower(node.status),
    shipment_status: display === null || eventless.has(display) ? null : display.toLowerCase(),
    tracking_company: tracking[0]?.company ?? null,
    tracking_number: numbers[0] ?? null,
    tracking_numbers: numbers,
    tracking_url: urls[0] ?? null,
    tracking_urls: urls,
    line_items: nodes(node.fulfillmentLineItems).map((item) => {
      const inner = object(item.lineItem);
      return { id: id(inner.id), sku: inner.sku, title: inner.title, quantity: item.quantity };
    }),
  };
}

/** Units of each line in fulfilments that stand. */
function fulfilledUnits(fulfillments: readonly Wire[]): Map<string, number> {
  const units = new Map<string, number>();
  for (const parcel of fulfillments)
    if (parcel.status === 'success' || parcel.status === 'open' || parcel.status === 'pending')
      for (const item of objects(parcel.line_items)) {
        const key = text(item.id) ?? 'none';
        units.set(key, (units.get(key) ?? 0) + (number(item.quantity) ?? 0));
      }
  return units;
}

/**
 * REST's word for an OrderDisplayFulfillmentStatus. REST knows only how much was fulfilled: of the words that tell something
 * else (on hold, scheduled, in progress) it is read off the fulfilments.
 */
function fulfillmentWord(display: string | null, units: ReadonlyMap<string, number>): string | null {
  if (display === 'FULFILLED') return 'fulfilled';
  if (display === 'PARTIALLY_FULFILLED') return 'partial';
  if (display === 'RESTOCKED') return 'restocked';
  if (display === 'UNFULFILLED' || display === 'OPEN') return null;
  const known = ['IN_PROGRESS', 'ON_HOLD', 'PENDING_FULFILLMENT', 'REQUEST_DECLINED', 'SCHEDULED'];
  if (display !== null && !known.includes(display)) return display.toLowerCase();
  return units.size > 0 ? 'partial' : null;
}

/** The sums and plain fields of an order. */
const orderHead = (node: Wire): Wire => ({
  id: id(node.id),
  name: node.name,
  created_at: node.createdAt,
  processed_at: node.processedAt,
  updated_at: node.updatedAt,
  cancelled_at: node.cancelledAt,
  cancel_reason: lower(node.cancelReason),
  closed_at: node.closedAt,
  currency: node.currencyCode,
  presentment_currency: node.presentmentCurrencyCode,
  taxes_included: node.taxesIncluded,
  subtotal_price_set: node.subtotalPriceSet,
  total_discounts_set: node.totalDiscountsSet,
  total_shipping_price_set: node.totalShippingPriceSet,
  total_tax_set: node.totalTaxSet,
  total_price_set: node.totalPriceSet,
  financial_status: lower(node.displayFinancialStatus),
  email: node.email,
  phone: node.phone,
  billing_address: address(node.billingAddress),
  shipping_address: address(node.shippingAddress),
  tags: node.tags,
  note_attributes: node.customAttributes,
  note: node.note,
  source_name: node.sourceName,
  customer_locale: node.customerLocale,
  payment_gateway_names: node.paymentGatewayNames,
  test: node.test,
  tax_lines: node.taxLines,
});

function customer(value: unknown): Wire | null {
  if (typeof value !== 'object' || value === null) return null;
  const node = value as Wire;
  return {
    id: id(node.id),
    first_name: node.firstName,
    last_name: node.lastName,
    email: object(node.defaultEmailAddress).emailAddress ?? null,
    phone: object(node.defaultPhoneNumber).phoneNumber ?? null,
  };
}

/** An Order node as REST's order. */
export function orderFromNode(node: Wire): Wire {
  const fulfillments = objects(node.fulfillments).map((parcel) => fulfillmentFromNode(parcel, node));
  const units = fulfilledUnits(fulfillments);
  return {
    ...orderHead(node),
    fulfillment_status: fulfillmentWord(text(node.displayFulfillmentStatus), units),
    customer: customer(node.customer),
    line_items: nodes(node.lineItems).map(line(units)),
    shipping_lines: nodes(node.shippingLines).map(shippingLine),
    discount_applications: nodes(node.discountApplications).map(discountApplication),
    refunds: objects(node.refunds).map(refund),
    fulfillments,
  };
}

/** Whether a body is a GraphQL node: those name themselves by global ids. */
export const isNode = (body: Wire): boolean => typeof body.id === 'string' && body.id.startsWith('gid://');
