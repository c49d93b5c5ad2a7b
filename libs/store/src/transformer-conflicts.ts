import type { Db } from './store.js';

/** A conflict the merge has decided. Values are JSON; absent where they may not be shown. Times are milliseconds since the epoch. */
export interface ConflictRow {
  id: string;
  kind: string;
  field: string;
  winner: string;
  winnerAt: number;
  loser: string;
  loserAt: number;
  /** owner: the winner owns the field; newer: its edit is; tie: of two of one moment it came later. */
  why: string;
  values: { won: unknown; lost: unknown } | null;
}

/** A field that a target keeps in another form than was sent and than its connector declares. */
export interface UnstableRow {
  id: string;
  kind: string;
  connection: string;
  noun: string;
  field: string;
  values: { sent: unknown; kept: unknown } | null;
}

/** Conflicts kept of one record at most; the oldest go. */
export const conflictsKept = 20;

/** Stores decided conflicts, in order, and forgets what is more than a record may keep. */
export async function storeConflicts(db: Db, rows: readonly ConflictRow[]): Promise<void> {
  if (rows.length === 0) return;
  await db.query(
    `INSERT INTO conflicts (id, kind, field, winner, winner_at, loser, loser_at, why, "values")
     SELECT id, kind, field, winner, "winnerAt", loser, "loserAt", why, "values"
     FROM json_to_recordset($1::json) AS q(id uuid, kind text, field text, winner text, "winnerAt" float8, loser text,
       "loserAt" float8, why text, "values" json)`,
    [JSON.stringify(rows)],
  );
  await db.query(
    `DELETE FROM conflicts c USING (
       SELECT seq FROM (SELECT seq, row_number() OVER (PARTITION BY id ORDER BY seq DESC) AS n FROM conflicts
         WHERE id = ANY($1::uuid[])) ranked WHERE n > $2) old
     WHERE c.seq = old.seq`,
    [[...new Set(rows.map((r) => r.id))], conflictsKept],
  );
}

/** Stores forms a target keeps of what was sent; of a field that is known already the newest, counted. */
export async function storeUnstable(db: Db, rows: readonly UnstableRow[]): Promise<void> {
  for (const r of rows)
    await db.query(
      `INSERT INTO unstable AS u (id, kind, connection, noun, field, "values") VALUES ($1, $2, $3, $4, $5, $6::json)
       ON CONFLICT (id, connection, noun, field) DO UPDATE SET
         "values" = excluded."values", times = u.times + 1, at = now()`,
      [r.id, r.kind, r.connection, r.noun, r.field, r.values === null ? null : JSON.stringify(r.values)],
    );
}

const named = `(SELECT coalesce(r.document->'data'->>'name', r.document->'data'->>'trackingNumber') FROM records r WHERE r.id = q.id) AS name`;
const at = `to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at`;

/** When it was stored, and what people call the record; null where it has no name. */
export interface Told {
  at: string;
  name: string | null;
}

/** Decided conflicts, newest first, of one record or of all. */
export async function readConflicts(
  db: Db,
  which: { id: string | null; limit: number },
): Promise<(ConflictRow & Told)[]> {
  return db.query(
    `SELECT id, kind, field, winner, winner_at AS "winnerAt", loser, loser_at AS "loserAt", why, "values", ${at}, ${named}
     FROM conflicts q WHERE $1::uuid IS NULL OR id = $1::uuid ORDER BY seq DESC LIMIT $2`,
    [which.id, which.limit],
  );
}

/** Fields that targets keep in a form nobody declared, newest first, of one record or of all. */
export async function readUnstable(
  db: Db,
  which: { id: string | null; limit: number },
): Promise<(UnstableRow & Told & { times: number })[]> {
  return db.query(
    `SELECT id, kind, connection, noun, field, "values", times, ${at}, ${named}
     FROM unstable q WHERE $1::uuid IS NULL OR id = $1::uuid ORDER BY q.at DESC LIMIT $2`,
    [which.id, which.limit],
  );
}

/** Removes what is older than so many days. */
export async function forgetConflicts(db: Db, days: number): Promise<void> {
  await db.query('DELETE FROM conflicts WHERE at < now() - make_interval(days => $1)', [days]);
  await db.query('DELETE FROM unstable WHERE at < now() - make_interval(days => $1)', [days]);
}

/** What keeps messages about a record from being taken in, and creates of ours that are announced. */
export interface Waiting {
  /** Observations that wait for a receipt of ours, with since when. Milliseconds since the epoch. */
  held: { connection: string; noun: string; since: number }[];
  /** Creates that a writer announced and has not confirmed. */
  intents: { connection: string; noun: string; since: number }[];
}

/** What waits for a record. */
export async function waitingOf(db: Db, id: string): Promise<Waiting> {
  const since = 'extract(epoch FROM since)::float8 * 1000 AS since';
  const [held, intents] = await Promise.all([
    db.query<Waiting['held'][number]>(`SELECT connection, noun, ${since} FROM held WHERE id = $1 ORDER BY seq`, [id]),
    db.query<Waiting['intents'][number]>(`SELECT connection, noun, ${since} FROM intents WHERE id = $1`, [id]),
  ]);
  return { held, intents };
}

/** An ambiguous key that a record's own objects carry, or that is the record's and others carry too. */
export interface AmbiguousKey {
  scope: string;
  connection: string;
  externalId: string;
  /** The record that has the key. */
  id: string;
}

/** Ambiguous keys a record has to do with: its own, and those of its objects (as `<connection> <external id>`). */
export async function ambiguitiesAround(db: Db, id: string, objects: readonly string[]): Promise<AmbiguousKey[]> {
  return db.query(
    `SELECT scope, connection, external_id AS "externalId", id FROM ambiguities
     WHERE id = $1 OR connection || ' ' || external_id = ANY($2::text[]) ORDER BY since`,
    [id, objects],
  );
}
