import type { ConfirmedRow } from './delivery-intake.js';
import type { Db } from './store.js';

/** Which of the given-up deliveries: one record, those that failed for one kind of reason, or all. */
export interface DeadSelection {
  id?: string;
  failureKind?: string;
}

const selected = `target = $1 AND state = 'dead' AND ($2::text IS NULL OR id = $2) AND ($3::text IS NULL OR failure_kind = $3)`;
const params = (target: string, which: DeadSelection) => [target, which.id ?? null, which.failureKind ?? null];

/** Makes given-up deliveries of a target with a dispatcher due again. Returns how many. */
export async function reviveDead(db: Db, target: string, which: DeadSelection): Promise<number> {
  const rows = await db.query(
    `UPDATE deliveries SET state = 'pending', attempts = 0, due_at = now(), updated_at = now() WHERE ${selected} RETURNING id`,
    params(target, which),
  );
  return rows.length;
}

/** A given-up delivery with its event; null = a tombstone. */
export interface DeadEvent extends Omit<ConfirmedRow, 'failure'> {
  event: string | null;
  failure: string;
}

const eventsMax = 1_000;

/** The given-up deliveries of a target that takes batches, oldest first, a thousand at most. */
export async function deadEvents(db: Db, target: string, which: DeadSelection): Promise<DeadEvent[]> {
  return db.query<DeadEvent>(
    `SELECT id, kind, desired_revision::float8 AS revision, deleted, merged_into AS "mergedInto", event, cause,
       changed_at::float8 AS "changedAt", received_at::float8 AS "receivedAt", traceparent, failure_kind AS failure
     FROM deliveries WHERE ${selected} ORDER BY updated_at LIMIT ${eventsMax}`,
    params(target, which),
  );
}
