// What the shop remembers. Names follow Shopify's Admin API; times are epoch milliseconds on whole seconds, as Shopify's are.
import type { Bag, Currencies } from './money.js';

export interface Attribute {
  key: string;
  value: string;
}

export interface Address {
  id: number;
  firstName: string;
  lastName: string;
  company: string | null;
  address1: string;
  address2: string | null;
  city: string;
  province: string;
  provinceCode: string;
  country: string;
  countryCode: string;
  zip: string;
  phone: string;
}

export interface Customer {
  id: number;
  firstName: string;
  lastName: string;
  email: string;
  phone: string | null;
  createdAt: number;
  tags: string[];
}

export interface TaxLine {
  title: string;
  rate: number;
  price: Bag;
}

/** A discount code (`code`) or a manual discount (`title`), spread over lines by allocations. */
export interface Discount {
  type: 'discount_code' | 'manual';
  title: string;
  valueType: 'percentage' | 'fixed_amount';
  /** Percent, or minor units of the shop's currency. */
  value: number;
}

export interface Allocation {
  amount: Bag;
  applicationIndex: number;
}

export interface Line {
  id: number;
  productId: number;
  variantId: number;
  title: string;
  variantTitle: string | null;
  sku: string;
  vendor: string;
  /** Ordered, including what an edit added. */
  quantity: number;
  /** Without what edits, refunds and cancellations removed. */
  currentQuantity: number;
  unitPrice: Bag;
  grams: number;
  customAttributes: Attribute[];
  allocations: Allocation[];
  taxLines: TaxLine[];
}

export interface ShippingLine {
  id: number;
  title: string;
  code: string;
  source: string;
  price: Bag;
  taxLines: TaxLine[];
}

export interface Transaction {
  id: number;
  kind: 'authorization' | 'capture' | 'sale' | 'refund' | 'void';
  status: 'success';
  gateway: string;
  amount: Bag;
  createdAt: number;
  parentId: number | null;
}

export interface Refund {
  id: number;
  createdAt: number;
  note: string;
  lines: { id: number; lineId: number; quantity: number; restockType: string; subtotal: Bag; tax: Bag }[];
  shipping: Bag;
  transactionIds: number[];
}

export interface FulfillmentOrder {
  id: number;
  createdAt: number;
  updatedAt: number;
  status: 'OPEN' | 'IN_PROGRESS' | 'CLOSED' | 'CANCELLED';
  lines: { id: number; lineId: number; total: number; remaining: number }[];
}

export interface FulfillmentEvent {
  id: number;
  /** A value of FulfillmentEventStatus. */
  status: string;
  message: string | null;
  happenedAt: number;
  createdAt: number;
  estimatedDeliveryAt: number | null;
  address1: string | null;
  city: string | null;
  province: string | null;
  country: string | null;
  zip: string | null;
  latitude: number | null;
  longitude: number | null;
}

export interface Fulfillment {
  id: number;
  name: string;
  createdAt: number;
  updatedAt: number;
  status: 'SUCCESS' | 'CANCELLED';
  company: string | null;
  numbers: string[];
  urls: string[];
  lines: { id: number; lineId: number; fulfillmentOrderId: number; fulfillmentOrderLineId: number; quantity: number }[];
  events: FulfillmentEvent[];
}

export interface Metafield {
  id: number;
  namespace: string;
  key: string;
  type: string;
  value: string;
  createdAt: number;
  updatedAt: number;
}

export interface Order extends Currencies {
  id: number;
  number: number;
  name: string;
  token: string;
  createdAt: number;
  updatedAt: number;
  cancelledAt: number | null;
  /** A value of OrderCancelReason. */
  cancelReason: string | null;
  /** Presentment units per shop unit. */
  rate: number;
  taxesIncluded: boolean;
  email: string;
  phone: string | null;
  note: string | null;
  poNumber: string | null;
  tags: string[];
  customAttributes: Attribute[];
  customer: Customer;
  shippingAddress: Address;
  billingAddress: Address;
  lines: Line[];
  shippingLines: ShippingLine[];
  discounts: Discount[];
  transactions: Transaction[];
  refunds: Refund[];
  fulfillmentOrders: FulfillmentOrder[];
  fulfillments: Fulfillment[];
  metafields: Metafield[];
}

/** A webhook subscription made through the Admin API. */
export interface Subscription {
  id: number;
  /** A value of WebhookSubscriptionTopic. */
  topic: string;
  uri: string;
  includeFields: string[];
  name: string | null;
  createdAt: number;
  updatedAt: number;
}

/** Everything the shop keeps between two starts. */
export interface ShopData {
  nextId: number;
  nextNumber: number;
  orders: Map<number, Order>;
  subscriptions: Subscription[];
  tokens: { token: string; expiresAt: number }[];
  uninstalled: boolean;
  /** Orders the seeded script placed and still cares for. */
  storyOrders: number[];
}
