import type { ConfirmedRow } from './delivery-intake.js';
import type { Db } from './store.js';

/** Which of the given-up deliveries: one record, those that failed for one kind of reason, or all. */
export interface DeadSelection {
  id?: string;
  failureKind?: string;
}

const selected = `target = $1 AND state = 'dead' AND ($2::text IS NULL OR id = $2) AND ($3::text IS NULL OR failure_kind = $3)`;
const params = (target: string, which: DeadSelection) => [target, which.id ?? null, which.failureKind ?? null];

/** Makes given-up deliveries of a target with a dispatcher due again, unless it has that revision or a newer one. Counts both. */
export async function reviveDead(
  db: Db,
  target: string,
  which: DeadSelection,
): Promise<{ revived: number; superseded: number }> {
  const rows = await db.query<{ state: string }>(
    `UPDATE deliveries SET state = CASE WHEN delivered_revision >= desired_revision THEN 'delivered' ELSE 'pending' END,
       attempts = 0, due_at = now(), updated_at = now() WHERE ${selected} RETURNING state`,
    params(target, which),
  );
  const revived = rows.filter((r) => r.state === 'pending').length;
  return { revived, superseded: rows.length - revived };
}

/** Given-up deliveries that failed for the same reason. `since` and `last` are milliseconds since the epoch. */
export interface DeadCause {
  target: string;
  kind: string;
  reason: string;
  count: number;
  since: number;
  last: number;
  /** Canonical ids of some of them, the newest first. */
  examples: string[];
}

const causesMax = 200;

/** The given-up deliveries of some targets by cause, the most frequent first. */
export async function deadCauses(db: Db, targets: readonly string[], which: DeadSelection): Promise<DeadCause[]> {
  return db.query<DeadCause>(
    `SELECT target, coalesce(failure_kind, 'unknown') AS kind, coalesce(failure_reason, '') AS reason, count(*)::int AS count,
       extract(epoch FROM min(updated_at))::float8 * 1000 AS since, extract(epoch FROM max(updated_at))::float8 * 1000 AS last,
       (array_agg(id ORDER BY updated_at DESC))[1:3] AS examples
     FROM deliveries WHERE target = ANY($1::text[]) AND state = 'dead' AND ($2::text IS NULL OR id = $2)
       AND ($3::text IS NULL OR failure_kind = $3)
     GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 2, 3 LIMIT ${causesMax}`,
    [targets, which.id ?? null, which.failureKind ?? null],
  );
}

/** A given-up delivery with its event; null = a tombstone. */
export interface DeadEvent extends Omit<ConfirmedRow, 'failure'> {
  event: string | null;
  failure: string;
}

/** Given-up deliveries one look gives at most. */
export const deadEventsMax = 1_000;

/** The given-up deliveries of a target that takes batches, oldest first, so many at most. */
export async function deadEvents(db: Db, target: string, which: DeadSelection): Promise<DeadEvent[]> {
  return db.query<DeadEvent>(
    `SELECT id, kind, desired_revision::float8 AS revision, deleted, merged_into AS "mergedInto", event, cause,
       changed_at::float8 AS "changedAt", received_at::float8 AS "receivedAt", traceparent, failure_kind AS failure
     FROM deliveries WHERE ${selected} ORDER BY updated_at LIMIT ${deadEventsMax}`,
    params(target, which),
  );
}
