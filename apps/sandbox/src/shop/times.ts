import { SHOP_ZONE } from './shop.js';

const offsets = new Map<number, number>();
const zone = new Intl.DateTimeFormat('en-US', { timeZone: SHOP_ZONE, timeZoneName: 'longOffset' });
const HOUR_MS = 3_600_000;

/** Minutes east of UTC in the shop's zone; asked once an hour, since Intl is slow. */
function offsetMinutes(at: number): number {
  const hour = Math.floor(at / HOUR_MS);
  let minutes = offsets.get(hour);
  if (minutes === undefined) {
    const name = zone.formatToParts(at).find(({ type }) => type === 'timeZoneName')?.value ?? 'GMT';
    const match = /GMT([+-])(\d\d):(\d\d)/.exec(name);
    minutes = match ? (match[1] === '-' ? -1 : 1) * (Number(match[2]) * 60 + Number(match[3])) : 0;
    offsets.set(hour, minutes);
  }
  return minutes;
}

/** As REST and webhooks write times: in the shop's zone, to the second: "2026-07-01T09:30:00-04:00". */
export function restTime(at: number): string {
  const minutes = offsetMinutes(at);
  const local = new Date(at + minutes * 60_000).toISOString().slice(0, 19);
  const two = (value: number): string => String(value).padStart(2, '0');
  const size = Math.abs(minutes);
  return `${local}${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

/** restTime, or null for null. */
export const restTimeOrNull = (at: number | null): string | null => (at === null ? null : restTime(at));

/** As GraphQL writes times: UTC, to the second. */
export const graphTime = (at: number): string => `${new Date(at).toISOString().slice(0, 19)}Z`;

/** graphTime, or null for null. */
export const graphTimeOrNull = (at: number | null): string | null => (at === null ? null : graphTime(at));
