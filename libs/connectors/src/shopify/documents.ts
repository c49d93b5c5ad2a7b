import type { Operation } from '@syncline/connector-sdk';

/** The Admin API version every request names; all documents validate against its published schema. */
export const apiVersion = '2026-07';

const bag = `fragment Bag on MoneyBag { shopMoney { amount currencyCode } presentmentMoney { amount currencyCode } }`;

const tax = `fragment Tax on TaxLine { title rate priceSet { ...Bag } }`;

const address = `fragment Address on MailingAddress {
  name company address1 address2 city province provinceCode zip country countryCodeV2 phone
}`;

const allocation = `fragment Allocation on DiscountAllocation { allocatedAmountSet { ...Bag } discountApplication { index } }`;

const line = `fragment Line on LineItem {
  id title variantTitle sku vendor quantity currentQuantity unfulfilledQuantity requiresShipping taxable isGiftCard
  product { id } variant { id } weight { unit value }
  originalUnitPriceSet { ...Bag } discountAllocations { ...Allocation } taxLines { ...Tax }
  customAttributes { key value }
}`;

const fulfillment = `fragment Parcel on Fulfillment {
  id name createdAt updatedAt status displayStatus
  trackingInfo { company number url }
  fulfillmentLineItems(first: 10) { nodes { ...ParcelLine } pageInfo { hasNextPage endCursor } }
}`;

const parcelLine = `fragment ParcelLine on FulfillmentLineItem { quantity lineItem { id sku title } }`;

const refund = `fragment Refunded on Refund {
  id createdAt processedAt note
  transactions(first: 10) { nodes { kind status amountSet { ...Bag } } pageInfo { hasNextPage endCursor } }
  refundLineItems(first: 10) { nodes { ...RefundedLine } pageInfo { hasNextPage endCursor } }
}`;

const refundLine = `fragment RefundedLine on RefundLineItem { quantity lineItem { id } subtotalSet { ...Bag } }`;

/** Lists without cursors are asked for this many; a full list is read again in whole (poll.ts). */
export const listedMax = 5;

const order = `fragment Whole on Order {
  id name createdAt processedAt updatedAt cancelledAt cancelReason closedAt
  currencyCode presentmentCurrencyCode taxesIncluded
  subtotalPriceSet { ...Bag } totalDiscountsSet { ...Bag } totalShippingPriceSet { ...Bag } totalTaxSet { ...Bag } totalPriceSet { ...Bag }
  displayFinancialStatus displayFulfillmentStatus
  customer { id firstName lastName defaultEmailAddress { emailAddress } defaultPhoneNumber { phoneNumber } }
  email phone billingAddress { ...Address } shippingAddress { ...Address }
  tags customAttributes { key value } note sourceName customerLocale paymentGatewayNames test
  taxLines { ...Tax }
  lineItems(first: 20) { nodes { ...Line } pageInfo { hasNextPage endCursor } }
  shippingLines(first: 10) {
    nodes { code title carrierIdentifier originalPriceSet { ...Bag } discountAllocations { ...Allocation } taxLines { ...Tax } }
    pageInfo { hasNextPage endCursor }
  }
  discountApplications(first: 10) {
    nodes {
      __typename index
      value { __typename ... on PricingPercentageValue { percentage } ... on MoneyV2 { amount currencyCode } }
      ... on DiscountCodeApplication { code }
      ... on AutomaticDiscountApplication { title }
      ... on ManualDiscountApplication { title description }
      ... on ScriptDiscountApplication { title }
    }
    pageInfo { hasNextPage endCursor }
  }
  refunds(first: ${listedMax}) { ...Refunded }
  fulfillments(first: ${listedMax}) { ...Parcel }
}`;

const wholeOrder = [order, line, tax, bag, address, allocation, refund, refundLine, fulfillment, parcelLine].join('\n');
const wholeParcel = [fulfillment, parcelLine].join('\n');
const query = (name: string, document: string): Operation => ({
  name,
  document: `query ${name}${document}`,
  safe: true,
});
const mutation = (name: string, document: string): Operation => ({
  name,
  document: `mutation ${name}${document}`,
  safe: false,
});

/** Everything this connector asks of the Admin API. */
export const operations = {
  orders: query(
    'Orders',
    `($first: Int!, $after: String, $query: String!) {
  orders(first: $first, after: $after, sortKey: UPDATED_AT, query: $query) { nodes { ...Whole } pageInfo { hasNextPage endCursor } }
}
${wholeOrder}`,
  ),
  order: query('Order', `($id: ID!) { order(id: $id) { ...Whole } }\n${wholeOrder}`),
  orderLines: query(
    'OrderLines',
    `($id: ID!, $after: String) {
  order(id: $id) { updatedAt lineItems(first: 50, after: $after) { nodes { ...Line } pageInfo { hasNextPage endCursor } } }
}
${[line, tax, bag, allocation].join('\n')}`,
  ),
  /** The ids of lists that have no cursor. */
  orderLists: query(
    'OrderLists',
    `($id: ID!) { order(id: $id) { updatedAt fulfillments(first: 250) { id } refunds(first: 250) { id } } }`,
  ),
  fulfillment: query(
    'Fulfillment',
    `($id: ID!) { fulfillment(id: $id) { ...Parcel order { id name updatedAt } } }\n${wholeParcel}`,
  ),
  fulfillmentLines: query(
    'FulfillmentLines',
    `($id: ID!, $after: String) {
  fulfillment(id: $id) { updatedAt fulfillmentLineItems(first: 100, after: $after) { nodes { ...ParcelLine } pageInfo { hasNextPage endCursor } } }
}
${parcelLine}`,
  ),
  refund: query('Refund', `($id: ID!) { refund(id: $id) { ...Refunded } }\n${[refund, refundLine, bag].join('\n')}`),
  refundLines: query(
    'RefundLines',
    `($id: ID!, $after: String) {
  refund(id: $id) { refundLineItems(first: 100, after: $after) { nodes { ...RefundedLine } pageInfo { hasNextPage endCursor } } }
}
${[refundLine, bag].join('\n')}`,
  ),
  shop: query('ShopCheck', `{ shop { name } currentAppInstallation { accessScopes { handle } } }`),
  subscriptions: query(
    'Subscriptions',
    `($after: String) {
  webhookSubscriptions(first: 100, after: $after) { nodes { id topic uri format includeFields filter } pageInfo { hasNextPage endCursor } }
}`,
  ),
  subscribe: mutation(
    'Subscribe',
    `($topic: WebhookSubscriptionTopic!, $subscription: WebhookSubscriptionInput!) {
  webhookSubscriptionCreate(topic: $topic, webhookSubscription: $subscription) { webhookSubscription { id } userErrors { field message } }
}`,
  ),
  unsubscribe: mutation(
    'Unsubscribe',
    `($id: ID!) { webhookSubscriptionDelete(id: $id) { deletedWebhookSubscriptionId userErrors { field message } } }`,
  ),
  /** Fulfilments of an order, to find the one that carries a tracking number. */
  parcels: query(
    'Parcels',
    `($id: ID!) { order(id: $id) { id name updatedAt fulfillments(first: 100) { id status trackingInfo { number } } } }`,
  ),
  openWork: query(
    'OpenWork',
    `($id: ID!, $after: String) {
  order(id: $id) {
    fulfillmentOrders(first: 10, after: $after) {
      nodes {
        id status supportedActions { action } assignedLocation { location { id } }
        lineItems(first: 100) { nodes { id remainingQuantity sku lineItem { id } } pageInfo { hasNextPage } }
      }
      pageInfo { hasNextPage endCursor }
    }
  }
}`,
  ),
  newestEvent: query(
    'NewestEvent',
    `($id: ID!) { fulfillment(id: $id) { events(first: 1, sortKey: HAPPENED_AT, reverse: true) { nodes { status happenedAt } } } }`,
  ),
  createFulfillment: mutation(
    'CreateFulfillment',
    `($fulfillment: FulfillmentInput!) {
  fulfillmentCreate(fulfillment: $fulfillment) { fulfillment { id } userErrors { field message } }
}`,
  ),
  updateTracking: mutation(
    'UpdateTracking',
    `($id: ID!, $tracking: FulfillmentTrackingInput!) {
  fulfillmentTrackingInfoUpdate(fulfillmentId: $id, trackingInfoInput: $tracking, notifyCustomer: false) { fulfillment { id } userErrors { field message } }
}`,
  ),
  createEvent: mutation(
    'CreateEvent',
    `($event: FulfillmentEventInput!) {
  fulfillmentEventCreate(fulfillmentEvent: $event) { fulfillmentEvent { id } userErrors { field message } }
}`,
  ),
  cancelFulfillment: mutation(
    'CancelFulfillment',
    `($id: ID!) { fulfillmentCancel(id: $id) { fulfillment { id } userErrors { field message } } }`,
  ),
  updateOrder: mutation(
    'UpdateOrder',
    `($input: OrderInput!) { orderUpdate(input: $input) { order { id } userErrors { field message } } }`,
  ),
} as const satisfies Record<string, Operation>;
