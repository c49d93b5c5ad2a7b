import type { Db } from './store.js';

/** Records of one target by what became of them. Tombstones that are done count nowhere. */
export interface TargetCounts {
  target: string;
  kind: string;
  desired: number;
  delivered: number;
  pending: number;
  waiting: number;
  dead: number;
}

/** Counts of the given targets by kind; targets without a record are not in the answer. */
export async function countDeliveries(db: Db, targets: readonly string[]): Promise<TargetCounts[]> {
  return db.query<TargetCounts>(
    `SELECT target, kind, count(*)::int AS desired,
       count(*) FILTER (WHERE state = 'delivered')::int AS delivered,
       count(*) FILTER (WHERE state = 'pending')::int AS pending,
       count(*) FILTER (WHERE state = 'waiting')::int AS waiting,
       count(*) FILTER (WHERE state = 'dead')::int AS dead
     FROM deliveries WHERE target = ANY($1::text[]) AND state <> 'unwanted' AND NOT (deleted AND state = 'delivered')
     GROUP BY target, kind ORDER BY target, kind`,
    [targets],
  );
}

/** A delivery as the operator sees it. Times are milliseconds since the epoch. */
export interface DeliveryView {
  target: string;
  id: string;
  kind: string;
  state: string;
  desiredRevision: number;
  deliveredRevision: number;
  deleted: boolean;
  mergedInto: string | null;
  externalId: string | null;
  attempts: number;
  dueAt: number;
  waitsFor: string[] | null;
  failureKind: string | null;
  failureReason: string | null;
  answered: Record<string, unknown> | null;
  cause: string;
  changedAt: number;
  receivedAt: number;
  updatedAt: number;
  traceparent: string | null;
}

const view = `target, id, kind, state, desired_revision::float8 AS "desiredRevision",
  delivered_revision::float8 AS "deliveredRevision", deleted, merged_into AS "mergedInto", external_id AS "externalId",
  attempts, extract(epoch FROM due_at)::float8 * 1000 AS "dueAt", waits_for AS "waitsFor", failure_kind AS "failureKind",
  failure_reason AS "failureReason", answered, cause, changed_at::float8 AS "changedAt",
  received_at::float8 AS "receivedAt", extract(epoch FROM updated_at)::float8 * 1000 AS "updatedAt", traceparent`;

/** What became of one record at the given targets. */
export async function deliveriesOf(db: Db, targets: readonly string[], id: string): Promise<DeliveryView[]> {
  return db.query<DeliveryView>(
    `SELECT ${view} FROM deliveries WHERE target = ANY($1::text[]) AND id = $2 ORDER BY target`,
    [targets, id],
  );
}

/** The deliveries that were given up, newest first. */
export async function deadDeliveries(db: Db, targets: readonly string[], limit: number): Promise<DeliveryView[]> {
  return db.query<DeliveryView>(
    `SELECT ${view} FROM deliveries WHERE target = ANY($1::text[]) AND state = 'dead'
     ORDER BY updated_at DESC LIMIT $2`,
    [targets, limit],
  );
}
