import type { Db } from './store.js';

/** What a backfill is to bring. Times are milliseconds of the source's clock. */
export interface BackfillSpec {
  connection: string;
  noun: string;
  since: number;
  until: number;
  /** These objects, whenever they changed; null: all that changed from `since` to `until`. */
  ids: string[] | null;
  /** Counts only, publishes nothing. */
  dryRun: boolean;
}

export type BackfillState = 'running' | 'done' | 'failed' | 'cancelled';

/** A backfill and how far it is. `startedAt` and `endedAt` are milliseconds since the epoch. */
export interface BackfillRow extends BackfillSpec {
  id: number;
  state: BackfillState;
  reason: string | null;
  /** Where to go on; of a list of ids how many are done. */
  checkpoint: string | null;
  /** The newest change seen, by the source's clock. */
  position: number | null;
  found: number;
  published: number;
  missing: number;
  activeMs: number;
  startedAt: number;
  endedAt: number | null;
}

/** What one page moves. */
export type BackfillProgress = Pick<
  BackfillRow,
  'checkpoint' | 'position' | 'found' | 'published' | 'missing' | 'activeMs' | 'reason'
>;

const columns = `id::float8 AS id, connection, noun, since::float8 AS since, until::float8 AS until, ids, dry_run AS "dryRun",
  state, reason, checkpoint, position::float8 AS position, found::float8 AS found, published::float8 AS published,
  missing::float8 AS missing, active_ms::float8 AS "activeMs", extract(epoch FROM started_at)::float8 * 1000 AS "startedAt",
  extract(epoch FROM ended_at)::float8 * 1000 AS "endedAt"`;

/** Notes a backfill that is to be done; null where one of that connection and noun is under way already. */
export async function addBackfill(db: Db, spec: BackfillSpec): Promise<BackfillRow | null> {
  const [row] = await db.query<BackfillRow>(
    `INSERT INTO backfills (connection, noun, since, until, ids, dry_run) VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (connection, noun) WHERE state = 'running' DO NOTHING RETURNING ${columns}`,
    [spec.connection, spec.noun, spec.since, spec.until, spec.ids, spec.dryRun],
  );
  return row ?? null;
}

/** The backfills of some connections, newest first: those under way, and the latest others. */
export async function readBackfills(db: Db, connections: readonly string[], limit = 50): Promise<BackfillRow[]> {
  return db.query<BackfillRow>(
    `SELECT ${columns} FROM backfills WHERE connection = ANY($1) ORDER BY state = 'running' DESC, id DESC LIMIT $2`,
    [connections, limit],
  );
}

/** Takes a backfill on under a lease's token, which shuts out holders of older ones; null where it is not to be done any more. */
export async function claimBackfill(db: Db, id: number, token: number): Promise<BackfillRow | null> {
  const [row] = await db.query<BackfillRow>(
    `UPDATE backfills SET token = $2 WHERE id = $1 AND state = 'running' AND token <= $2 RETURNING ${columns}`,
    [id, token],
  );
  return row ?? null;
}

/** Stores how far a backfill is; call it only after everything before is durable. False where it was cancelled or the lease lost. */
export async function saveBackfill(db: Db, id: number, token: number, p: BackfillProgress): Promise<boolean> {
  const rows = await db.query(
    `UPDATE backfills SET checkpoint = $3, position = $4, found = $5, published = $6, missing = $7, active_ms = $8, reason = $9
     WHERE id = $1 AND token = $2 AND state = 'running' RETURNING id`,
    [id, token, p.checkpoint, p.position, p.found, p.published, p.missing, Math.round(p.activeMs), p.reason],
  );
  return rows.length > 0;
}

/** Ends a backfill. False where it was cancelled or the lease lost. */
export async function endBackfill(
  db: Db,
  id: number,
  token: number,
  state: 'done' | 'failed',
  reason: string | null,
): Promise<boolean> {
  const rows = await db.query(
    `UPDATE backfills SET state = $3, reason = $4, ended_at = clock_timestamp()
     WHERE id = $1 AND token = $2 AND state = 'running' RETURNING id`,
    [id, token, state, reason],
  );
  return rows.length > 0;
}

/** Cancels what is under way of a connection's nouns; whoever works on it stops at its next page. Returns what was cancelled. */
export async function cancelBackfills(db: Db, connection: string, nouns: readonly string[]): Promise<BackfillRow[]> {
  return db.query<BackfillRow>(
    `UPDATE backfills SET state = 'cancelled', ended_at = clock_timestamp()
     WHERE connection = $1 AND noun = ANY($2) AND state = 'running' RETURNING ${columns}`,
    [connection, nouns],
  );
}
