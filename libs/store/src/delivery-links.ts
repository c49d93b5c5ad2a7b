import type { Db } from './store.js';

/** Where a record lives at a target, for writes of other records that refer to it. */
export interface LinkRow {
  kind: string;
  id: string;
  externalId: string;
}

/** Stores links; rows that say the same stay untouched. Returns the ids that are new or changed. */
export async function storeLinks(db: Db, target: string, links: readonly LinkRow[]): Promise<string[]> {
  if (links.length === 0) return [];
  const rows = await db.query<{ id: string }>(
    `INSERT INTO links AS l (target, kind, id, external_id)
     SELECT $1, r.kind, r.id, r."externalId"
     FROM jsonb_to_recordset($2::jsonb) AS r(kind text, id text, "externalId" text) ORDER BY r.id
     ON CONFLICT (target, id) DO UPDATE SET external_id = excluded.external_id
     WHERE l.external_id <> excluded.external_id RETURNING l.id`,
    [target, JSON.stringify(links)],
  );
  return rows.map((r) => r.id);
}

/** External ids at the target of the given records, as far as they are known. */
export async function linksOf(db: Db, target: string, ids: readonly string[]): Promise<Map<string, string>> {
  if (ids.length === 0) return new Map();
  const rows = await db.query<{ id: string; external_id: string }>(
    'SELECT id, external_id FROM links WHERE target = $1 AND id = ANY($2::text[])',
    [target, ids],
  );
  return new Map(rows.map((r) => [r.id, r.external_id]));
}

/** Makes deliveries due that waited for one of these links. Returns how many. */
export async function wakeWaiting(db: Db, target: string, ids: readonly string[]): Promise<number> {
  if (ids.length === 0) return 0;
  const rows = await db.query(
    `UPDATE deliveries d SET state = 'pending', due_at = now(), waits_for = NULL, updated_at = now()
     FROM (SELECT id FROM deliveries WHERE target = $1 AND state = 'waiting' AND waits_for && $2::text[]
           FOR UPDATE SKIP LOCKED) woken
     WHERE d.target = $1 AND d.id = woken.id RETURNING d.id`,
    [target, ids],
  );
  return rows.length;
}

/**
 * The same for every link there is: catches a delivery that began to wait in the very moment its link was stored.
 */
export async function wakeLinked(db: Db, target: string): Promise<number> {
  const rows = await db.query(
    `UPDATE deliveries d SET state = 'pending', due_at = now(), waits_for = NULL, updated_at = now()
     FROM (SELECT w.id FROM deliveries w WHERE w.target = $1 AND w.state = 'waiting'
             AND EXISTS (SELECT FROM links l WHERE l.target = $1 AND l.id = ANY(w.waits_for))
           FOR UPDATE SKIP LOCKED) woken
     WHERE d.target = $1 AND d.id = woken.id RETURNING d.id`,
    [target],
  );
  return rows.length;
}
