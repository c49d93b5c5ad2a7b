import type { Db } from './store.js';

/** A canonical event as a writer of objects takes it in. Times are milliseconds since the epoch. */
export interface DesiredRow {
  id: string;
  kind: string;
  revision: number;
  deleted: boolean;
  mergedInto: string | null;
  /** Whether the target should get an object of it. */
  wanted: boolean;
  /** The event's JSON text; null for a tombstone. */
  event: string | null;
  cause: string;
  changedAt: number;
  receivedAt: number;
  traceparent: string | null;
}

/**
 * Stores the newest revision of each record as due now, unless the row has it or a newer one already. A parked row is
 * replaced in place; a tombstone leaves the event of a create whose outcome is not known, to look that up.
 * Returns how many rows are to be worked on.
 */
export async function storeDesired(db: Db, target: string, rows: readonly DesiredRow[]): Promise<number> {
  if (rows.length === 0) return 0;
  const stored = await db.query<{ state: string }>(
    `INSERT INTO deliveries AS d (target, id, kind, desired_revision, state, deleted, merged_into, event, cause,
       changed_at, received_at, traceparent)
     SELECT $1, r.id, r.kind, r.revision, CASE WHEN r.wanted AND NOT r.deleted THEN 'pending' ELSE 'unwanted' END,
       r.deleted, r."mergedInto", r.event, r.cause, r."changedAt", r."receivedAt", r.traceparent
     FROM jsonb_to_recordset($2::jsonb) AS r(id text, kind text, revision bigint, deleted boolean, "mergedInto" text,
       wanted boolean, event text, cause text, "changedAt" bigint, "receivedAt" bigint, traceparent text)
     ORDER BY r.id
     ON CONFLICT (target, id) DO UPDATE SET
       desired_revision = excluded.desired_revision,
       deleted = excluded.deleted,
       merged_into = excluded.merged_into,
       state = CASE WHEN excluded.state = 'unwanted' AND d.external_id IS NULL AND NOT d.pending_create
         THEN 'unwanted' ELSE 'pending' END,
       event = CASE WHEN excluded.deleted AND d.pending_create THEN d.event
         WHEN excluded.state = 'unwanted' AND d.external_id IS NULL AND NOT d.pending_create THEN NULL
         ELSE excluded.event END,
       due_at = now(), attempts = 0, waits_for = NULL, failure_kind = NULL, failure_reason = NULL,
       cause = excluded.cause, changed_at = excluded.changed_at, received_at = excluded.received_at,
       traceparent = excluded.traceparent, updated_at = now()
     WHERE excluded.desired_revision > d.desired_revision
     RETURNING d.state`,
    [target, JSON.stringify(rows)],
  );
  return stored.filter((r) => r.state === 'pending').length;
}

/** One record of a batch target, after the target took it (or refused it). */
export interface ConfirmedRow {
  id: string;
  kind: string;
  revision: number;
  deleted: boolean;
  mergedInto: string | null;
  cause: string;
  changedAt: number;
  receivedAt: number;
  traceparent: string | null;
  /** Set where the target refused it for good; the event is kept to replay it. */
  failure: { kind: string; reason: string; event: string | null } | null;
}

/** Stores how each record of a batch ended, in one statement; rows that have something newer stay as they are. */
export async function storeConfirmed(db: Db, target: string, rows: readonly ConfirmedRow[]): Promise<void> {
  if (rows.length === 0) return;
  await db.query(
    `INSERT INTO deliveries AS d (target, id, kind, desired_revision, delivered_revision, state, deleted, merged_into,
       event, failure_kind, failure_reason, cause, changed_at, received_at, traceparent)
     SELECT $1, r.id, r.kind, r.revision, CASE WHEN r.failure IS NULL THEN r.revision ELSE 0 END,
       CASE WHEN r.failure IS NULL THEN 'delivered' ELSE 'dead' END, r.deleted, r."mergedInto",
       r.failure->>'event', r.failure->>'kind', r.failure->>'reason', r.cause, r."changedAt", r."receivedAt", r.traceparent
     FROM jsonb_to_recordset($2::jsonb) AS r(id text, kind text, revision bigint, deleted boolean, "mergedInto" text,
       cause text, "changedAt" bigint, "receivedAt" bigint, traceparent text, failure jsonb)
     ORDER BY r.id
     ON CONFLICT (target, id) DO UPDATE SET
       desired_revision = excluded.desired_revision,
       delivered_revision = greatest(d.delivered_revision, excluded.delivered_revision),
       state = excluded.state, deleted = excluded.deleted, merged_into = excluded.merged_into, event = excluded.event,
       failure_kind = excluded.failure_kind, failure_reason = excluded.failure_reason, attempts = 0,
       cause = excluded.cause, changed_at = excluded.changed_at, received_at = excluded.received_at,
       traceparent = excluded.traceparent, updated_at = now()
     WHERE excluded.desired_revision > d.desired_revision
       OR (excluded.desired_revision = d.desired_revision AND d.state <> 'delivered')`,
    [target, JSON.stringify(rows.map((r) => ({ ...r, failure: r.failure ?? undefined })))],
  );
}

/** The revision of each record that is at the target already; records without one are not in the map. */
export async function deliveredRevisions(db: Db, target: string, ids: readonly string[]): Promise<Map<string, number>> {
  if (ids.length === 0) return new Map();
  const rows = await db.query<{ id: string; revision: number }>(
    `SELECT id, delivered_revision::float8 AS revision FROM deliveries
     WHERE target = $1 AND id = ANY($2::text[]) AND delivered_revision > 0`,
    [target, ids],
  );
  return new Map(rows.map((r) => [r.id, r.revision]));
}
