import { setTimeout as sleep } from 'node:timers/promises';
import { asSyncError, SyncError } from '@syncline/contracts';
import type { KeptTokens, RenewalLease, TokenSet, TokenStore } from './token-store.js';

/** Tokens are renewed when this share of their life, at most `renewAheadMsMax`, is left. */
const renewAheadShare = 0.1;
const renewAheadMsMax = 300_000;
/** Pause between two looks at the store, or two tries, while the present token still serves. */
export const lookAgainMs = 5_000;
/** Pause between two looks while another process renews. */
const otherRenewsMs = 250;
/** A renewal whose sender is gone may have been answered: so long its answer may still be on the way to the store. */
const doubtMs = 1_500;

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

/** No grant serves: there is none, or the provider takes it no longer. */
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

/** A token in use, and until when; times by `performance.now()`. */
export interface Cached extends Held {
  renewAt: number;
  readonly endsAt: number;
  lookAt: number;
}

/** Whether stored tokens can be used as they are. */
export const serves = (kept: KeptTokens, { fits }: TokenSource): boolean =>
  kept.refused === null && kept.fits === fits && (kept.leftMs === null || kept.leftMs > 0);

/** Stored tokens as this process uses them. */
export function cachedOf(kept: KeptTokens): Cached {
  const now = performance.now();
  const leftMs = kept.leftMs ?? Number.POSITIVE_INFINITY;
  const aheadMs = kept.lifeMs === null ? 0 : Math.min(renewAheadMsMax, kept.lifeMs * renewAheadShare);
  const { version, accessToken: value } = kept;
  return { version, value, renewAt: now + leftMs - aheadMs, endsAt: now + leftMs, lookAt: now + lookAgainMs };
}

/** Gets tokens newer than a version: another process's from the store, else the endpoint's under the lease. */
export function createRenewal(
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
      if (lacking !== null) throw new GrantRefused(`connection ${connection} ${lacking}: ${remedy}`);
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
      throw new GrantRefused(
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
