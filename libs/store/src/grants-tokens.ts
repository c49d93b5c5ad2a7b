import { randomUUID } from 'node:crypto';
import { SyncError } from '@syncline/contracts';
import { releaseLease, renewLease, takeLease } from './ingestion-leases.js';
import { type SecretBox, secretBox, secretKeysVariable } from './secret-box.js';
import { type Db, openStore, type Store } from './store.js';

/** How long a renewer that died keeps others waiting, in milliseconds; a living one prolongs it. */
const leaseMs = 9_000;

/** A set of tokens to keep. Times as in the connector SDK's `TokenSet`, which this is. */
interface NewTokens {
  readonly accessToken: string;
  readonly refreshToken: string | null;
  readonly lifeMs: number | null;
  readonly askedAt: number;
}

/** The stored tokens of one connection; the connector SDK's `KeptTokens` says what each field means. */
export interface StoredTokens {
  readonly version: number;
  readonly fits: string;
  readonly accessToken: string;
  readonly refreshToken: string | null;
  readonly lifeMs: number | null;
  readonly leftMs: number | null;
  readonly refused: string | null;
  readonly inDoubt: boolean;
}

export interface GrantStoreOptions {
  url: string;
  /** The value of SYNCLINE_SECRET_KEYS. */
  keys: string;
  applicationName: string;
}

/** The connections' tokens, encrypted in PostgreSQL: what the connector SDK calls a `TokenStore`. */
export interface GrantStore extends ReturnType<typeof tokensIn> {
  close(): Promise<void>;
}

/**
 * Where tokens are kept as far as a service needs it: `needed` by its connections, merely `useful`, or `none`. Null where they
 * are not kept. Throws `rejected` where they are needed and there is no key, or a key is none. Nothing is opened before the
 * first use.
 */
export function grantStore(
  keeping: 'needed' | 'useful' | 'none',
  { url, keys, applicationName }: Omit<GrantStoreOptions, 'keys'> & { keys: string | undefined },
): GrantStore | null {
  if (keeping === 'none' || (keeping === 'useful' && !keys)) return null;
  if (!keys)
    throw new SyncError(
      'rejected',
      `${secretKeysVariable} is not set: grants are kept encrypted; make a key with "openssl rand -base64 32" and keep it`,
      { path: secretKeysVariable },
    );
  const box = secretBox(keys);
  let opening: Promise<Store> | null = null;
  let closed = false;
  const store = (): Promise<Store> => {
    // A defect, so that nobody waits for it to come back.
    if (closed) throw new SyncError('defect', 'the store of grants is closed');
    opening ??= openStore({ url, role: 'grants', applicationName, poolSize: 2 }).catch((thrown: unknown) => {
      opening = null;
      throw thrown;
    });
    return opening;
  };
  const db: Db = { query: async (sql, params) => (await store()).query(sql, params) };
  return {
    ...tokensIn(db, box),
    close: async () => {
      closed = true;
      await (await opening?.catch(() => null))?.close();
    },
  };
}

interface Row {
  version: string;
  fits: string;
  sealed: string;
  life_ms: string | null;
  left_ms: string | null;
  refused: string | null;
  attempt: string | null;
}

/** The token table as functions. Time is the database's. */
function tokensIn(db: Db, box: SecretBox) {
  const holder = randomUUID();
  return {
    /** Tokens sealed under an old key are sealed under the first one on the way; those of a missing key count as refused. */
    read: async (connection: string): Promise<StoredTokens | null> => {
      const [row] = await db.query<Row>(
        `SELECT version, fits, sealed, life_ms, refused, attempt,
           extract(epoch FROM ends_at - clock_timestamp()) * 1000 AS left_ms
         FROM tokens WHERE connection = $1`,
        [connection],
      );
      if (!row) return null;
      const known = {
        version: Number(row.version),
        fits: row.fits,
        lifeMs: row.life_ms === null ? null : Number(row.life_ms),
        leftMs: row.left_ms === null ? null : Number(row.left_ms),
        inDoubt: row.attempt !== null,
      };
      let text: string;
      try {
        text = box.open(row.sealed, connection);
      } catch (thrown) {
        return { ...known, accessToken: '', refreshToken: null, refused: (thrown as SyncError).message };
      }
      if (box.isOld(row.sealed))
        await db.query('UPDATE tokens SET sealed = $3 WHERE connection = $1 AND sealed = $2', [
          connection,
          row.sealed,
          box.seal(text, connection),
        ]);
      const { accessToken, refreshToken } = JSON.parse(text) as NewTokens;
      return { ...known, accessToken, refreshToken, refused: row.refused };
    },

    lease: async (connection: string) => {
      const lease = { name: connection, holder, ttlMs: leaseMs };
      const token = await takeLease(db, lease);
      if (token === null) return null;
      const held = { ...lease, token };
      return {
        fence: token,
        ttlMs: leaseMs,
        prolong: () => renewLease(db, held),
        release: () => releaseLease(db, held),
      };
    },

    begin: async (connection: string, version: number, fence: number): Promise<boolean> => {
      const rows = await db.query(
        `UPDATE tokens SET attempt = $3
         WHERE connection = $1 AND version = $2 AND refused IS NULL AND (attempt IS NULL OR attempt < $3)
         RETURNING version`,
        [connection, version, fence],
      );
      return rows.length > 0;
    },

    end: async (connection: string, version: number, fence: number): Promise<void> => {
      await db.query('UPDATE tokens SET attempt = NULL WHERE connection = $1 AND version = $2 AND attempt = $3', [
        connection,
        version,
        fence,
      ]);
    },

    save: async (
      connection: string,
      version: number | null,
      fits: string,
      { accessToken, refreshToken, lifeMs, askedAt }: NewTokens,
    ): Promise<number | null> => {
      const sealed = box.seal(JSON.stringify({ accessToken, refreshToken }), connection);
      const leftMs = lifeMs === null ? null : lifeMs - (performance.now() - askedAt);
      const [row] = await db.query<{ version: string }>(
        `INSERT INTO tokens AS t (connection, version, fits, sealed, life_ms, ends_at)
         SELECT $1, 1, $3, $4, $5, clock_timestamp() + $6::float8 * interval '1 millisecond'
         WHERE $2::bigint IS NULL OR $2 = 0 OR EXISTS (SELECT FROM tokens WHERE connection = $1)
         ON CONFLICT (connection) DO UPDATE SET
           version = t.version + 1, fits = excluded.fits, sealed = excluded.sealed, life_ms = excluded.life_ms,
           ends_at = excluded.ends_at, attempt = NULL, refused = NULL, saved_at = now()
         WHERE $2 IS NULL OR t.version = $2
         RETURNING version`,
        [connection, version, fits, sealed, lifeMs === null ? null : Math.round(lifeMs), leftMs],
      );
      return row ? Number(row.version) : null;
    },

    refuse: async (connection: string, version: number, fence: number, reason: string): Promise<boolean> => {
      const rows = await db.query(
        `UPDATE tokens SET refused = $4, attempt = NULL
         WHERE connection = $1 AND version = $2 AND attempt = $3 RETURNING version`,
        [connection, version, fence, reason],
      );
      return rows.length > 0;
    },
  };
}
