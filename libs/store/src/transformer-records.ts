import type { Kind } from '@syncline/contracts';
import type { Db } from './store.js';
import type { IdentityKey } from './transformer-identity.js';
import type { Owner, Progress } from './transformer-progress.js';

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
  progress: readonly Progress[];
  /** Who writes: the partitions must belong to it. */
  owner: Owner;
}

/**
 * Writes all that a batch changed in one statement. Unless it says `written` the caller rolls back: where a new natural key was
 * taken by another transaction in the meantime it maps the batch again, where a partition went to another owner it does not.
 */
export async function writeBatch(db: Db, w: BatchWrite): Promise<'written' | 'key taken' | 'not the owner'> {
  const records = w.records.map(
    (r) =>
      `{"id":"${r.id}","kind":"${r.kind}","revision":${r.revision},"merged_into":${JSON.stringify(r.mergedInto)},"deleted":${r.deleted},"document":${r.document ?? 'null'},"state":${r.state ?? 'null'}}`,
  );
  // Counted where no other batch counts.
  const { topic, partition } = w.progress[0] as Progress;
  const counted = { topic, partition };
  const sorted = [...w.identities].sort((a, b) => (keyText(a) < keyText(b) ? -1 : 1));
  const [row] = await db.query<{ inserted: number; owned: number }>(sql, [
    `[${records.join(',')}]`,
    JSON.stringify(sorted),
    JSON.stringify(w.history),
    JSON.stringify(Object.entries(w.changed).map(([connection, changed]) => ({ ...counted, connection, changed }))),
    JSON.stringify(w.progress.map((p) => ({ ...p, next: p.next.toString() }))),
    w.owner,
  ]);
  if (Number(row?.owned) !== w.progress.length) return 'not the owner';
  return Number(row?.inserted) === sorted.length ? 'written' : 'key taken';
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
  INSERT INTO changes (connection, topic, partition, changed)
  SELECT connection, topic, partition, changed
  FROM jsonb_to_recordset($4::jsonb) AS q(connection text, topic text, partition int, changed bigint) ORDER BY connection
  ON CONFLICT (connection, topic, partition) DO UPDATE SET changed = changes.changed + EXCLUDED.changed
), done AS (
  UPDATE progress p SET next_offset = q.next, aside = q.aside
  FROM jsonb_to_recordset($5::jsonb) AS q(topic text, partition int, next bigint, aside uuid[])
  WHERE p.topic = q.topic AND p.partition = q.partition AND p.owner = $6::text[]
  RETURNING 1
)
SELECT (SELECT count(*) FROM ident)::int AS inserted, (SELECT count(*) FROM done)::int AS owned`;

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
    'SELECT connection, sum(changed)::float8 AS changed FROM changes GROUP BY connection',
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
