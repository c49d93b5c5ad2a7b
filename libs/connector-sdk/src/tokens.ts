import { setTimeout as sleep } from 'node:timers/promises';
import { asSyncError, SyncError } from '@syncline/contracts';
import type { KeptTokens, RenewalLease, TokenSet, TokenStore } from './token-store.js';

/** Tokens are renewed when this share of their life, at most `renewAheadMsMax`, is left. */
const renewAheadShare = 0.1;
const renewAheadMsMax = 300_000;
/** Pause between two looks at the store, or two tries, while the present token still serves. */
const lookAgainMs = 5_000;
/** A request waits so long at most for a token that is being got; getting it goes on. */
const requestWaitMsMax = 15_000;
/** Pause between two looks while another process renews. */
const otherRenewsMs = 250;
/** A renewal whose sender is gone may have been answered: so long its answer may still be on the way to the store. */
const doubtMs = 1_500;
/** Pauses after failed renewals. */
const failedMsMin = 500;
const failedMsMax = 30_000;
/** How long a stop waits for a renewal under way: its answer may hold the only refresh token that works. */
const closeMsMax = 10_000;

/** What renewing means for one connection. */
export interface TokenSource {
  readonly connection: string;
  /** Whom its tokens are for; see `KeptTokens.fits`. */
  readonly fits: string;
  /** True where tokens come from a grant that a person gave: it cannot be asked for again. */
  readonly granted: boolean;
  /** Asks the token endpoint. With `granted`, `kept` holds the refresh token to use. Throws SyncError; `GrantRefused` ends the grant. */
  ask(kept: KeptTokens | null): Promise<TokenSet>;
  /** What to say where no grant serves: the sentence ends with this. */
  readonly remedy: string;
}

/** The token endpoint takes the grant no longer. */
export class GrantRefused extends SyncError {
  constructor(message: string) {
    super('unauthorized', message);
  }
}

/** A token in use. */
export interface Held {
  readonly version: number;
  readonly value: string;
}

/** The access token of one connection, kept good. */
export interface Tokens {
  /** The token to send now. */
  current(): Promise<Held>;
  /** After a 401 with `refused`: gets a newer one. */
  renew(refused: Held): Promise<void>;
  /** Waits for a renewal under way, a while at most. */
  close(): Promise<void>;
}

interface Cached extends Held {
  renewAt: number;
  readonly endsAt: number;
  lookAt: number;
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
    // A refusal is looked up each time: it is over as soon as somebody connects again.
    if (error.kind === 'unauthorized' && source.granted) return;
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

const serves = (kept: KeptTokens, { fits }: TokenSource): boolean =>
  kept.refused === null && kept.fits === fits && (kept.leftMs === null || kept.leftMs > 0);

function cachedOf(kept: KeptTokens): Cached {
  const now = performance.now();
  const leftMs = kept.leftMs ?? Number.POSITIVE_INFINITY;
  const aheadMs = kept.lifeMs === null ? 0 : Math.min(renewAheadMsMax, kept.lifeMs * renewAheadShare);
  const { version, accessToken: value } = kept;
  return { version, value, renewAt: now + leftMs - aheadMs, endsAt: now + leftMs, lookAt: now + lookAgainMs };
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

/** Gets tokens newer than a version: another process's from the store, else the endpoint's under the lease. */
function createRenewal(
  source: TokenSource,
  store: TokenStore,
  stopping: AbortSignal,
): (seen: number) => Promise<Cached> {
  const { connection, granted, fits, remedy } = source;

  /** The stored tokens; throws `unauthorized` where they hold no grant that could be renewed or used. */
  const read = async (seen: number): Promise<{ kept: KeptTokens | null; fresh: Cached | null }> => {
    const kept = await store.read(connection);
    if (kept !== null && kept.version > seen && serves(kept, source)) return { kept, fresh: cachedOf(kept) };
    if (granted) {
      const lacking = kept === null ? 'has no grant' : lackOf(kept, fits);
      if (lacking !== null) throw new SyncError('unauthorized', `connection ${connection} ${lacking}: ${remedy}`);
    }
    return { kept, fresh: null };
  };

  const underLease = async (lease: RenewalLease, seen: number): Promise<Cached | null> => {
    let { kept, fresh } = await read(seen);
    if (fresh === null && granted && kept?.inDoubt) {
      await pause(doubtMs, stopping);
      ({ kept, fresh } = await read(seen));
    }
    if (fresh !== null) return fresh;
    const version = kept?.version ?? 0;
    if (granted && !(await store.begin(connection, version, lease.fence))) return null;
    let tokens: TokenSet;
    try {
      tokens = await source.ask(kept);
    } catch (thrown) {
      const error = asSyncError(thrown);
      if (granted && !error.outcomeUnknown && !(error instanceof GrantRefused))
        await store.end(connection, version, lease.fence).catch(() => undefined);
      if (!(error instanceof GrantRefused)) throw unsent(error);
      const doubt = kept?.inDoubt
        ? '; an earlier renewal was cut off, and its answer with the next refresh token lost'
        : '';
      if (!(await store.refuse(connection, version, lease.fence, `${error.message}${doubt}`))) return null;
      throw new SyncError(
        'unauthorized',
        `connection ${connection} has a grant that does not serve (${error.message}${doubt}): ${remedy}`,
      );
    }
    return saved(version, tokens);
  };

  /** Tries until the store has the answer: there is no other copy of a rotated refresh token. */
  const saved = async (version: number, tokens: TokenSet): Promise<Cached | null> => {
    const keeping = { ...tokens, fits, refused: null, inDoubt: false };
    for (let tries = 0; ; tries += 1) {
      try {
        const next = await store.save(connection, version, fits, tokens);
        const { lifeMs } = tokens;
        const leftMs = lifeMs === null ? null : Math.max(0, lifeMs - (performance.now() - tokens.askedAt));
        return next === null ? null : cachedOf({ ...keeping, version: next, leftMs });
      } catch (thrown) {
        if (stopping.aborted && tries > 5) throw thrown;
        await sleep(Math.min(2_000, 100 * 2 ** Math.min(tries, 6)));
      }
    }
  };

  return async (seen) => {
    for (;;) {
      const { fresh } = await read(seen);
      if (fresh !== null) return fresh;
      const lease = await store.lease(connection);
      if (lease === null) {
        await pause(otherRenewsMs * (0.6 + Math.random() * 0.8), stopping);
        continue;
      }
      const prolonging = setInterval(() => void lease.prolong().catch(() => undefined), lease.ttlMs / 3);
      try {
        const got = await underLease(lease, seen);
        if (got !== null) return got;
      } finally {
        clearInterval(prolonging);
        await lease.release().catch(() => undefined);
      }
    }
  };
}

/** A failed renewal as the failure of the request that waited for it, which was not sent. */
function unsent({ kind, message, retryAfterMs, path, cause }: SyncError): SyncError {
  return new SyncError(kind, message, {
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(path === undefined ? {} : { path }),
    cause,
  });
}

/** Why a grant can be neither used nor renewed; null where it can. */
function lackOf(kept: KeptTokens, fits: string): string | null {
  if (kept.refused !== null) return `has a grant that does not serve (${kept.refused})`;
  if (kept.fits !== fits) return 'has a grant for another client or another address only';
  if (kept.refreshToken === null) return 'has an access token that ended, and was given no refresh token';
  return null;
}

async function pause(ms: number, stopping: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal: stopping }).catch(() => {
    throw new SyncError('transient', 'the service is stopping');
  });
}
