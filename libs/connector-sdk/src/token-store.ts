/** What a token endpoint gave. */
export interface TokenSet {
  readonly accessToken: string;
  /** What gets the next access token; null where the endpoint gave none. */
  readonly refreshToken: string | null;
  /** How long the access token serves, counted from the request, in milliseconds; null where the endpoint does not say. */
  readonly lifeMs: number | null;
  /** When the request went out, by `performance.now()`. */
  readonly askedAt: number;
}

/** The tokens of a connection as they are kept. */
export interface KeptTokens {
  /** Grows with every set of tokens that is stored for the connection; 0 where there never was one. */
  readonly version: number;
  /** Whom they were given to: tokens of another client, endpoint or grant type do not serve. */
  readonly fits: string;
  readonly accessToken: string;
  readonly refreshToken: string | null;
  readonly lifeMs: number | null;
  /** What is left of the access token's life by the store's clock, in milliseconds; null where nobody knows. */
  readonly leftMs: number | null;
  /** Why they do not serve: the provider takes the grant no longer, or they cannot be decrypted; null while they do. */
  readonly refused: string | null;
  /** A renewal was begun with these tokens, and how it ended was never said. */
  readonly inDoubt: boolean;
}

/** The right to renew a connection's tokens, for a time. */
export interface RenewalLease {
  /** Fencing token: higher for every next holder. */
  readonly fence: number;
  /** How long it is held without being prolonged, in milliseconds. */
  readonly ttlMs: number;
  prolong(): Promise<boolean>;
  release(): Promise<void>;
}

/**
 * Where the tokens of connections are kept, shared by every process that serves them. Throws SyncError `transient` where it
 * cannot be reached.
 */
export interface TokenStore {
  read(connection: string): Promise<KeptTokens | null>;
  /** Null while another process holds it. */
  lease(connection: string): Promise<RenewalLease | null>;
  /** Notes that a renewal with these tokens is about to be sent; false where they were replaced or a later holder began one. */
  begin(connection: string, version: number, fence: number): Promise<boolean>;
  /** Notes that the renewal begun under this fence did nothing. */
  end(connection: string, version: number, fence: number): Promise<void>;
  /**
   * Stores new tokens in place of that version, whoever holds the lease: what the endpoint gave last is what serves next.
   * With version null, of any version. Returns the new version; null where that version was replaced already.
   */
  save(connection: string, version: number | null, fits: string, tokens: TokenSet): Promise<number | null>;
  /** Notes that the provider refuses the grant; false where a later holder began a renewal, or the tokens were replaced. */
  refuse(connection: string, version: number, fence: number, reason: string): Promise<boolean>;
}

/** A token store of this process alone, for tokens that can be asked for again at any time. */
export function memoryTokens(): TokenStore {
  const kept = new Map<string, { version: number; fits: string; tokens: TokenSet }>();
  const lease: RenewalLease = { fence: 1, ttlMs: 60_000, prolong: async () => true, release: async () => undefined };
  return {
    read: async (connection) => {
      const row = kept.get(connection);
      if (row === undefined) return null;
      const { lifeMs, askedAt, ...tokens } = row.tokens;
      const leftMs = lifeMs === null ? null : askedAt + lifeMs - performance.now();
      return { ...tokens, version: row.version, fits: row.fits, lifeMs, leftMs, refused: null, inDoubt: false };
    },
    lease: async () => lease,
    begin: async () => true,
    end: async () => undefined,
    save: async (connection, version, fits, tokens) => {
      const present = kept.get(connection)?.version ?? 0;
      if (version !== null && version !== present) return null;
      kept.set(connection, { version: present + 1, fits, tokens });
      return present + 1;
    },
    refuse: async () => false,
  };
}
