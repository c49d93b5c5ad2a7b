import type { Kind } from '@syncline/contracts';
import type { Db } from './store.js';

/** An observation that waits for the receipt of a write of ours. `id` null: for a create of ours at that connection. */
export interface HeldRow {
  seq: string;
  id: string | null;
  connection: string;
  kind: Kind;
  noun: string;
  provider: string;
  /** JSON of the observation and of its raw envelope. */
  observation: unknown;
  envelope: unknown;
  /** Since when it waits, as PostgreSQL writes it; null for what begins to wait now. */
  since: string | null;
}

/** Parks observations, in order. */
export async function holdObservations(db: Db, rows: readonly Omit<HeldRow, 'seq'>[]): Promise<void> {
  if (rows.length === 0) return;
  await db.query(
    `INSERT INTO held (id, connection, kind, noun, provider, observation, envelope, since)
     SELECT id, connection, kind, noun, provider, observation, envelope, coalesce(since, now())
     FROM json_to_recordset($1::json) AS q(id uuid, connection text, kind text, noun text, provider text, observation json,
       envelope json, since timestamptz)`,
    [JSON.stringify(rows)],
  );
}

const columns = 'seq::text AS seq, id, connection, kind, noun, provider, observation, envelope, since::text AS since';

/** Takes what waits for a record, oldest first. */
export async function takeHeld(db: Db, id: string): Promise<HeldRow[]> {
  return inOrder(await db.query<HeldRow>(`DELETE FROM held WHERE id = $1 RETURNING ${columns}`, [id]));
}

/** Takes what waits for a create of ours at a connection, oldest first. */
export async function takeHeldForCreate(db: Db, connection: string, noun: string): Promise<HeldRow[]> {
  return inOrder(
    await db.query<HeldRow>(
      `DELETE FROM held WHERE id IS NULL AND connection = $1 AND noun = $2 RETURNING ${columns}`,
      [connection, noun],
    ),
  );
}

const inOrder = (rows: HeldRow[]) => rows.sort((a, b) => (BigInt(a.seq) < BigInt(b.seq) ? -1 : 1));

/** What has waited longer than `ms`: one entry per record or, where no record is known, per connection and noun. */
export async function overdueHeld(
  db: Db,
  ms: number,
): Promise<{ id: string | null; connection: string; kind: Kind; noun: string; provider: string }[]> {
  return db.query(
    `SELECT DISTINCT id, connection, kind, noun, provider FROM held WHERE since < now() - make_interval(secs => $1::float8 / 1000) LIMIT 500`,
    [ms],
  );
}

/** Notes creates that a writer announced. A repeated announcement renews the moment. */
export async function openIntents(
  db: Db,
  rows: readonly { id: string; connection: string; noun: string; revision: number }[],
): Promise<void> {
  if (rows.length === 0) return;
  await db.query(
    `INSERT INTO intents (id, connection, noun, revision)
     SELECT DISTINCT ON (id, connection, noun) id, connection, noun, revision
     FROM jsonb_to_recordset($1::jsonb) AS q(id uuid, connection text, noun text, revision bigint) ORDER BY id, connection, noun, revision DESC
     ON CONFLICT (id, connection, noun) DO UPDATE SET revision = EXCLUDED.revision, renewed = now()`,
    [JSON.stringify(rows)],
  );
}

/** Ends the announcement of a create. */
export async function closeIntent(db: Db, id: string, connection: string, noun: string): Promise<void> {
  await db.query('DELETE FROM intents WHERE id = $1 AND connection = $2 AND noun = $3', [id, connection, noun]);
}

/**
 * Was a create of ours under way at that connection when an object of it was first seen (`seen`, null = now), and is it still?
 * A create that was announced later cannot have made it: else what waits for one would go on to wait for the next.
 * Announcements older than `ms` no longer count.
 */
export async function createUnderWay(
  db: Db,
  connection: string,
  noun: string,
  seen: string | null,
  ms: number,
): Promise<boolean> {
  const rows = await db.query(
    `SELECT 1 FROM intents WHERE connection = $1 AND noun = $2 AND since <= coalesce($3::timestamptz, now())
       AND renewed > now() - make_interval(secs => $4::float8 / 1000) LIMIT 1`,
    [connection, noun, seen, ms],
  );
  return rows.length > 0;
}
