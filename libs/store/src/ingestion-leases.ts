import type { Db } from './store.js';

/**
 * Takes or renews a lease for a time. Returns its fencing token, the same while the holder keeps it and higher for every
 * next holder; null while another one holds it. Time is the database's.
 */
export async function takeLease(
  db: Db,
  lease: { name: string; holder: string; ttlMs: number },
): Promise<number | null> {
  const [row] = await db.query<{ token: string }>(
    `INSERT INTO leases AS l (name, holder, token, expires_at)
     VALUES ($1, $2, 1, clock_timestamp() + $3 * interval '1 millisecond')
     ON CONFLICT (name) DO UPDATE SET
       token = CASE WHEN l.holder = excluded.holder AND l.expires_at > clock_timestamp() THEN l.token ELSE l.token + 1 END,
       holder = excluded.holder,
       expires_at = excluded.expires_at
     WHERE l.holder = excluded.holder OR l.expires_at <= clock_timestamp()
     RETURNING token`,
    [lease.name, lease.holder, lease.ttlMs],
  );
  return row ? Number(row.token) : null;
}

/** Prolongs a lease that is still held under this token; false where it was lost. */
export async function renewLease(
  db: Db,
  lease: { name: string; holder: string; token: number; ttlMs: number },
): Promise<boolean> {
  const rows = await db.query(
    `UPDATE leases SET expires_at = clock_timestamp() + $4 * interval '1 millisecond'
     WHERE name = $1 AND holder = $2 AND token = $3 RETURNING name`,
    [lease.name, lease.holder, lease.token, lease.ttlMs],
  );
  return rows.length > 0;
}

/** Gives a lease back, so that others need not wait for its end. */
export async function releaseLease(db: Db, lease: { name: string; holder: string; token: number }): Promise<void> {
  await db.query(`UPDATE leases SET expires_at = '-infinity' WHERE name = $1 AND holder = $2 AND token = $3`, [
    lease.name,
    lease.holder,
    lease.token,
  ]);
}
