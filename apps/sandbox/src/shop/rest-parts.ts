// Parts of the REST-shaped webhook bodies. Sources: https://shopify.dev/docs/api/admin-rest/latest/resources/order,
// .../fulfillment, .../refund, and the JSON Schemas of npm shopify-webhook-schemas (MIT), against which a test checks them.
import { shipmentStatusOf } from './fulfillments.js';
import type { Address, Customer, Fulfillment, FulfillmentEvent, Line, Order, ShippingLine, TaxLine } from './model.js';
import { type Bag, formatMinor, restSet } from './money.js';
import { gid, LOCATION_ID, SHOP_ID } from './shop.js';
import { restTime, restTimeOrNull } from './times.js';
import { fulfillableQuantity, fulfilledQuantity } from './totals.js';

/** The shop side of an amount, as REST's plain fields have it. */
export const shopAmount = (bag: Bag, order: Order): string => formatMinor(bag[0], order.currency);

export const restAddress = (address: Address) => ({
  first_name: address.firstName,
  address1: address.address1,
  phone: address.phone,
  city: address.city,
  zip: address.zip,
  province: address.province,
  country: address.country,
  last_name: address.lastName,
  address2: address.address2,
  company: address.company,
  latitude: null,
  longitude: null,
  name: `${address.firstName} ${address.lastName}`,
  country_code: address.countryCode,
  province_code: address.provinceCode,
});

export function restCustomer(customer: Customer, address: Address, currency: string) {
  const { latitude: _latitude, longitude: _longitude, ...plain } = restAddress(address);
  return {
    id: customer.id,
    created_at: restTime(customer.createdAt),
    updated_at: restTime(customer.createdAt),
    first_name: customer.firstName,
    last_name: customer.lastName,
    state: 'disabled',
    note: null,
    verified_email: true,
    multipass_identifier: null,
    tax_exempt: false,
    email: customer.email,
    phone: customer.phone,
    currency,
    tax_exemptions: [],
    admin_graphql_api_id: gid('Customer', customer.id),
    default_address: {
      ...plain,
      id: address.id,
      customer_id: customer.id,
      country_name: address.country,
      default: true,
    },
  };
}

export const restTax = (tax: TaxLine, order: Order) => ({
  channel_liable: false,
  price: shopAmount(tax.price, order),
  price_set: restSet(tax.price, order),
  rate: tax.rate,
  title: tax.title,
});

/** A line's fulfilment status as REST spells it: null, "partial" or "fulfilled". */
const lineFulfillment = (order: Order, line: Line): string | null => {
  const done = fulfilledQuantity(order, line.id);
  if (done === 0) return null;
  return fulfillableQuantity(order, line.id) > 0 ? 'partial' : 'fulfilled';
};

export const restLine = (order: Order, line: Line, quantity = line.quantity) => ({
  id: line.id,
  admin_graphql_api_id: gid('LineItem', line.id),
  attributed_staffs: [],
  current_quantity: line.currentQuantity,
  fulfillable_quantity: fulfillableQuantity(order, line.id),
  fulfillment_service: 'manual',
  fulfillment_status: lineFulfillment(order, line),
  gift_card: false,
  grams: line.grams,
  name: line.variantTitle === null ? line.title : `${line.title} - ${line.variantTitle}`,
  price: shopAmount(line.unitPrice, order),
  price_set: restSet(line.unitPrice, order),
  product_exists: true,
  product_id: line.productId,
  properties: line.customAttributes.map(({ key, value }) => ({ name: key, value })),
  quantity,
  requires_shipping: true,
  sku: line.sku,
  taxable: true,
  title: line.title,
  total_discount: formatMinor(0, order.currency),
  total_discount_set: restSet([0, 0], order),
  variant_id: line.variantId,
  variant_inventory_management: 'shopify',
  variant_title: line.variantTitle,
  vendor: line.vendor,
  tax_lines: line.taxLines.map((tax) => restTax(tax, order)),
  duties: [],
  discount_allocations: line.allocations.map(({ amount, applicationIndex }) => ({
    amount: shopAmount(amount, order),
    amount_set: restSet(amount, order),
    discount_application_index: applicationIndex,
  })),
});

export const restShippingLine = (order: Order, line: ShippingLine) => ({
  id: line.id,
  carrier_identifier: null,
  code: line.code,
  current_discounted_price_set: restSet(line.price, order),
  discounted_price: shopAmount(line.price, order),
  discounted_price_set: restSet(line.price, order),
  is_removed: false,
  phone: null,
  price: shopAmount(line.price, order),
  price_set: restSet(line.price, order),
  requested_fulfillment_service_id: null,
  source: line.source,
  title: line.title,
  tax_lines: line.taxLines.map((tax) => restTax(tax, order)),
  discount_allocations: [],
});

export const lineOf = (order: Order, lineId: number): Line => order.lines.find(({ id }) => id === lineId)!;

/** A fulfilment inside an order. */
export const restFulfillment = (order: Order, fulfillment: Fulfillment) => ({
  id: fulfillment.id,
  admin_graphql_api_id: gid('Fulfillment', fulfillment.id),
  created_at: restTime(fulfillment.createdAt),
  location_id: LOCATION_ID,
  name: fulfillment.name,
  order_id: order.id,
  origin_address: {},
  receipt: {},
  service: 'manual',
  shipment_status: shipmentStatusOf(fulfillment)?.toLowerCase() ?? null,
  status: fulfillment.status.toLowerCase(),
  tracking_company: fulfillment.company,
  tracking_number: fulfillment.numbers[0] ?? null,
  tracking_numbers: fulfillment.numbers,
  tracking_url: fulfillment.urls[0] ?? null,
  tracking_urls: fulfillment.urls,
  updated_at: restTime(fulfillment.updatedAt),
  line_items: fulfillment.lines.map(({ lineId, quantity }) => restLine(order, lineOf(order, lineId), quantity)),
});

/** The body of fulfillments/create and fulfillments/update. */
export const restFulfillmentBody = (order: Order, fulfillment: Fulfillment) => ({
  ...restFulfillment(order, fulfillment),
  origin_address: null,
  email: order.email,
  destination: restAddress(order.shippingAddress),
});

/** The body of fulfillment_events/create. */
export const restFulfillmentEvent = (order: Order, fulfillment: Fulfillment, event: FulfillmentEvent) => ({
  id: event.id,
  fulfillment_id: fulfillment.id,
  status: event.status.toLowerCase(),
  message: event.message ?? '',
  happened_at: restTime(event.happenedAt),
  city: event.city,
  province: event.province,
  country: event.country ?? '',
  zip: event.zip,
  address1: event.address1,
  latitude: event.latitude,
  longitude: event.longitude,
  shop_id: SHOP_ID,
  created_at: restTime(event.createdAt),
  updated_at: restTime(event.createdAt),
  estimated_delivery_at: restTimeOrNull(event.estimatedDeliveryAt),
  order_id: order.id,
  admin_graphql_api_id: gid('FulfillmentEvent', event.id),
});
