const units: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 };
const sinceMsDefault = 60 * 86_400_000;

/**
 * Where a connection's first poll starts, from its setting `since`: a time span such as 60d, 12h, 90m or milliseconds, or an instant.
 * Providers' schemas have checked it; 60 days where a provider has no such setting.
 */
export function firstSince(settings: Readonly<Record<string, unknown>>, now: number): number {
  const { since } = settings;
  if (since instanceof Date) return since.getTime();
  if (typeof since === 'number') return now - since;
  if (typeof since !== 'string') return now - sinceMsDefault;
  const span = /^(\d+)\s*([smhdw])$/.exec(since);
  if (span) return now - Number(span[1]) * units[span[2]!]!;
  const instant = Date.parse(since);
  return Number.isNaN(instant) ? now - sinceMsDefault : instant;
}
