import { createHash } from 'node:crypto';
import type { RawItem } from '@syncline/connector-sdk';

/**
 * Which states a poll has already published, so that its overlap does not publish them again. Only a state that was read
 * safely after its version's second counts: before, an equal version may still hide a later change of the same second.
 */
export interface SeenStates {
  has(item: RawItem): boolean;
  add(item: RawItem, readAt: number): void;
}

const settledMs = 2_000;

/** Remembers the newest state of up to `most` objects. */
export function createSeenStates(most = 20_000): SeenStates {
  const states = new Map<string, string>();
  const mark = (item: RawItem) =>
    createHash('sha1').update(item.version).update('\0').update(item.body).digest('base64');
  return {
    has: (item) => states.get(item.externalId) === mark(item),
    add(item, readAt) {
      states.delete(item.externalId);
      if (readAt - versionMs(item.version) < settledMs) return;
      states.set(item.externalId, mark(item));
      if (states.size > most) states.delete(states.keys().next().value as string);
    },
  };
}

/** The time a version names, in milliseconds; -Infinity for versions that are no times (and so have no seconds to tie in). */
export function versionMs(version: string): number {
  const asNumber = /^\d{12,14}$/.test(version) ? Number(version) : Date.parse(version);
  return Number.isNaN(asNumber) ? Number.NEGATIVE_INFINITY : asNumber;
}
