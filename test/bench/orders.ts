// Orders as Shopify sends them by webhook (REST Admin API, Order resource), about 2.6 KB each, made from a number.

const base = Date.UTC(2026, 0, 1);
const people = ['Ada', 'Grace', 'Edsger', 'Barbara', 'Alan', 'Donald', 'Leslie', 'Tony'];

/** What one version of an order ends as in the warehouse: what a run is checked against. */
export interface Expected {
  externalId: string;
  version: number;
  totalMinor: number;
  note: string;
}

const externalId = (n: number): number => 5_000_000_000 + n;

/** The newest state of order `n` after `versions` versions. */
export function expected(n: number, versions: number): Expected {
  return {
    externalId: String(externalId(n)),
    version: updatedAt(n, versions),
    totalMinor: total(n),
    note: note(n, versions),
  };
}

const updatedAt = (n: number, version: number): number => base + n * 1_000 + version * 60_000;
const price = (n: number, line: number): number => 500 + ((n * 7 + line * 131) % 9_500);
const total = (n: number): number => [0, 1, 2].reduce((sum, l) => sum + price(n, l) * (1 + (l % 2)), 0);
const note = (n: number, version: number): string => `order ${n}, version ${version}: leave it at the door`;
const decimal = (minor: number): string => (minor / 100).toFixed(2);
const set = (minor: number) => ({
  shop_money: { amount: decimal(minor), currency_code: 'EUR' },
  presentment_money: { amount: decimal(minor), currency_code: 'EUR' },
});

/** The JSON text of one version (1, 2, ...) of order `n`. */
export function orderBody(n: number, version: number): string {
  const id = externalId(n);
  const first = people[n % people.length];
  const address = {
    first_name: first,
    last_name: `Number ${n}`,
    address1: `${n % 200} Harbour Road`,
    city: 'Hamburg',
    zip: '20457',
    country: 'Germany',
    country_code: 'DE',
    phone: null,
  };
  return JSON.stringify({
    id,
    admin_graphql_api_id: `gid://shopify/Order/${id}`,
    name: `#${n}`,
    order_number: n,
    email: `buyer${n}@example.com`,
    created_at: new Date(base + n * 1_000).toISOString(),
    processed_at: new Date(base + n * 1_000).toISOString(),
    updated_at: new Date(updatedAt(n, version)).toISOString(),
    currency: 'EUR',
    presentment_currency: 'EUR',
    financial_status: version === 1 ? 'pending' : 'paid',
    fulfillment_status: null,
    total_price: decimal(total(n)),
    total_price_set: set(total(n)),
    subtotal_price_set: set(total(n)),
    total_tax_set: set(0),
    total_discounts_set: set(0),
    total_shipping_price_set: set(0),
    taxes_included: true,
    tags: version > 2 ? 'checked, vip' : 'checked',
    note: note(n, version),
    source_name: 'web',
    test: false,
    customer: {
      id: 9_000_000_000 + (n % 5_000),
      first_name: first,
      last_name: `Number ${n}`,
      email: `buyer${n}@example.com`,
    },
    billing_address: address,
    shipping_address: address,
    note_attributes: [{ name: 'gift', value: n % 2 === 0 ? 'yes' : 'no' }],
    line_items: [0, 1, 2].map((l) => ({
      id: id * 10 + l,
      product_id: 700 + l,
      variant_id: 800 + l,
      sku: `SKU-${l}-${n % 100}`,
      title: `Article ${l}`,
      quantity: 1 + (l % 2),
      current_quantity: 1 + (l % 2),
      price: decimal(price(n, l)),
      price_set: set(price(n, l)),
      total_discount_set: set(0),
      grams: 250,
      requires_shipping: true,
      taxable: true,
      gift_card: false,
      properties: [],
      tax_lines: [],
    })),
    shipping_lines: [],
    tax_lines: [],
    discount_codes: [],
    refunds: [],
    fulfillments: [],
  });
}
