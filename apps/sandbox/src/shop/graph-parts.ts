// GraphQL shapes of an order's parts: types of the Admin schema, https://shopify.dev/docs/api/admin-graphql/2026-07/objects/Order
import type {
  Address,
  Allocation,
  Customer,
  Discount,
  Line,
  Metafield,
  Order,
  ShippingLine,
  TaxLine,
} from './model.js';
import { type Bag, moneyBag, moneyV2, subtract, times, ZERO } from './money.js';
import { gid } from './shop.js';
import { graphTime } from './times.js';
import { fulfillableQuantity, lineDiscount, lineDiscounted, lineOriginal, lineTax } from './totals.js';

export const legacyId = (id: number): string => String(id);

export const attributeNode = ({ key, value }: { key: string; value: string }) => ({ key, value });

export const addressNode = (address: Address) => ({
  __typename: 'MailingAddress',
  id: gid('MailingAddress', address.id),
  firstName: address.firstName,
  lastName: address.lastName,
  name: `${address.firstName} ${address.lastName}`,
  company: address.company,
  address1: address.address1,
  address2: address.address2,
  city: address.city,
  province: address.province,
  provinceCode: address.provinceCode,
  country: address.country,
  countryCode: address.countryCode,
  countryCodeV2: address.countryCode,
  zip: address.zip,
  phone: address.phone,
  latitude: null,
  longitude: null,
  coordinatesValidated: false,
  timeZone: null,
  formattedArea: `${address.city} ${address.provinceCode}, ${address.country}`,
  formatted: () =>
    [
      address.address1,
      address.address2,
      `${address.city} ${address.provinceCode} ${address.zip}`,
      address.country,
    ].filter(Boolean),
});

export const customerNode = (customer: Customer) => ({
  __typename: 'Customer',
  id: gid('Customer', customer.id),
  legacyResourceId: legacyId(customer.id),
  firstName: customer.firstName,
  lastName: customer.lastName,
  displayName: `${customer.firstName} ${customer.lastName}`,
  email: customer.email,
  phone: customer.phone,
  defaultEmailAddress: { emailAddress: customer.email, validFormat: true },
  defaultPhoneNumber: customer.phone === null ? null : { phoneNumber: customer.phone },
  createdAt: graphTime(customer.createdAt),
  updatedAt: graphTime(customer.createdAt),
  tags: customer.tags,
  note: null,
  locale: 'en',
  state: 'DISABLED',
  taxExempt: false,
  verifiedEmail: true,
});

export const taxNode = (order: Order) => (tax: TaxLine) => ({
  title: tax.title,
  rate: tax.rate,
  ratePercentage: tax.rate * 100,
  priceSet: moneyBag(tax.price, order),
  channelLiable: false,
  source: 'Shopify',
});

export function discountNode(order: Order, index: number) {
  const discount: Discount = order.discounts[index]!;
  const code = discount.type === 'discount_code';
  return {
    __typename: code ? 'DiscountCodeApplication' : 'ManualDiscountApplication',
    id: index,
    index,
    allocationMethod: 'ACROSS',
    targetSelection: 'ALL',
    targetType: 'LINE_ITEM',
    value:
      discount.valueType === 'percentage'
        ? { __typename: 'PricingPercentageValue', percentage: discount.value }
        : moneyV2(discount.value, order.currency),
    ...(code ? { code: discount.title } : { title: discount.title, description: discount.title }),
  };
}

const allocationNode = (order: Order) => (allocation: Allocation) => ({
  allocatedAmountSet: moneyBag(allocation.amount, order),
  discountApplication: discountNode(order, allocation.applicationIndex),
});

export function lineNode(order: Order, line: Line) {
  const bag = (amount: Bag) => moneyBag(amount, order);
  const open = fulfillableQuantity(order, line.id);
  const each = (amount: Bag): Bag => times(amount, 1 / line.quantity);
  return {
    __typename: 'LineItem',
    id: gid('LineItem', line.id),
    name: line.variantTitle === null ? line.title : `${line.title} - ${line.variantTitle}`,
    title: line.title,
    variantTitle: line.variantTitle,
    sku: line.sku,
    vendor: line.vendor,
    quantity: line.quantity,
    currentQuantity: line.currentQuantity,
    unfulfilledQuantity: open,
    fulfillableQuantity: open,
    refundableQuantity: line.currentQuantity,
    nonFulfillableQuantity: 0,
    requiresShipping: true,
    taxable: true,
    isGiftCard: false,
    restockable: true,
    image: null,
    weight: { unit: 'GRAMS', value: line.grams },
    customAttributes: line.customAttributes.map(attributeNode),
    originalUnitPriceSet: bag(line.unitPrice),
    originalTotalSet: bag(lineOriginal(line)),
    discountedUnitPriceSet: bag(line.unitPrice),
    discountedUnitPriceAfterAllDiscountsSet: bag(each(lineDiscounted(line))),
    // Codes apply to the whole order: Shopify leaves them out here unless asked to bring them in.
    discountedTotalSet: (args: { withCodeDiscounts?: boolean | null }) =>
      bag(
        args.withCodeDiscounts === true
          ? lineDiscounted(line)
          : subtract(lineOriginal(line), manualDiscount(order, line)),
      ),
    totalDiscountSet: bag(manualDiscount(order, line)),
    unfulfilledOriginalTotalSet: bag(times(line.unitPrice, open)),
    priceAfterAllDiscountsBeforeTaxesSet: bag(
      order.taxesIncluded ? subtract(lineDiscounted(line), lineTax(line)) : lineDiscounted(line),
    ),
    taxLines: line.taxLines.map(taxNode(order)),
    discountAllocations: line.allocations.map(allocationNode(order)),
    duties: [],
    product: {
      __typename: 'Product',
      id: gid('Product', line.productId),
      legacyResourceId: legacyId(line.productId),
      title: line.title,
    },
    variant: {
      __typename: 'ProductVariant',
      id: gid('ProductVariant', line.variantId),
      legacyResourceId: legacyId(line.variantId),
      title: line.variantTitle ?? 'Default Title',
      displayName: `${line.title} - ${line.variantTitle ?? 'Default Title'}`,
      sku: line.sku,
      barcode: null,
    },
  };
}

const manualDiscount = (order: Order, line: Line): Bag =>
  order.discounts.some(({ type }) => type === 'manual') ? lineDiscount(line) : ZERO;

export const shippingLineNode = (order: Order) => (line: ShippingLine) => ({
  id: gid('ShippingLine', line.id),
  title: line.title,
  code: line.code,
  source: line.source,
  carrierIdentifier: null,
  custom: false,
  isRemoved: false,
  phone: null,
  deliveryCategory: null,
  originalPriceSet: moneyBag(line.price, order),
  discountedPriceSet: moneyBag(line.price, order),
  currentDiscountedPriceSet: moneyBag(line.price, order),
  taxLines: line.taxLines.map(taxNode(order)),
  discountAllocations: [],
});

export const metafieldNode = (metafield: Metafield) => ({
  __typename: 'Metafield',
  id: gid('Metafield', metafield.id),
  legacyResourceId: legacyId(metafield.id),
  namespace: metafield.namespace,
  key: metafield.key,
  type: metafield.type,
  value: metafield.value,
  jsonValue: () => {
    const json = /^(json|list\.|number_integer|boolean)/.test(metafield.type);
    return json ? JSON.parse(metafield.value) : metafield.value;
  },
  ownerType: 'ORDER',
  sizeInBytes: Buffer.byteLength(metafield.value),
  createdAt: graphTime(metafield.createdAt),
  updatedAt: graphTime(metafield.updatedAt),
});
