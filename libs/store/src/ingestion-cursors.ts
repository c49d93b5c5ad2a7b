import type { Db } from './store.js';

/** How far reading has come for one (connection, noun). Times are milliseconds of the source's clock. */
export interface Cursor {
  /** Everything changed before it is durable; null before the first whole poll. */
  watermark: number | null;
  /** The poll under way, if one was interrupted. */
  under: { since: number; mark: number; checkpoint: string | null } | null;
}

interface CursorKey {
  connection: string;
  noun: string;
  /** Fencing token of the poll's lease: a write under an older one than the row has seen changes nothing. */
  token: number;
}

interface CursorRow {
  watermark: string | null;
  poll_since: string | null;
  poll_mark: string | null;
  checkpoint: string | null;
}

/** Reads the cursor and shuts out holders of older tokens. Null where a newer holder was here. */
export async function claimCursor(db: Db, key: CursorKey): Promise<Cursor | null> {
  const [row] = await db.query<CursorRow>(
    `INSERT INTO cursors AS c (connection, noun, token) VALUES ($1, $2, $3)
     ON CONFLICT (connection, noun) DO UPDATE SET token = excluded.token WHERE c.token <= excluded.token
     RETURNING watermark, poll_since, poll_mark, checkpoint`,
    [key.connection, key.noun, key.token],
  );
  if (!row) return null;
  const under =
    row.poll_since === null || row.poll_mark === null
      ? null
      : { since: Number(row.poll_since), mark: Number(row.poll_mark), checkpoint: row.checkpoint };
  return { watermark: row.watermark === null ? null : Number(row.watermark), under };
}

/** Stores how far a poll is; call it only after everything before is durable in Kafka. False where the lease was lost. */
export async function saveCheckpoint(
  db: Db,
  key: CursorKey,
  under: { since: number; mark: number; checkpoint: string | null } | null,
): Promise<boolean> {
  const rows = await db.query(
    `UPDATE cursors SET poll_since = $4, poll_mark = $5, checkpoint = $6
     WHERE connection = $1 AND noun = $2 AND token = $3 RETURNING noun`,
    [key.connection, key.noun, key.token, under?.since ?? null, under?.mark ?? null, under?.checkpoint ?? null],
  );
  return rows.length > 0;
}

/** Ends a poll: the watermark moves to `mark` and the checkpoint goes. False where the lease was lost. */
export async function finishPoll(db: Db, key: CursorKey, mark: number): Promise<boolean> {
  const rows = await db.query(
    `UPDATE cursors SET watermark = $4, poll_since = NULL, poll_mark = NULL, checkpoint = NULL,
       polled_at = clock_timestamp()
     WHERE connection = $1 AND noun = $2 AND token = $3 RETURNING noun`,
    [key.connection, key.noun, key.token, mark],
  );
  return rows.length > 0;
}

/** Whether the last whole poll of a (connection, noun) is at least this long ago, or there was none. */
export async function pollIsDue(db: Db, connection: string, noun: string, intervalMs: number): Promise<boolean> {
  const [row] = await db.query<{ due: boolean }>(
    `SELECT polled_at <= clock_timestamp() - $3 * interval '1 millisecond' AS due FROM cursors
     WHERE connection = $1 AND noun = $2 AND polled_at IS NOT NULL`,
    [connection, noun, intervalMs],
  );
  return row?.due ?? true;
}

/** The watermarks of some connections, for status and metrics. `polledAt` is milliseconds since the epoch. */
export async function readWatermarks(
  db: Db,
  connections: readonly string[],
): Promise<
  { connection: string; noun: string; watermark: number | null; polledAt: number | null; resuming: boolean }[]
> {
  const rows = await db.query<{
    connection: string;
    noun: string;
    watermark: string | null;
    polled_at: Date | null;
    resuming: boolean;
  }>(
    `SELECT connection, noun, watermark, polled_at, poll_mark IS NOT NULL AS resuming FROM cursors
     WHERE connection = ANY($1) ORDER BY connection, noun`,
    [connections],
  );
  return rows.map((r) => ({
    connection: r.connection,
    noun: r.noun,
    watermark: r.watermark === null ? null : Number(r.watermark),
    polledAt: r.polled_at === null ? null : r.polled_at.getTime(),
    resuming: r.resuming,
  }));
}
