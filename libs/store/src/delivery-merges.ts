import type { Claim } from './delivery-claims.js';
import type { Db } from './store.js';

/** The surviving record's side of a join, at one target. */
export interface Survivor {
  externalId: string | null;
  made: boolean;
}

/** True while a record that was joined into this one still has its object (or an open create) at the target to hand over. */
export async function isMergePending(db: Db, target: string, id: string): Promise<boolean> {
  const rows = await db.query(
    `SELECT 1 FROM deliveries WHERE target = $1 AND merged_into = $2 AND state = 'pending'
       AND (external_id IS NOT NULL OR pending_create) LIMIT 1`,
    [target, id],
  );
  return rows.length > 0;
}

/**
 * Takes the survivor of a join under the alias's claim, making its row where there is none yet, so that neither record has
 * a write under way. Null while it has one.
 */
export async function claimSurvivor(db: Db, claim: Claim, kind: string, leaseMs: number): Promise<Survivor | null> {
  const rows = await db.query<Survivor>(
    `INSERT INTO deliveries AS d (target, id, kind, desired_revision, state, claimed_by, claimed_until)
     VALUES ($1, $2, $4, 0, 'unwanted', $3, now() + make_interval(secs => $5))
     ON CONFLICT (target, id) DO UPDATE SET claimed_by = excluded.claimed_by, claimed_until = excluded.claimed_until
     WHERE NOT d.pending_create AND (d.claimed_until IS NULL OR d.claimed_until < now())
       AND (d.settle_until IS NULL OR d.settle_until <= now())
     RETURNING d.external_id AS "externalId", d.made`,
    [claim.target, claim.id, claim.token, kind, leaseMs / 1000],
  );
  return rows[0] ?? null;
}

/** Gives the survivor's row back, with the object it has from here on. */
export async function releaseSurvivor(db: Db, claim: Claim, now: Survivor): Promise<void> {
  await db.query(
    `UPDATE deliveries SET external_id = $4, made = $5, claimed_by = NULL, claimed_until = NULL, updated_at = now()
     WHERE target = $1 AND id = $2 AND claimed_by = $3`,
    [claim.target, claim.id, claim.token, now.externalId, now.made],
  );
}
