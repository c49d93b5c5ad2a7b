import {
  type Discount,
  type MoneyBag,
  type OrderLine,
  type Refund,
  type ShippingLine,
  type TaxLine,
  toInstant,
} from '@syncline/contracts';
import { addUpTaxes, attributes, bag, type Currencies, currency, money, sum, taxes, zero } from './parts.js';
import { flag, id, idOf, number, objects, text, type Wire, whole } from './wire.js';

/** What allocations took off a line, else the plain amount old API versions give; null where neither is said. */
function discountOf(wire: Wire, currencies: Currencies): MoneyBag | null {
  if (!Array.isArray(wire.discount_allocations)) return bag(wire.total_discount_set, wire.total_discount, currencies);
  if (wire.discount_allocations.length === 0) return zero(currencies);
  const parts = objects(wire.discount_allocations).map((a) => bag(a.amount_set, a.amount, currencies));
  return sum(
    parts.filter((p) => p !== null),
    currencies,
  );
}

/** Shopify's name for the one variant of a product without variants: no title at all. */
const defaultVariant = 'Default Title';

/** One line of an order; `place` names a line that has no id. */
export function line(wire: Wire, place: number, currencies: Currencies): OrderLine {
  const variantTitle = text(wire.variant_title);
  return {
    lineId: idOf(wire) ?? `line-${place + 1}`,
    productId: id(wire.product_id),
    variantId: id(wire.variant_id),
    sku: text(wire.sku),
    title: text(wire.title) ?? text(wire.name) ?? '',
    variantTitle: variantTitle === defaultVariant ? null : variantTitle,
    vendor: text(wire.vendor),
    quantity: whole(wire.quantity) ?? 0,
    currentQuantity: whole(wire.current_quantity),
    unitPrice: bag(wire.price_set, wire.price, currencies) ?? zero(currencies),
    discount: discountOf(wire, currencies),
    taxes: taxes(wire.tax_lines, currencies),
    requiresShipping: flag(wire.requires_shipping),
    taxable: flag(wire.taxable),
    giftCard: flag(wire.gift_card),
    grams: number(wire.grams),
    fulfillmentStatus: text(wire.fulfillment_status),
    attributes: attributes(wire.properties),
  };
}

export const shippingLine = (wire: Wire, currencies: Currencies): ShippingLine => ({
  code: text(wire.code),
  title: text(wire.title),
  carrier: text(wire.carrier_identifier),
  price: bag(wire.price_set, wire.price, currencies) ?? zero(currencies),
  discount: discountOf(wire, currencies),
  taxes: taxes(wire.tax_lines, currencies),
});

/**
 * Taxes of the order: those of its lines and deliveries added up, since the two APIs differ in what their own lists hold;
 * the message's list where its lines name none.
 */
export function taxesOf(taxed: readonly { taxes: TaxLine[] }[], own: unknown, currencies: Currencies): TaxLine[] {
  const lines = taxed.flatMap((t) => t.taxes);
  return addUpTaxes(lines.length > 0 ? lines : taxes(own, currencies), currencies);
}

/** What each discount took off in all, in the shop's currency, by its place in the list: both APIs carry it on the lines. */
function allocated(wire: Wire, currencies: Currencies): Map<number, MoneyBag[]> {
  const byPlace = new Map<number, MoneyBag[]>();
  for (const item of [...objects(wire.line_items), ...objects(wire.shipping_lines)])
    for (const allocation of objects(item.discount_allocations)) {
      const place = whole(allocation.discount_application_index);
      const amount = bag(allocation.amount_set, allocation.amount, currencies);
      if (place === null || amount === null) continue;
      const bags = byPlace.get(place);
      if (bags === undefined) byPlace.set(place, [amount]);
      else bags.push(amount);
    }
  return byPlace;
}

/** Discounts of the order; undefined where the message says nothing of them. Old API versions give only their codes. */
export function discounts(wire: Wire, currencies: Currencies): Discount[] | undefined {
  if (!Array.isArray(wire.discount_applications)) {
    if (!Array.isArray(wire.discount_codes)) return undefined;
    return objects(wire.discount_codes).map((d) => ({
      code: text(d.code),
      title: null,
      type: 'discount_code',
      percentage: null,
      amount: money(d.amount, currencies.shop),
    }));
  }
  if (wire.discount_applications.length === 0) return [];
  const amounts = allocated(wire, currencies);
  const oneCurrency = currencies.presentment === null || currencies.presentment === currencies.shop;
  return objects(wire.discount_applications).map((d, place) => {
    const percentage = d.value_type === 'percentage' ? number(d.value) : null;
    const taken = amounts.get(place);
    const fixed = percentage === null && oneCurrency ? money(d.value, currencies.shop) : null;
    return {
      code: text(d.code),
      title: text(d.title),
      type: text(d.type),
      percentage,
      amount: taken === undefined ? fixed : sum(taken, currencies).shop,
    };
  });
}

/** What the buyer got back by this refund: its successful transactions, where they are in the order's one currency. */
function refunded(wire: Wire, currencies: Currencies): MoneyBag | null {
  const { shop, presentment } = currencies;
  if (shop === null || (presentment !== null && presentment !== shop)) return null;
  if (!Array.isArray(wire.transactions)) return null;
  const given = objects(wire.transactions).filter((t) => t.kind === 'refund' && t.status === 'success');
  const amounts = given.map((t) => money(t.amount, currency(t.currency) ?? shop));
  if (amounts.some((a) => a === null || a.currency !== shop)) return null;
  return sum(
    amounts.filter((a) => a !== null).map((a) => ({ shop: a, presentment: null })),
    currencies,
  );
}

export const refund = (wire: Wire, currencies: Currencies): Refund => ({
  refundId: idOf(wire) ?? '',
  createdAt: toInstant(wire.created_at) ?? toInstant(wire.processed_at),
  note: text(wire.note),
  amount: refunded(wire, currencies),
  lines: objects(wire.refund_line_items).map((r) => ({
    lineId: id(r.line_item_id),
    quantity: whole(r.quantity) ?? 0,
    amount: bag(r.subtotal_set, r.subtotal, currencies),
  })),
});
