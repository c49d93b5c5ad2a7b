// Made-up people and goods for the orders the sandbox places by itself.
import type { Random } from '../random.js';

/** An article of the shop; price in cents of the shop's currency. */
export interface Article {
  productId: number;
  variantId: number;
  title: string;
  variantTitle: string | null;
  sku: string;
  vendor: string;
  priceMinor: number;
  grams: number;
}

const article = (
  n: number,
  title: string,
  variantTitle: string | null,
  sku: string,
  priceMinor: number,
  grams: number,
): Article => ({
  productId: 8_801_200_000_000 + n,
  variantId: 46_120_300_000_000 + n,
  title,
  variantTitle,
  sku,
  vendor: n % 2 === 0 ? 'North Pier Goods' : 'Atelier Lund',
  priceMinor,
  grams,
});

export const CATALOGUE: readonly Article[] = [
  article(1, 'Linen apron', 'Indigo', 'APRON-IND', 4_800, 340),
  article(2, 'Walnut board', null, 'BOARD-WAL', 6_450, 1_250),
  article(3, 'Stoneware mug', 'Sand / 350 ml', 'MUG-SND-350', 2_199, 410),
  article(4, 'Beeswax candle', 'Set of 3', 'CNDL-BW-3', 1_875, 520),
  article(5, 'Wool throw', 'Moss / 130 x 180', 'THROW-MOS', 11_900, 1_480),
  article(6, 'Brass hook', 'Small', 'HOOK-BR-S', 950, 95),
  article(7, 'Notebook', 'Dotted / A5', 'NOTE-DOT-A5', 1_420, 280),
  article(8, 'Olive soap', null, 'SOAP-OLV', 699, 130),
];

/** Somebody who buys. */
export interface Person {
  firstName: string;
  lastName: string;
  street: string;
  city: string;
  province: string;
  provinceCode: string;
  country: string;
  countryCode: string;
  zip: string;
}

const FIRST = [
  'Ada',
  'Bruno',
  'Carla',
  'Dmitri',
  'Elif',
  'Farah',
  'Grace',
  'Henrik',
  'Inès',
  'Jonas',
  'Keiko',
  'Łukasz',
] as const;
const LAST = [
  'Abbott',
  'Bergström',
  "D'Angelo",
  'Fischer',
  'García',
  'Ito',
  'Kowalska',
  'Müller',
  'Nguyen',
  'Okafor',
] as const;
const STREETS = ['Harbour Rd', 'Mill Lane', 'Station St', 'Elm Avenue', 'Old Quay', 'Chapel Hill'] as const;
const PLACES = [
  ['Portland', 'Maine', 'ME', 'United States', 'US', '04101'],
  ['Charleston', 'South Carolina', 'SC', 'United States', 'US', '29401'],
  ['Boulder', 'Colorado', 'CO', 'United States', 'US', '80302'],
  ['Duluth', 'Minnesota', 'MN', 'United States', 'US', '55802'],
  ['Toronto', 'Ontario', 'ON', 'Canada', 'CA', 'M5V 2T6'],
  ['Ithaca', 'New York', 'NY', 'United States', 'US', '14850'],
] as const;

/** A person out of the generator. */
export function somebody(random: Random): Person {
  const [city, province, provinceCode, country, countryCode, zip] = random.pick(PLACES);
  return {
    firstName: random.pick(FIRST),
    lastName: random.pick(LAST),
    street: `${random.int(1, 240)} ${random.pick(STREETS)}`,
    city,
    province,
    provinceCode,
    country,
    countryCode,
    zip,
  };
}
