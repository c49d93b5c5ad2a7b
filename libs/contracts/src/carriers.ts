/**
 * Carrier codes of the canonical model and the free texts and provider codes that mean them. Only exact aliases count
 * (after folding case, spaces and punctuation): a wrong guess would join two parcels, an unknown carrier only waits.
 */
const aliases: Readonly<Record<string, readonly string[]>> = {
  usps: ['USPS', 'US Postal Service', 'United States Postal Service', 'U.S. Postal Service', 'stamps_com'],
  ups: ['UPS', 'United Parcel Service', 'UPSDAP', 'ups_walleted'],
  fedex: ['FedEx', 'Federal Express', 'FedExDefault', 'FedEx Ground', 'FedEx Express'],
  dhl_express: ['DHL Express', 'DHLExpress', 'DHL Express Worldwide'],
  dhl_ecommerce: ['DHL eCommerce', 'DHLEcs', 'DhlEcommerce', 'DHL eCommerce Solutions', 'DHLGlobalMail'],
  dhl_paket: ['DHL Paket', 'DHL Parcel Germany', 'DHLPaket', 'Deutsche Post DHL'],
  canada_post: ['Canada Post', 'CanadaPost', 'Postes Canada'],
  purolator: ['Purolator', 'Purolator Courier'],
  royal_mail: ['Royal Mail', 'RoyalMail'],
  parcelforce: ['Parcelforce', 'Parcelforce Worldwide'],
  evri: ['Evri', 'Hermes UK', 'MyHermes'],
  dpd: ['DPD', 'DPD Group'],
  dpd_uk: ['DPD UK', 'DpdUk'],
  gls: ['GLS', 'General Logistics Systems'],
  ontrac: ['OnTrac', 'On Trac'],
  lasership: ['LaserShip'],
  lso: ['LSO', 'Lone Star Overnight'],
  australia_post: ['Australia Post', 'AustraliaPost'],
  new_zealand_post: ['New Zealand Post', 'NZ Post', 'NZPost'],
  japan_post: ['Japan Post', 'JapanPost', 'Japan Post (EN)', 'Japan Post (JA)'],
  la_poste: ['La Poste', 'Colissimo'],
  chronopost: ['Chronopost'],
  postnl: ['PostNL', 'Post NL'],
  correos: ['Correos', 'Correos Spain'],
  poste_italiane: ['Poste Italiane', 'PosteItaliane'],
  tnt: ['TNT', 'TNT Express', 'TNTExpress'],
  aramex: ['Aramex'],
  sf_express: ['SF Express', 'SFExpress', 'S.F. Express'],
  amazon: ['Amazon Logistics', 'Amazon Logistics US', 'Amazon Logistics UK', 'AmazonMws', 'Amazon Shipping'],
};

const fold = (text: string): string => text.toLowerCase().replace(/[^a-z0-9]/g, '');
const byAlias = new Map(
  Object.entries(aliases).flatMap(
    ([code, names]) => [[fold(code), code], ...names.map((n) => [fold(n), code])] as [string, string][],
  ),
);

/** The carrier code a free text or a provider's code means; null where the alias table does not know it. */
export function carrierCode(text: string | null | undefined): string | null {
  return text ? (byAlias.get(fold(text)) ?? null) : null;
}

/** The name of a carrier as shops display it (the first alias); null for an unknown code. */
export function carrierTitle(code: string): string | null {
  return aliases[code]?.[0] ?? null;
}

/** A tracking number without the spaces and dashes people put in, in capitals: equal numbers are equal texts. */
export function foldTrackingNumber(number: string): string {
  return number.replace(/[\s-]/g, '').toUpperCase();
}

/** The natural key that joins a parcel's records across systems; null where the carrier is unknown: a number alone is no identity. */
export function trackingKey(carrier: string | null, number: string | null): NaturalTrackingKey | null {
  if (!carrier || !number) return null;
  const folded = foldTrackingNumber(number);
  return folded === '' ? null : { scope: 'tracking', key: `${carrier}:${folded}` };
}

export interface NaturalTrackingKey {
  scope: 'tracking';
  key: string;
}
