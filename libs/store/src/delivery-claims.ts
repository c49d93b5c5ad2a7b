import type { Fields } from '@syncline/contracts';
import type { Db } from './store.js';

/** A row a dispatcher holds. Times are milliseconds since the epoch. */
export interface ClaimedRow {
  id: string;
  kind: string;
  revision: number;
  deleted: boolean;
  mergedInto: string | null;
  externalId: string | null;
  made: boolean;
  pendingCreate: boolean;
  tries: Fields[];
  attempts: number;
  event: string | null;
  cause: string;
  changedAt: number;
  receivedAt: number;
  traceparent: string | null;
}

/** Who holds a row: every write of a delivery names it, so that a holder whose lease ran out changes nothing. */
export interface Claim {
  target: string;
  id: string;
  token: string;
}

/** The part of a delivery that must be durable before a request, and is stored with every outcome. */
export interface DeliveryProgress {
  externalId: string | null;
  made: boolean;
  pendingCreate: boolean;
  tries: readonly Fields[];
}

const claimed = `d.id, d.kind, d.desired_revision::float8 AS revision, d.deleted, d.merged_into AS "mergedInto",
  d.external_id AS "externalId", d.made, d.pending_create AS "pendingCreate", d.tries, d.attempts, d.event, d.cause,
  d.changed_at::float8 AS "changedAt", d.received_at::float8 AS "receivedAt", d.traceparent`;
const free = `(d.claimed_until IS NULL OR d.claimed_until < now()) AND (d.settle_until IS NULL OR d.settle_until <= now())`;
const progress = `external_id = $4, made = $5, pending_create = $6, tries = $7::jsonb`;
const progressParams = (p: DeliveryProgress) => [p.externalId, p.made, p.pendingCreate, JSON.stringify(p.tries)];
const seconds = (ms: number) => ms / 1000;

/**
 * Takes up to `limit` rows of these kinds that are due, oldest first, for `leaseMs`; rows others hold are passed over, and
 * none is taken of a target that an operator has paused.
 */
export async function claimDue(
  db: Db,
  target: string,
  kinds: readonly string[],
  token: string,
  limit: number,
  leaseMs: number,
): Promise<ClaimedRow[]> {
  return db.query<ClaimedRow>(
    `UPDATE deliveries d SET claimed_by = $2, claimed_until = now() + make_interval(secs => $4)
     FROM (SELECT d.id FROM deliveries d WHERE d.target = $1 AND d.state = 'pending' AND d.due_at <= now()
             AND d.kind = ANY($5::text[]) AND ${free} AND NOT EXISTS (SELECT FROM pauses WHERE name = $1)
           ORDER BY d.due_at LIMIT $3 FOR UPDATE SKIP LOCKED) due
     WHERE d.target = $1 AND d.id = due.id RETURNING ${claimed}`,
    [target, token, limit, seconds(leaseMs), kinds],
  );
}

/** Keeps what the tokens hold; a request that is under way also keeps its time to settle. */
export async function extendClaims(
  db: Db,
  target: string,
  tokens: readonly string[],
  leaseMs: number,
  settleMs: number,
): Promise<void> {
  if (tokens.length === 0) return;
  await db.query(
    `UPDATE deliveries d SET claimed_until = now() + make_interval(secs => $3),
       settle_until = CASE WHEN settle_until IS NULL THEN NULL ELSE now() + make_interval(secs => $4) END
     FROM (SELECT id FROM deliveries WHERE target = $1 AND claimed_by = ANY($2::text[]) AND claimed_until >= now()
           FOR UPDATE SKIP LOCKED) held
     WHERE d.target = $1 AND d.id = held.id`,
    [target, tokens, seconds(leaseMs), seconds(settleMs)],
  );
}

/**
 * Stores what is about to be sent, before the request: whoever finds the row later knows of it, and leaves it alone until
 * the request can no longer arrive. False where the row is not ours any more: then nothing may be sent.
 */
export async function storeAttempt(db: Db, claim: Claim, state: DeliveryProgress, settleMs: number): Promise<boolean> {
  const rows = await db.query(
    `UPDATE deliveries SET ${progress}, settle_until = now() + make_interval(secs => $8), updated_at = now()
     WHERE target = $1 AND id = $2 AND claimed_by = $3 AND claimed_until >= now() RETURNING id`,
    [claim.target, claim.id, claim.token, ...progressParams(state), seconds(settleMs)],
  );
  return rows.length === 1;
}

/** How a revision ended at the target. */
export interface Closing {
  revision: number;
  state: DeliveryProgress;
  /** False where the record has no place at the target. */
  wanted: boolean;
  /** What the target said, short and free of personal data. */
  answered: Record<string, unknown>;
}

/** Closes a claimed row at a revision; a newer one that came meanwhile is due at once. False where the row is not ours any more. */
export async function closeDelivery(db: Db, claim: Claim, end: Closing): Promise<boolean> {
  const rows = await db.query(
    `UPDATE deliveries SET ${progress}, delivered_revision = greatest(delivered_revision, $8),
       state = CASE WHEN desired_revision > $8 THEN 'pending' WHEN $9 THEN 'delivered' ELSE 'unwanted' END,
       event = CASE WHEN desired_revision > $8 THEN event END,
       attempts = 0, failure_kind = NULL, failure_reason = NULL, waits_for = NULL, settle_until = NULL,
       claimed_by = NULL, claimed_until = NULL, answered = $10::jsonb, updated_at = now()
     WHERE target = $1 AND id = $2 AND claimed_by = $3 RETURNING id`,
    [
      claim.target,
      claim.id,
      claim.token,
      ...progressParams(end.state),
      end.revision,
      end.wanted,
      JSON.stringify(end.answered),
    ],
  );
  return rows.length === 1;
}

/** How an attempt ended that did not close its revision. */
export interface Parking {
  revision: number;
  state: DeliveryProgress;
  to: 'pending' | 'waiting' | 'dead';
  dueInMs: number;
  attempts: number;
  /** Ids whose links the record waits for. */
  waitsFor?: readonly string[];
  failure?: { kind: string; reason: string };
  /** The request may still arrive: nothing goes out for this long. Null where its outcome is known. */
  settleMs: number | null;
}

/** Lets go of a claimed row until it is due again, woken or looked at; a newer revision that came meanwhile is due at once. */
export async function parkDelivery(db: Db, claim: Claim, p: Parking): Promise<boolean> {
  const rows = await db.query(
    `UPDATE deliveries SET ${progress},
       state = CASE WHEN desired_revision > $8 THEN 'pending' ELSE $9 END,
       due_at = CASE WHEN desired_revision > $8 THEN due_at ELSE now() + make_interval(secs => $10) END,
       attempts = CASE WHEN desired_revision > $8 THEN 0 ELSE $11 END,
       waits_for = CASE WHEN desired_revision > $8 THEN NULL ELSE $12::text[] END,
       failure_kind = $13, failure_reason = $14, settle_until = now() + make_interval(secs => $15),
       claimed_by = NULL, claimed_until = NULL, updated_at = now()
     WHERE target = $1 AND id = $2 AND claimed_by = $3 RETURNING id`,
    [
      claim.target,
      claim.id,
      claim.token,
      ...progressParams(p.state),
      p.revision,
      p.to,
      seconds(p.dueInMs),
      p.attempts,
      p.waitsFor ?? null,
      p.failure?.kind ?? null,
      p.failure?.reason ?? null,
      p.settleMs === null ? null : seconds(p.settleMs),
    ],
  );
  return rows.length === 1;
}

/** Which of the deliveries that wait out a failure of the target are to go sooner. */
export interface Hastened {
  /** They are due at random times within so long. */
  withinMs: number;
  /** At most so many, those with the fewest attempts first; all when absent. */
  limit?: number;
  /** Only those with fewer attempts than this. */
  attemptsBelow?: number;
}

/** Makes deliveries due that wait out a failure of the target. Returns how many. */
export async function hastenRetries(db: Db, target: string, which: Hastened): Promise<number> {
  const rows = await db.query(
    `UPDATE deliveries d SET due_at = now() + random() * make_interval(secs => $2)
     FROM (SELECT id FROM deliveries WHERE target = $1 AND state = 'pending' AND failure_kind = 'transient'
             AND due_at > now() + make_interval(secs => $2) AND ($4::int IS NULL OR attempts < $4)
           ORDER BY attempts LIMIT $3 FOR UPDATE SKIP LOCKED) parked
     WHERE d.target = $1 AND d.id = parked.id RETURNING d.id`,
    [target, seconds(which.withinMs), which.limit ?? null, which.attemptsBelow ?? null],
  );
  return rows.length;
}
