import { z } from 'zod';
import { CATALOGUE, somebody } from './catalogue.js';
import type { Address, Customer, Discount, Line, Order } from './model.js';
import { bagOf, type Currencies, subtract, times, toMinor, ZERO } from './money.js';
import { addTransaction, sortedTags } from './orders.js';
import { nowSecond, SHOP_CURRENCY, type Shop, tokenOf } from './shop.js';
import { totalsOf } from './totals.js';

/** Units of a currency for one US dollar: fixed, so that the same seed gives the same amounts. */
const RATES: Readonly<Record<string, number>> = { USD: 1, CAD: 1.36, EUR: 0.92, GBP: 0.79, JPY: 149.5 };

export const addressSpec = z.strictObject({
  firstName: z.string().optional(),
  lastName: z.string().optional(),
  company: z.string().nullable().optional(),
  address1: z.string().optional(),
  address2: z.string().nullable().optional(),
  city: z.string().optional(),
  province: z.string().optional(),
  provinceCode: z.string().optional(),
  country: z.string().optional(),
  countryCode: z.string().length(2).optional(),
  zip: z.string().optional(),
  phone: z.string().optional(),
});

/** What a caller may fix of a new order; the rest comes out of the generator. Amounts are strings like "12.50". */
export const orderSpec = z.strictObject({
  email: z.string().optional(),
  firstName: z.string().optional(),
  lastName: z.string().optional(),
  lines: z
    .array(
      z.strictObject({
        sku: z.string().optional(),
        title: z.string().optional(),
        quantity: z.number().int().positive().default(1),
        price: z.string().optional(),
        customAttributes: z.array(z.strictObject({ key: z.string(), value: z.string() })).default([]),
      }),
    )
    .min(1)
    .optional(),
  presentmentCurrency: z.enum(['USD', 'CAD', 'EUR', 'GBP', 'JPY']).optional(),
  taxesIncluded: z.boolean().default(false),
  discountCode: z.string().optional(),
  discountPercent: z.number().positive().max(100).default(10),
  shippingPrice: z.string().default('7.90'),
  payment: z.enum(['pending', 'authorized', 'paid']).default('paid'),
  note: z.string().nullable().default(null),
  tags: z.array(z.string()).default([]),
  customAttributes: z.array(z.strictObject({ key: z.string(), value: z.string() })).default([]),
  shippingAddress: addressSpec.optional(),
});

export type OrderSpec = z.input<typeof orderSpec>;
type ParsedSpec = z.output<typeof orderSpec>;

function addressFor(shop: Shop, spec: ParsedSpec): Address {
  const person = somebody(shop.random);
  return {
    id: shop.nextId(),
    firstName: spec.firstName ?? person.firstName,
    lastName: spec.lastName ?? person.lastName,
    company: null,
    address1: person.street,
    address2: null,
    city: person.city,
    province: person.province,
    provinceCode: person.provinceCode,
    country: person.country,
    countryCode: person.countryCode,
    zip: person.zip,
    phone: `+1207555${shop.random.digits(4)}`,
  };
}

const TAX_TITLE = 'State Tax';
const TAX_RATE = 0.0625;

function lineFor(
  shop: Shop,
  wanted: NonNullable<ParsedSpec['lines']>[number],
  money: Currencies,
  rate: number,
  spec: ParsedSpec,
): Line {
  const article = CATALOGUE.find(({ sku }) => sku === wanted.sku) ?? shop.random.pick(CATALOGUE);
  const minor = wanted.price === undefined ? article.priceMinor : toMinor(wanted.price, money.currency);
  const unitPrice = bagOf(minor, money, rate);
  const gross = times(unitPrice, wanted.quantity);
  const off = spec.discountCode === undefined ? ZERO : times(gross, spec.discountPercent / 100);
  const net = subtract(gross, off);
  const taxPrice = times(net, spec.taxesIncluded ? TAX_RATE / (1 + TAX_RATE) : TAX_RATE);
  return {
    id: shop.nextId(),
    productId: article.productId,
    variantId: article.variantId,
    title: wanted.title ?? article.title,
    variantTitle: article.variantTitle,
    sku: wanted.sku ?? article.sku,
    vendor: article.vendor,
    quantity: wanted.quantity,
    currentQuantity: wanted.quantity,
    unitPrice,
    grams: article.grams,
    customAttributes: wanted.customAttributes,
    allocations: spec.discountCode === undefined ? [] : [{ amount: off, applicationIndex: 0 }],
    taxLines: [{ title: TAX_TITLE, rate: TAX_RATE, price: taxPrice }],
  };
}

const someLines = (shop: Shop): NonNullable<ParsedSpec['lines']> =>
  Array.from({ length: shop.random.int(1, 3) }, () => ({
    sku: shop.random.pick(CATALOGUE).sku,
    quantity: shop.random.int(1, 3),
    customAttributes: [],
  }));

function customerFor(shop: Shop, address: Address, email: string, at: number): Customer {
  const { firstName, lastName, phone } = address;
  return { id: shop.nextId(), firstName, lastName, email, phone, createdAt: at, tags: [] };
}

/** An order as it stands before anything happened to it: no money, nothing to send yet. */
function draft(shop: Shop, spec: ParsedSpec, at: number): Order {
  const money = { currency: SHOP_CURRENCY, presentmentCurrency: spec.presentmentCurrency ?? SHOP_CURRENCY };
  const rate = RATES[money.presentmentCurrency]!;
  const id = shop.nextId();
  const number = shop.data.nextNumber++;
  const address = { ...addressFor(shop, spec), ...spec.shippingAddress };
  const email = spec.email ?? `buyer${number}@example.com`;
  const lines = (spec.lines ?? someLines(shop)).map((wanted) => lineFor(shop, wanted, money, rate, spec));
  const shippingPrice = bagOf(toMinor(spec.shippingPrice, money.currency), money, rate);
  const discount: Discount[] =
    spec.discountCode === undefined
      ? []
      : [{ type: 'discount_code', title: spec.discountCode, valueType: 'percentage', value: spec.discountPercent }];
  return {
    id,
    number,
    name: `#${number}`,
    token: tokenOf(id),
    createdAt: at,
    updatedAt: at,
    cancelledAt: null,
    cancelReason: null,
    ...money,
    rate,
    taxesIncluded: spec.taxesIncluded,
    email,
    phone: null,
    note: spec.note,
    poNumber: null,
    tags: sortedTags(spec.tags),
    customAttributes: spec.customAttributes,
    customer: customerFor(shop, address, email, at),
    shippingAddress: address,
    billingAddress: { ...address, id: shop.nextId() },
    lines,
    shippingLines: [
      { id: shop.nextId(), title: 'Standard', code: 'standard', source: 'shopify', price: shippingPrice, taxLines: [] },
    ],
    discounts: discount,
    transactions: [],
    refunds: [],
    fulfillmentOrders: [],
    fulfillments: [],
    metafields: [],
  };
}

/** Places an order and tells the subscribers. Throws RangeError on an amount that is none. */
export function placeOrder(shop: Shop, input: OrderSpec = {}): Order {
  const spec = orderSpec.parse(input);
  const at = nowSecond();
  const order = draft(shop, spec, at);
  const lines = order.lines.map(({ id: lineId, quantity }) => ({
    id: shop.nextId(),
    lineId,
    total: quantity,
    remaining: quantity,
  }));
  order.fulfillmentOrders.push({ id: shop.nextId(), createdAt: at, updatedAt: at, status: 'OPEN', lines });
  if (spec.payment !== 'pending') {
    const kind = spec.payment === 'paid' ? 'sale' : 'authorization';
    addTransaction(shop, order, kind, totalsOf(order).total, null);
  }
  shop.data.orders.set(order.id, order);
  const paid = spec.payment === 'paid' ? [{ topic: 'orders/paid' } as const] : [];
  shop.changed(order, [{ topic: 'orders/create' }, ...paid]);
  return order;
}
