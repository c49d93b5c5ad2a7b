// Shopify's money: every amount twice, in the shop's currency and in the one the buyer saw ("presentment").
// Shapes: MoneyBag in the Admin GraphQL schema, `*_set` in https://shopify.dev/docs/api/admin-rest/latest/resources/order

/** An amount in minor units (cents, yen): first in the shop's currency, then in the presentment currency. */
export type Bag = readonly [shop: number, presentment: number];

/** The two currencies of an order. */
export interface Currencies {
  currency: string;
  presentmentCurrency: string;
}

/** Digits after the point, ISO 4217; every other currency the sandbox uses has two. */
const DECIMALS: Readonly<Record<string, number>> = { JPY: 0, KRW: 0, VND: 0, CLP: 0, ISK: 0, KWD: 3, BHD: 3, JOD: 3 };

export const ZERO: Bag = [0, 0];

export const decimalsOf = (currency: string): number => DECIMALS[currency] ?? 2;

export const add = (...bags: readonly Bag[]): Bag => [
  bags.reduce((sum, bag) => sum + bag[0], 0),
  bags.reduce((sum, bag) => sum + bag[1], 0),
];

export const subtract = (from: Bag, bag: Bag): Bag => [from[0] - bag[0], from[1] - bag[1]];

/** Each side times a factor, rounded to whole minor units. */
export const times = (bag: Bag, factor: number): Bag => [Math.round(bag[0] * factor), Math.round(bag[1] * factor)];

/** A shop amount in minor units as a bag, converted by the order's rate. */
export function bagOf(shopMinor: number, currencies: Currencies, rate: number): Bag {
  const shift = 10 ** (decimalsOf(currencies.presentmentCurrency) - decimalsOf(currencies.currency));
  return [shopMinor, Math.round(shopMinor * rate * shift)];
}

/** "12.50" or 12.5 as minor units; throws where it is no amount of that currency. */
export function toMinor(amount: string | number, currency: string): number {
  const minor = Number(amount) * 10 ** decimalsOf(currency);
  if (!Number.isFinite(minor)) throw new RangeError(`"${amount}" is no amount of money; write it like "12.50"`);
  return Math.round(minor);
}

/** As REST and webhooks write it: "12.50", "1200" for yen. */
export const formatMinor = (minor: number, currency: string): string => {
  const decimals = decimalsOf(currency);
  return (minor / 10 ** decimals).toFixed(decimals);
};

/** A `*_set` object of the REST shapes. */
export const restSet = (bag: Bag, { currency, presentmentCurrency }: Currencies) => ({
  shop_money: { amount: formatMinor(bag[0], currency), currency_code: currency },
  presentment_money: { amount: formatMinor(bag[1], presentmentCurrency), currency_code: presentmentCurrency },
});

/** GraphQL's Decimal has no trailing zeros, but always one digit after the point: "12.5", "1200.0". */
const decimal = (minor: number, currency: string): string =>
  formatMinor(minor, currency)
    .replace(/^([^.]*)$/, '$1.0')
    .replace(/(\.\d+?)0+$/, '$1');

/** A MoneyV2. */
export const moneyV2 = (minor: number, currencyCode: string) => ({
  __typename: 'MoneyV2',
  amount: decimal(minor, currencyCode),
  currencyCode,
});

/** A MoneyBag. */
export const moneyBag = (bag: Bag, { currency, presentmentCurrency }: Currencies) => ({
  shopMoney: moneyV2(bag[0], currency),
  presentmentMoney: moneyV2(bag[1], presentmentCurrency),
});
