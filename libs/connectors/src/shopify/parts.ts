import {
  type Address,
  type Attribute,
  type Money,
  type MoneyBag,
  parseMoney,
  SyncError,
  type TaxLine,
} from '@syncline/contracts';
import { number, object, objects, text, type Wire } from './wire.js';

const currencyShape = /^[A-Z]{3}$/;

/** An ISO 4217 code; null where the value is none. */
export const currency = (value: unknown): string | null =>
  typeof value === 'string' && currencyShape.test(value) ? value : null;

/** A decimal text or number in a currency; null where either is missing or no amount. */
export function money(amount: unknown, code: string | null): Money | null {
  if (code === null) return null;
  const decimal = typeof amount === 'number' ? String(amount) : amount;
  const parsed = typeof decimal === 'string' ? parseMoney(decimal, code) : null;
  if (parsed?.exact !== undefined) parsed.exact = parsed.exact.replace(/0+$/, '');
  return parsed;
}

/** An order's two currencies: amounts without a `*_set`, as old API versions send them, are in the shop's. */
export interface Currencies {
  shop: string | null;
  presentment: string | null;
}

const oneMoney = (wire: Wire): Money | null =>
  money(wire.amount, currency(wire.currency_code) ?? currency(wire.currencyCode) ?? currency(wire.currency));

/** A `*_set` (REST) or MoneyBag (GraphQL), or the plain amount beside it; null where neither says an amount. */
export function bag(set: unknown, plain: unknown, currencies: Currencies): MoneyBag | null {
  const wire = object(set);
  const shop = oneMoney(object(wire.shop_money ?? wire.shopMoney)) ?? money(plain, currencies.shop);
  if (shop === null) return null;
  const presentment = oneMoney(object(wire.presentment_money ?? wire.presentmentMoney));
  return { shop, presentment: presentment === null || presentment.currency === shop.currency ? null : presentment };
}

/** ISO 4217 for no currency at all: an amount whose currency nothing in the message tells. */
const noCurrency = 'XXX';

/** Nothing, in the order's currencies. */
export const zero = ({ shop, presentment }: Currencies): MoneyBag => ({
  shop: { minor: 0, currency: shop ?? noCurrency },
  presentment:
    presentment === null || presentment === shop || shop === null ? null : { minor: 0, currency: presentment },
});

function plus(a: Money, b: Money): Money {
  const minor = a.minor + b.minor;
  if (!Number.isSafeInteger(minor))
    throw new SyncError('unmappable', 'amounts add up to more than can be held exactly');
  return { minor, currency: a.currency };
}

/** The sum of amounts of one order; currencies that differ from the first's are left out. */
export function sum(bags: readonly MoneyBag[], currencies: Currencies): MoneyBag {
  const total = zero(currencies);
  for (const { shop, presentment } of bags) {
    if (shop.currency === total.shop.currency) total.shop = plus(total.shop, shop);
    if (presentment !== null && presentment.currency === total.presentment?.currency)
      total.presentment = plus(total.presentment, presentment);
  }
  return total;
}

export const taxes = (value: unknown, currencies: Currencies): TaxLine[] =>
  objects(value).map((wire) => ({
    title: text(wire.title),
    rate: number(wire.rate),
    amount: bag(wire.price_set ?? wire.priceSet, wire.price, currencies) ?? zero(currencies),
  }));

/** Taxes of one title and rate added up, in the order they first stand. */
export function addUpTaxes(lines: readonly TaxLine[], currencies: Currencies): TaxLine[] {
  const groups = new Map<string, TaxLine[]>();
  for (const line of lines) {
    const key = `${line.rate} ${line.title}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [line]);
    else group.push(line);
  }
  return [...groups.values()].map((group) => {
    const [first] = group as [TaxLine, ...TaxLine[]];
    if (group.length === 1) return first;
    const amounts = group.map((line) => line.amount);
    return { title: first.title, rate: first.rate, amount: sum(amounts, currencies) };
  });
}

/** Names and values users attach: `{name, value}` in REST, `{key, value}` in GraphQL. Values that are no text are kept as JSON. */
export const attributes = (value: unknown): Attribute[] =>
  objects(value).map((wire) => ({
    name: text(wire.name ?? wire.key) ?? '',
    value:
      typeof wire.value === 'object' && wire.value !== null
        ? text(JSON.stringify(wire.value))
        : text(wire.value ?? null),
  }));

const countryShape = /^[A-Z]{2}$/;

/** A postal address of REST; null where there is none. */
export function address(value: unknown): Address | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const wire = value as Wire;
  const code = text(wire.country_code);
  const parts = [text(wire.first_name), text(wire.last_name)].filter((part) => part !== null);
  return {
    name: text(wire.name) ?? (parts.join(' ') || null),
    company: text(wire.company),
    lines: [text(wire.address1), text(wire.address2)].filter((line) => line !== null),
    city: text(wire.city),
    region: text(wire.province_code) ?? text(wire.province),
    postalCode: text(wire.zip),
    country: code !== null && countryShape.test(code) ? code : null,
    countryName: text(wire.country),
    phone: text(wire.phone),
    email: null,
  };
}

/** Tags as REST's comma-separated text or GraphQL's list, sorted and without repeats. */
export function tags(value: unknown): string[] {
  const list = Array.isArray(value) ? value : typeof value === 'string' ? value.split(',') : [];
  const clean = list.map((tag) => text(tag)?.trim() ?? '').filter((tag) => tag !== '');
  return [...new Set(clean)].sort();
}
