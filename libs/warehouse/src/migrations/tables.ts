import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Name, type and comment of a column. The comments are the documentation: README.md is checked against them. */
type Column = readonly [name: string, type: string, comment: string];

const minor = 'in minor units of the currency (cents for EUR, yen for JPY)';

const money = (name: string, what: string, currency: string): Column[] => [
  [name, 'numeric(20,4)', `${what}, in ${currency}`],
  [`${name}_minor`, 'bigint', `${what}, ${minor}`],
];

const place = (prefix: string, what: string): Column[] => [
  [`${prefix}_city`, 'text', `City of ${what}`],
  [`${prefix}_region`, 'text', `State, province or county of ${what}, as its source writes it`],
  [`${prefix}_postal_code`, 'text', `Postal code of ${what}`],
  [`${prefix}_country`, 'text', `Country of ${what}, ISO 3166-1 alpha-2`],
];

const record = (noun: string): Column[] => [
  ['native_status', 'jsonb', `The sources' own status words, by connection/object: {"shop/order": {...}}`],
  [
    'external_refs',
    'text[]',
    `Where the ${noun} lives, as connection/externalId; search with external_refs @> array[...]`,
  ],
  ['changed_at', 'timestamptz', 'Time of the newest change, by its source'],
  ['revision', 'bigint NOT NULL', 'Rises with every change; a row never goes back to a lower one'],
  ['synced_at', 'timestamptz NOT NULL', 'When Syncline last wrote this row'],
  ['deleted_at', 'timestamptz', `When Syncline learned that the ${noun} was deleted; null = it exists`],
  [
    'merged_into',
    'uuid',
    'Set with deleted_at where the record turned out to be another one: the id it lives on under',
  ],
  ['record', `jsonb CHECK (jsonb_typeof(record) = 'object')`, 'The full canonical record, personal data included'],
];

const orders: Column[] = [
  ['id', 'uuid PRIMARY KEY', 'Canonical id, the same in every system Syncline keeps'],
  ['name', 'text', 'What people call the order, e.g. #1042'],
  ['status', 'text', 'pending, open, on_hold, completed, cancelled, failed, draft or unknown'],
  [
    'financial_status',
    'text',
    'Where the payment stands: pending, authorized, paid, partially_refunded, refunded, ...',
  ],
  ['fulfillment_status', 'text', 'Where the delivery stands: unfulfilled, partial, fulfilled, returned, ...'],
  ['placed_at', 'timestamptz', 'When the order was placed'],
  ['cancelled_at', 'timestamptz', 'When it was cancelled; null = it was not'],
  ['cancel_reason', 'text', 'Why it was cancelled, in the words of its source'],
  ['closed_at', 'timestamptz', 'When it was closed or archived at its source'],
  ['currency', 'text', 'ISO 4217 code of the amounts below: the currency the shop accounts in'],
  ...money('subtotal', 'Lines after discounts, before shipping and, unless taxes_included, taxes', 'currency'),
  ...money('discount_total', 'All discounts', 'currency'),
  ...money('shipping_total', 'All shipping', 'currency'),
  ...money('tax_total', 'All taxes', 'currency'),
  ...money('total', 'What the order came to when it was placed or last edited', 'currency'),
  ...money('refunded_total', 'What was given back', 'currency'),
  ['taxes_included', 'boolean', 'Whether prices include taxes'],
  ['presentment_currency', 'text', 'ISO 4217 code of the currency the buyer saw'],
  ...money(
    'presentment_total',
    'The total as the buyer saw it; null where that was in currency',
    'presentment_currency',
  ),
  ['customer_external_id', 'text', "The buyer's id at the source"],
  ['email', 'text', "The buyer's e-mail address. Personal data"],
  ...place('shipping', 'the delivery address'),
  ...place('billing', 'the billing address'),
  ['tags', 'text[]', 'Tags, sorted'],
  ['payment_methods', 'text[]', 'How it was paid, in the words of its source'],
  ['channel', 'text', 'Where the order came in: web, pos, an app'],
  ['locale', 'text', "The buyer's language"],
  ['test', 'boolean', 'A test order: leave it out of reports'],
  ...record('order'),
];

const orderLines: Column[] = [
  ['order_id', 'uuid NOT NULL', 'orders.id. Lines of a deleted order stay: join on orders.deleted_at IS NULL'],
  ['line_id', 'text NOT NULL', "The line's id at its source"],
  ['position', 'integer NOT NULL', 'Place in the order, from 1'],
  ['product_id', 'text', "The product's id at its source"],
  ['variant_id', 'text', "The variant's id at its source"],
  ['sku', 'text', 'Stock keeping unit'],
  ['title', 'text', 'What was bought'],
  ['variant_title', 'text', 'Which variant of it'],
  ['vendor', 'text', 'Who makes it'],
  ['quantity', 'integer', 'Units ordered'],
  ['current_quantity', 'integer', 'Units left after edits and refunds'],
  ['currency', 'text', 'ISO 4217 code of the amounts below'],
  ...money('unit_price', 'Price of one unit before discounts', 'currency'),
  ...money('discount', 'Discount on the whole line', 'currency'),
  ['requires_shipping', 'boolean', 'Whether it is sent by parcel'],
  ['taxable', 'boolean', 'Whether it is taxed'],
  ['gift_card', 'boolean', 'Whether it is a gift card'],
  ['grams', 'numeric', 'Weight of one unit in grams'],
  ['fulfillment_status', 'text', "Where the line's delivery stands, in the words of its source"],
  ['synced_at', 'timestamptz NOT NULL', 'When Syncline last wrote this row; lines that did not change are left alone'],
];

const shipments: Column[] = [
  ['id', 'uuid PRIMARY KEY', 'Canonical id, the same in every system Syncline keeps'],
  ['order_id', 'uuid', 'orders.id of the order it belongs to; the shipment may be here before its order'],
  ['order_name', 'text', 'The order as the source of the shipment names it'],
  [
    'status',
    'text',
    'pending, label_created, in_transit, out_for_delivery, ready_for_pickup, attempted, delivered, returned, failed, cancelled or unknown',
  ],
  ['carrier', 'text', 'Carrier code such as usps or dhl_express; null = a carrier Syncline does not know'],
  ['carrier_name', 'text', 'The carrier as its source writes it'],
  ['service', 'text', "The carrier's service"],
  ['tracking_number', 'text', 'Tracking number'],
  ['tracking_numbers', 'text[]', 'All of them, where the shipment has several parcels'],
  ['tracking_url', 'text', 'Where to follow the parcel'],
  ['estimated_delivery_at', 'timestamptz', 'When the carrier expects to deliver it'],
  ['shipped_at', 'timestamptz', 'When it left'],
  ['delivered_at', 'timestamptz', 'When it was delivered'],
  ['grams', 'numeric', 'Weight of the parcel in grams'],
  ...place('origin', "the sender's address"),
  ...place('destination', "the receiver's address"),
  ['is_return', 'boolean', 'Whether it comes back from a buyer'],
  ['currency', 'text', 'ISO 4217 code of cost'],
  ...money('cost', 'What the label cost', 'currency'),
  ['label_url', 'text', 'Where to get the label'],
  ...record('shipment'),
];

const trackingEvents: Column[] = [
  [
    'shipment_id',
    'uuid NOT NULL',
    'shipments.id. Events of a deleted shipment stay: join on shipments.deleted_at IS NULL',
  ],
  ['seq', 'integer NOT NULL', 'Place in the history, from 1 = oldest'],
  ['at', 'timestamptz', 'When it happened; null where the carrier gives no time'],
  ['status', 'text', 'The status it means, as in shipments.status'],
  ['native_status', 'text', "The source's own status word"],
  ['message', 'text', "The carrier's message"],
  ['city', 'text', 'Where it happened: city'],
  ['region', 'text', 'State, province or county'],
  ['postal_code', 'text', 'Postal code'],
  ['country', 'text', 'Country, as its source writes it'],
  ['synced_at', 'timestamptz NOT NULL', 'When Syncline last wrote this row; events that did not change are left alone'],
];

const erased: Column[] = [
  ['id', 'uuid', 'Canonical id of a record that was deleted'],
  ['kind', 'text', 'order or shipment'],
  ['revision', 'bigint NOT NULL', 'Revision of its deletion: an older event cannot bring it back'],
  ['merged_into', 'uuid', 'The id it lives on under, where it turned out to be another record'],
  ['deleted_at', 'timestamptz NOT NULL', 'When Syncline deleted the rows'],
];

const quote = (text: string): string => `'${text.replaceAll("'", "''")}'`;

function table(name: string, comment: string, columns: readonly Column[], constraint?: string): string[] {
  const lines = columns.map(([column, type]) => `${column} ${type}`);
  return [
    `CREATE TABLE ${name} (${[...lines, ...(constraint ? [constraint] : [])].join(', ')})`,
    `COMMENT ON TABLE ${name} IS ${quote(comment)}`,
    ...columns.map(([column, , text]) => `COMMENT ON COLUMN ${name}.${column} IS ${quote(text)}`),
  ];
}

/** The first tables of the warehouse, in the schema the session's search_path names. */
export class WarehouseTables1764000000000 implements MigrationInterface {
  readonly name = 'WarehouseTables1764000000000';

  async up(runner: QueryRunner): Promise<void> {
    const statements = [
      ...table('orders', 'One row per order, as its newest revision says', orders),
      ...table('order_lines', 'The positions of each order', orderLines, 'PRIMARY KEY (order_id, line_id)'),
      ...table('shipments', 'One row per parcel, whichever systems know it', shipments),
      ...table(
        'tracking_events',
        'What carriers said of each parcel',
        trackingEvents,
        'PRIMARY KEY (shipment_id, seq)',
      ),
      ...table(
        'erased_records',
        'What was deleted under onDelete: delete. Holds no data of the records',
        erased,
        'PRIMARY KEY (id, kind)',
      ),
      ...indexes,
      // Rows of this size are read back at once for their lines: compressing and slicing them costs more than it saves.
      ...['orders', 'shipments'].map((t) => `ALTER TABLE ${t} SET (toast_tuple_target = 8160)`),
    ];
    for (const statement of statements) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE orders, order_lines, shipments, tracking_events, erased_records');
  }
}

const indexes = [
  'CREATE INDEX orders_name ON orders (name)',
  'CREATE INDEX orders_placed_at ON orders (placed_at)',
  'CREATE INDEX orders_external_refs ON orders USING gin (external_refs)',
  'CREATE INDEX order_lines_sku ON order_lines (sku)',
  'CREATE INDEX shipments_order_id ON shipments (order_id)',
  'CREATE INDEX shipments_tracking_number ON shipments (tracking_number)',
  'CREATE INDEX shipments_external_refs ON shipments USING gin (external_refs)',
];
