import { setTimeout as sleep } from 'node:timers/promises';
import { asSyncError, SyncError } from '@syncline/contracts';
import {
  type Cached,
  cachedOf,
  createRenewal,
  GrantRefused,
  type Held,
  lookAgainMs,
  serves,
  type TokenSource,
} from './renewal.js';
import type { TokenStore } from './token-store.js';

/** A request waits so long at most for a token that is being got; getting it goes on. */
const requestWaitMsMax = 15_000;
/** Pauses after failed renewals. */
const failedMsMin = 500;
const failedMsMax = 30_000;
/** How long a stop waits for a renewal under way: its answer may hold the only refresh token that works. */
const closeMsMax = 10_000;

/** The access token of one connection, kept good. */
export interface Tokens {
  /** The token to send now. */
  current(): Promise<Held>;
  /** After a 401 with `refused`: gets a newer one. */
  renew(refused: Held): Promise<void>;
  /** Waits for a renewal under way, a while at most. */
  close(): Promise<void>;
}

/**
 * Keeps the access token of a connection good together with every other process that serves it. One process at a time renews,
 * under a lease; it marks the tokens before it asks the endpoint and stores the answer by compare-and-set:
 * - the answer is stored whoever holds the lease by then, as long as the tokens it replaces are still the stored ones: with
 *   rotating refresh tokens it is the only one that works, and a holder that took over in between has an older one;
 * - a refusal is stored only by the last one that asked: an earlier one may have been refused because the later was served;
 * - any other failure changes nothing but the time of the next try.
 */
export function createTokens(source: TokenSource, store: TokenStore, stopping: AbortSignal): Tokens {
  const renewal = createRenewal(source, store, stopping);
  let cached: Cached | null = null;
  let underWay: Promise<Cached> | null = null;
  let failures = 0;
  let failed: { error: SyncError; until: number } | null = null;

  const noteFailure = (thrown: unknown): void => {
    const error = asSyncError(thrown);
    // A grant that is over is looked up each time: it serves again as soon as somebody connects.
    if (error instanceof GrantRefused) return;
    failures += 1;
    const pauseMs = Math.min(failedMsMax, failedMsMin * 2 ** Math.min(failures - 1, 10)) * (0.5 + Math.random() / 2);
    failed = { error, until: performance.now() + Math.max(pauseMs, error.retryAfterMs ?? 0) };
  };
  /** One at a time in this process: what is newer than the version that no longer serves. */
  const renewed = (seen: number): Promise<Cached> => {
    if (underWay !== null) return underWay;
    if (failed !== null && performance.now() < failed.until) return Promise.reject(failed.error);
    underWay = renewal(seen)
      .then((fresh) => {
        cached = fresh;
        failures = 0;
        failed = null;
        return fresh;
      })
      .catch((thrown) => {
        noteFailure(thrown);
        throw thrown;
      })
      .finally(() => {
        underWay = null;
      });
    underWay.catch(() => undefined);
    return underWay;
  };
  /** What other processes stored since: a newer token, or one of another account after somebody connected again. */
  const lookAtStore = async (present: Cached): Promise<void> => {
    present.lookAt = performance.now() + lookAgainMs;
    const kept = await store.read(source.connection);
    if (cached === present && kept !== null && kept.version > present.version && serves(kept, source))
      cached = cachedOf(kept);
  };

  return {
    current: async () => {
      const now = performance.now();
      if (cached === null || now >= cached.endsAt) return inTime(renewed(cached?.version ?? -1), stopping);
      const present = cached;
      if (now >= present.renewAt) {
        // Renewal ahead of time must not delay or fail a request that the present token still serves.
        present.renewAt = now + lookAgainMs;
        renewed(present.version).catch(() => undefined);
      } else if (now >= present.lookAt) lookAtStore(present).catch(() => undefined);
      return present;
    },
    renew: async (refused) => {
      // Another request may have renewed it while this one was under way.
      if (cached !== null && cached.version !== refused.version) return;
      await inTime(renewed(refused.version), stopping);
    },
    close: async () => {
      if (underWay === null) return;
      const pause = new AbortController();
      const late = sleep(closeMsMax, undefined, { signal: pause.signal }).catch(() => undefined);
      await Promise.race([underWay.catch(() => undefined), late]);
      pause.abort();
    },
  };
}

/** What is got within the time a request may wait; afterwards it is still being got. */
async function inTime(getting: Promise<Cached>, stopping: AbortSignal): Promise<Cached> {
  const done = new AbortController();
  const signal = AbortSignal.any([done.signal, stopping]);
  const late = sleep(requestWaitMsMax, undefined, { signal }).then(
    () => {
      throw new SyncError('transient', 'the access token is still being renewed');
    },
    () => {
      throw new SyncError('transient', 'the service is stopping');
    },
  );
  late.catch(() => undefined);
  try {
    return await Promise.race([getting, late]);
  } finally {
    done.abort();
  }
}
