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
  /** A create was sent and nobody knows how it ended. */
  pendingCreate: boolean;
  /** No request before: an earlier one of unknown outcome may still arrive. */
  settleUntil: number | null;
  /** A dispatcher works on it now. */
  underWay: boolean;
}

const view = `target, id, kind, state, desired_revision::float8 AS "desiredRevision",
  delivered_revision::float8 AS "deliveredRevision", deleted, merged_into AS "mergedInto", external_id AS "externalId",
  attempts, extract(epoch FROM due_at)::float8 * 1000 AS "dueAt", waits_for AS "waitsFor", failure_kind AS "failureKind",
  failure_reason AS "failureReason", answered, cause, changed_at::float8 AS "changedAt",
  received_at::float8 AS "receivedAt", extract(epoch FROM updated_at)::float8 * 1000 AS "updatedAt", traceparent,
  pending_create AS "pendingCreate", extract(epoch FROM settle_until)::float8 * 1000 AS "settleUntil",
  coalesce(claimed_until >= now(), false) AS "underWay"`;

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

/** What a delivery that is not done can be: due or parked, waiting for another record, or given up. */
export const openStates = ['pending', 'waiting', 'dead'] as const;
export type OpenState = (typeof openStates)[number];

const listOrder: Readonly<Record<OpenState, string>> = {
  pending: 'due_at',
  waiting: 'updated_at',
  dead: 'updated_at DESC',
};

/**
 * Deliveries of the given targets that are not done, so many of each state at most: given up ones newest first, waiting and
 * pending ones the longest due first. A million rows cost no more than the first page: each state has its index.
 */
export async function openDeliveries(
  db: Db,
  targets: readonly string[],
  states: readonly OpenState[],
  limit: number,
): Promise<DeliveryView[]> {
  const found: DeliveryView[] = [];
  for (const state of states)
    for (const target of targets)
      found.push(
        ...(await db.query<DeliveryView>(
          `SELECT ${view} FROM deliveries WHERE target = $1 AND state = '${state}' ORDER BY ${listOrder[state]} LIMIT $2`,
          [target, limit],
        )),
      );
  return found;
}
