import { z } from 'zod';

/** ISO 4217 currencies whose minor unit is not a hundredth: digits after the decimal point. */
const minorDigits: Readonly<Record<string, number>> = {
  BIF: 0,
  CLP: 0,
  DJF: 0,
  GNF: 0,
  ISK: 0,
  JPY: 0,
  KMF: 0,
  KRW: 0,
  PYG: 0,
  RWF: 0,
  UGX: 0,
  UYI: 0,
  VND: 0,
  VUV: 0,
  XAF: 0,
  XOF: 0,
  XPF: 0,
  BHD: 3,
  IQD: 3,
  JOD: 3,
  KWD: 3,
  LYD: 3,
  OMR: 3,
  TND: 3,
  CLF: 4,
  UYW: 4,
};

export const currencyCode = z.string().regex(/^[A-Z]{3}$/, 'expected an ISO 4217 code such as EUR');

/**
 * An amount in minor units (cents for EUR, yen for JPY) with its currency. `exact` is the source's own decimal string
 * where it has more digits than the currency's minor unit (unit prices of WooCommerce or Medusa): never used to add up.
 */
export const money = z.object({ minor: z.int(), currency: currencyCode, exact: z.string().optional() });
export type Money = z.infer<typeof money>;

/** The same amount as the shop accounts it and, where the buyer saw another currency, as it was presented. */
export const moneyBag = z.object({ shop: money, presentment: money.nullable() });
export type MoneyBag = z.infer<typeof moneyBag>;

/** Digits after the decimal point in a currency's minor unit (ISO 4217; 2 where the table names nothing else). */
export function currencyDigits(currency: string): number {
  return minorDigits[currency] ?? 2;
}

/**
 * A decimal string such as "199.00" or "-0.5" as minor units, rounded half away from zero, without floating point.
 * Returns null where the text is no plain decimal or leaves the range of safe integers.
 */
export function parseMoney(decimal: string, currency: string): Money | null {
  const match = /^([+-]?)(\d*)(?:\.(\d*))?$/.exec(decimal.trim());
  if (!match || (match[2] === '' && !match[3])) return null;
  const digits = currencyDigits(currency);
  const fraction = match[3] ?? '';
  const kept = fraction.slice(0, digits).padEnd(digits, '0');
  let minor = Number(`${match[2] === '' ? '0' : match[2]}${kept}`);
  if (fraction.length > digits && fraction.charCodeAt(digits) >= 53) minor += 1;
  if (!Number.isSafeInteger(minor)) return null;
  const signed = match[1] === '-' && minor !== 0 ? -minor : minor;
  const rest = fraction.slice(digits);
  return /[1-9]/.test(rest) ? { minor: signed, currency, exact: decimal.trim() } : { minor: signed, currency };
}

/** Minor units as the decimal string providers expect: {minor: 19900, currency: 'EUR'} → "199.00". */
export function formatMoney(value: Money): string {
  if (value.exact !== undefined) return value.exact;
  const digits = currencyDigits(value.currency);
  const text = String(Math.abs(value.minor)).padStart(digits + 1, '0');
  const sign = value.minor < 0 ? '-' : '';
  return digits === 0 ? `${sign}${text}` : `${sign}${text.slice(0, -digits)}.${text.slice(-digits)}`;
}
