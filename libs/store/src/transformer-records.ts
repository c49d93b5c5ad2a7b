import type { Kind } from '@syncline/contracts';
import type { Db } from './store.js';
import type { IdentityKey } from './transformer-identity.js';

/** A record's row as a batch reads it under its lock. */
export interface RecordRow {
  id: string;
  kind: Kind;
  revision: number;
  mergedInto: string | null;
  deleted: boolean;
  /** The canonical record's JSON text as last published. */
  document: string | null;
  /** The merge's state as JSON text. */
  state: string | null;
  createdAt: number;
}

/** Locks rows in id order, so that two batches never wait for each other in a circle, and reads them. */
export async function lockRecords(db: Db, ids: readonly string[]): Promise<RecordRow[]> {
  if (ids.length === 0) return [];
  return db.query(
    `SELECT id, kind, revision::float8 AS revision, merged_into AS "mergedInto", deleted, document::text AS document, state::text AS state,
            extract(epoch FROM created_at)::float8 * 1000 AS "createdAt"
     FROM records WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE`,
    [ids],
  );
}

/** Takes the next revisions. Only call under the locks of the records they are for: revision order is lock order. */
export async function nextRevisions(db: Db, count: number): Promise<number[]> {
  if (count === 0) return [];
  const rows = await db.query<{ r: number }>(`SELECT nextval('revision')::float8 AS r FROM generate_series(1, $1)`, [
    count,
  ]);
  return rows.map((row) => row.r);
}

/** A record as a batch leaves it. Texts are JSON that goes through unparsed. */
export interface RecordWrite {
  id: string;
  kind: Kind;
  revision: number;
  mergedInto: string | null;
  deleted: boolean;
  document: string | null;
  state: string | null;
}

export interface HistoryWrite {
  id: string;
  revision: number;
  connection: string;
  eventId: string;
  origin: string;
  changed: string[];
  traceId: string | null;
}

export interface BatchWrite {
  records: readonly RecordWrite[];
  identities: readonly (IdentityKey & { id: string })[];
  history: readonly HistoryWrite[];
  /** Revisions per connection that caused them. */
  changed: Readonly<Record<string, number>>;
  progress: Progress & { topic: string; partition: number };
}

/** What a takeover has to publish again, since it may be committed here and not in Kafka. */
export interface Progress {
  from: bigint;
  next: bigint;
  /** Records the batch published to which its messages, given again, would not lead. */
  aside: readonly string[];
}

/**
 * Writes all that a batch changed in one statement. Returns false where a new natural key was taken by another transaction
 * in the meantime: the caller rolls back and maps the batch again.
 */
export async function writeBatch(db: Db, w: BatchWrite): Promise<boolean> {
  const records = w.records.map(
    (r) =>
      `{"id":"${r.id}","kind":"${r.kind}","revision":${r.revision},"merged_into":${JSON.stringify(r.mergedInto)},"deleted":${r.deleted},"document":${r.document ?? 'null'},"state":${r.state ?? 'null'}}`,
  );
  const sorted = [...w.identities].sort((a, b) => (keyText(a) < keyText(b) ? -1 : 1));
  const [row] = await db.query<{ inserted: number }>(sql, [
    `[${records.join(',')}]`,
    JSON.stringify(sorted),
    JSON.stringify(w.history),
    JSON.stringify(Object.entries(w.changed).map(([connection, changed]) => ({ connection, changed }))),
    w.progress.topic,
    w.progress.partition,
    w.progress.from.toString(),
    w.progress.next.toString(),
    w.progress.aside,
  ]);
  return Number(row?.inserted ?? 0) === sorted.length;
}

const keyText = (k: IdentityKey) => `${k.kind}\u0001${k.scope}\u0001${k.key}`;

// The upsert never goes back: a row of a newer revision would mean a lost lock, and a record's own batches only go forward.
const sql = `
WITH ident AS (
  INSERT INTO identity (kind, scope, key, id)
  SELECT kind, scope, key, id FROM jsonb_to_recordset($2::jsonb) AS q(kind text, scope text, key text, id uuid)
  ON CONFLICT DO NOTHING RETURNING 1
), rec AS (
  INSERT INTO records (id, kind, revision, merged_into, deleted, document, state)
  SELECT id, kind, revision, merged_into, deleted, document, state
  FROM json_to_recordset($1::json) AS q(id uuid, kind text, revision bigint, merged_into uuid, deleted boolean, document json, state json)
  ON CONFLICT (id) DO UPDATE SET revision = EXCLUDED.revision, merged_into = EXCLUDED.merged_into, deleted = EXCLUDED.deleted,
    document = EXCLUDED.document, state = EXCLUDED.state, updated_at = now()
), hist AS (
  INSERT INTO history (id, revision, connection, event_id, origin, changed, trace_id)
  SELECT id, revision, connection, "eventId", origin, changed, "traceId"
  FROM jsonb_to_recordset($3::jsonb) AS q(id uuid, revision bigint, connection text, "eventId" text, origin text, changed text[], "traceId" text)
), counted AS (
  INSERT INTO changes (connection, changed)
  SELECT connection, changed FROM jsonb_to_recordset($4::jsonb) AS q(connection text, changed bigint) ORDER BY connection
  ON CONFLICT (connection) DO UPDATE SET changed = changes.changed + EXCLUDED.changed
), done AS (
  INSERT INTO progress (topic, partition, batch_from, next_offset, aside) VALUES ($5, $6, $7, $8, $9::uuid[])
  ON CONFLICT (topic, partition) DO UPDATE
    SET batch_from = EXCLUDED.batch_from, next_offset = EXCLUDED.next_offset, aside = EXCLUDED.aside
)
SELECT count(*)::int AS inserted FROM ident`;

/** The last batch this store committed for a source partition; null before the first. */
export async function readProgress(db: Db, topic: string, partition: number): Promise<Progress | null> {
  const [row] = await db.query<{ f: string; n: string; aside: string[] }>(
    'SELECT batch_from::text AS f, next_offset::text AS n, aside FROM progress WHERE topic = $1 AND partition = $2',
    [topic, partition],
  );
  return row ? { from: BigInt(row.f), next: BigInt(row.n), aside: row.aside } : null;
}

/** Shipments that name an order, for when that order was joined into another. */
export async function shipmentsOf(db: Db, order: string): Promise<string[]> {
  const rows = await db.query<{ id: string }>(
    `SELECT id FROM records WHERE kind = 'shipment' AND document->'data'->>'orderId' = $1`,
    [order],
  );
  return rows.map((r) => r.id);
}

/** Removes history older than so many days; the record itself and its newest state stay. */
export async function forgetHistory(db: Db, days: number): Promise<void> {
  await db.query('DELETE FROM history WHERE at < now() - make_interval(days => $1)', [days]);
}

/** Revisions caused per connection since the store was made. */
export async function countChanges(db: Db): Promise<Record<string, number>> {
  const rows = await db.query<{ connection: string; changed: number }>(
    'SELECT connection, changed::float8 AS changed FROM changes',
  );
  return Object.fromEntries(rows.map((r) => [r.connection, r.changed]));
}

/** One record with its history, oldest first, at most the newest 200 revisions. */
export async function readTimeline(
  db: Db,
  id: string,
): Promise<{ record: RecordRow | null; history: (HistoryWrite & { at: string })[] }> {
  const [record] = await db.query<RecordRow>(
    `SELECT id, kind, revision::float8 AS revision, merged_into AS "mergedInto", deleted, document::text AS document, state::text AS state,
            extract(epoch FROM created_at)::float8 * 1000 AS "createdAt" FROM records WHERE id = $1`,
    [id],
  );
  const history = await db.query<HistoryWrite & { at: string }>(
    `SELECT id, revision::float8 AS revision, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at, connection,
            event_id AS "eventId", origin, changed, trace_id AS "traceId"
     FROM history WHERE id = $1 ORDER BY revision DESC LIMIT 200`,
    [id],
  );
  return { record: record ?? null, history: history.reverse() };
}
