import { currencyDigits } from '@syncline/contracts';

/** A column and the SQL expression its value comes from. */
export type Column = readonly [name: string, expression: string];

/** Fields of a JSON object as SQL columns, for jsonb_to_record: "name" type, in the model's own camel case. */
type FieldTypes = Readonly<Record<string, string>>;

/** How one kind of record becomes rows: a main row, and child rows from an array of the record. */
export interface TableMap {
  readonly table: string;
  readonly fields: FieldTypes;
  readonly columns: readonly Column[];
  readonly child: {
    readonly table: string;
    /** The array of `data` that holds the children. */
    readonly array: string;
    readonly parentKey: string;
    readonly key: string;
    readonly fields: FieldTypes;
    readonly columns: readonly Column[];
  };
}

const letters = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'];
const currencies = letters.flatMap((a) => letters.flatMap((b) => letters.map((c) => a + b + c)));
const scales = [
  [0, '1'],
  [3, '0.001'],
  [4, '0.0001'],
] as const;

/** What one minor unit is worth, as SQL over a currency expression: 0.01 unless contracts says otherwise. */
function minorUnit(currency: string): string {
  const cases = scales.map(([digits, unit]) => {
    const codes = currencies.filter((code) => currencyDigits(code) === digits);
    return `WHEN ${currency} IN (${codes.map((c) => `'${c}'`).join(',')}) THEN ${unit}`;
  });
  return `CASE ${cases.join(' ')} ELSE 0.01 END`;
}

/** A money object as a decimal and as minor units; the source's exact decimal wins where it has one. */
function money(name: string, json: string): Column[] {
  const decimal = `coalesce((${json} ->> 'exact')::numeric, (${json} ->> 'minor')::bigint * ${minorUnit(`${json} ->> 'currency'`)})`;
  return [
    [name, decimal],
    [`${name}_minor`, `(${json} ->> 'minor')::bigint`],
  ];
}

const shopMoney = (name: string, bag: string): Column[] => money(name, `(${bag} -> 'shop')`);

const place = (prefix: string, json: string): Column[] => [
  [`${prefix}city`, `${json} ->> 'city'`],
  [`${prefix}region`, `${json} ->> 'region'`],
  [`${prefix}postal_code`, `${json} ->> 'postalCode'`],
  [`${prefix}country`, `${json} ->> 'country'`],
];

/** Columns every main table has; `src` is the lateral aggregate of the record's sources. */
const recordColumns: readonly Column[] = [
  ['native_status', 'src.native'],
  ['external_refs', 'src.refs'],
  ['changed_at', `(i.value ->> 'changedAt')::timestamptz`],
  ['record', 'i.value'],
];

export const orderMap: TableMap = {
  table: 'orders',
  fields: {
    name: 'text',
    status: 'text',
    financialStatus: 'text',
    fulfillmentStatus: 'text',
    placedAt: 'timestamptz',
    cancelledAt: 'timestamptz',
    cancelReason: 'text',
    closedAt: 'timestamptz',
    currency: 'text',
    presentmentCurrency: 'text',
    taxesIncluded: 'boolean',
    subtotal: 'jsonb',
    discountTotal: 'jsonb',
    shippingTotal: 'jsonb',
    taxTotal: 'jsonb',
    total: 'jsonb',
    refundedTotal: 'jsonb',
    customer: 'jsonb',
    email: 'text',
    shippingAddress: 'jsonb',
    billingAddress: 'jsonb',
    tags: 'text[]',
    paymentMethods: 'text[]',
    channel: 'text',
    locale: 'text',
    test: 'boolean',
  },
  columns: [
    ['name', 'd.name'],
    ['status', 'd.status'],
    ['financial_status', 'd."financialStatus"'],
    ['fulfillment_status', 'd."fulfillmentStatus"'],
    ['placed_at', 'd."placedAt"'],
    ['cancelled_at', 'd."cancelledAt"'],
    ['cancel_reason', 'd."cancelReason"'],
    ['closed_at', 'd."closedAt"'],
    ['currency', `coalesce(d.currency, d.total -> 'shop' ->> 'currency')`],
    ...shopMoney('subtotal', 'd.subtotal'),
    ...shopMoney('discount_total', 'd."discountTotal"'),
    ...shopMoney('shipping_total', 'd."shippingTotal"'),
    ...shopMoney('tax_total', 'd."taxTotal"'),
    ...shopMoney('total', 'd.total'),
    ...shopMoney('refunded_total', 'd."refundedTotal"'),
    ['taxes_included', 'd."taxesIncluded"'],
    ['presentment_currency', `coalesce(d."presentmentCurrency", d.total -> 'presentment' ->> 'currency')`],
    ...money('presentment_total', `(d.total -> 'presentment')`),
    ['customer_external_id', `d.customer ->> 'externalId'`],
    ['email', `coalesce(d.email, d.customer ->> 'email')`],
    ...place('shipping_', 'd."shippingAddress"'),
    ...place('billing_', 'd."billingAddress"'),
    ['tags', 'd.tags'],
    ['payment_methods', 'd."paymentMethods"'],
    ['channel', 'd.channel'],
    ['locale', 'd.locale'],
    ['test', 'd.test'],
    ...recordColumns,
  ],
  child: {
    table: 'order_lines',
    array: 'lines',
    parentKey: 'order_id',
    key: 'line_id',
    fields: {
      lineId: 'text',
      productId: 'text',
      variantId: 'text',
      sku: 'text',
      title: 'text',
      variantTitle: 'text',
      vendor: 'text',
      quantity: 'integer',
      currentQuantity: 'integer',
      unitPrice: 'jsonb',
      discount: 'jsonb',
      requiresShipping: 'boolean',
      taxable: 'boolean',
      giftCard: 'boolean',
      grams: 'numeric',
      fulfillmentStatus: 'text',
    },
    columns: [
      ['line_id', 'd."lineId"'],
      ['position', 'place_no'],
      ['product_id', 'd."productId"'],
      ['variant_id', 'd."variantId"'],
      ['sku', 'd.sku'],
      ['title', 'd.title'],
      ['variant_title', 'd."variantTitle"'],
      ['vendor', 'd.vendor'],
      ['quantity', 'd.quantity'],
      ['current_quantity', 'd."currentQuantity"'],
      ['currency', `d."unitPrice" -> 'shop' ->> 'currency'`],
      ...shopMoney('unit_price', 'd."unitPrice"'),
      ...shopMoney('discount', 'd.discount'),
      ['requires_shipping', 'd."requiresShipping"'],
      ['taxable', 'd.taxable'],
      ['gift_card', 'd."giftCard"'],
      ['grams', 'd.grams'],
      ['fulfillment_status', 'd."fulfillmentStatus"'],
    ],
  },
};

export const shipmentMap: TableMap = {
  table: 'shipments',
  fields: {
    orderId: 'uuid',
    orderName: 'text',
    status: 'text',
    carrier: 'text',
    carrierName: 'text',
    service: 'text',
    trackingNumber: 'text',
    trackingNumbers: 'text[]',
    trackingUrl: 'text',
    estimatedDeliveryAt: 'timestamptz',
    shippedAt: 'timestamptz',
    deliveredAt: 'timestamptz',
    grams: 'numeric',
    origin: 'jsonb',
    destination: 'jsonb',
    isReturn: 'boolean',
    cost: 'jsonb',
    labelUrl: 'text',
  },
  columns: [
    ['order_id', 'd."orderId"'],
    ['order_name', 'd."orderName"'],
    ['status', 'd.status'],
    ['carrier', 'd.carrier'],
    ['carrier_name', 'd."carrierName"'],
    ['service', 'd.service'],
    ['tracking_number', 'd."trackingNumber"'],
    ['tracking_numbers', 'd."trackingNumbers"'],
    ['tracking_url', 'd."trackingUrl"'],
    ['estimated_delivery_at', 'd."estimatedDeliveryAt"'],
    ['shipped_at', 'd."shippedAt"'],
    ['delivered_at', 'd."deliveredAt"'],
    ['grams', 'd.grams'],
    ...place('origin_', 'd.origin'),
    ...place('destination_', 'd.destination'),
    ['is_return', 'd."isReturn"'],
    ['currency', `d.cost ->> 'currency'`],
    ...money('cost', 'd.cost'),
    ['label_url', 'd."labelUrl"'],
    ...recordColumns,
  ],
  child: {
    table: 'tracking_events',
    array: 'events',
    parentKey: 'shipment_id',
    key: 'seq',
    fields: { at: 'timestamptz', status: 'text', native: 'text', message: 'text', place: 'jsonb' },
    columns: [
      ['seq', 'place_no'],
      ['at', 'd.at'],
      ['status', 'd.status'],
      ['native_status', 'd.native'],
      ['message', 'd.message'],
      ...place('', 'd.place'),
    ],
  },
};
