import type { Kind } from '@syncline/contracts';
import type { Db } from './store.js';

/** A natural key of a record. Scopes: `<connection>/<noun>` for external ids, `tracking`, `name:<connection>`. */
export interface IdentityKey {
  kind: Kind;
  scope: string;
  key: string;
}

/** Finds the canonical ids of natural keys; keys nobody knows are absent from the answer. */
export async function findIdentities(db: Db, keys: readonly IdentityKey[]): Promise<(IdentityKey & { id: string })[]> {
  if (keys.length === 0) return [];
  return db.query(
    `SELECT i.kind, i.scope, i.key, i.id
     FROM jsonb_to_recordset($1::jsonb) AS q(kind text, scope text, key text)
     JOIN identity i ON i.kind = q.kind AND i.scope = q.scope AND i.key = q.key`,
    [JSON.stringify(keys)],
  );
}

/** Moves every key of a record that was joined into another. */
export async function moveIdentities(db: Db, from: string, to: string): Promise<void> {
  await db.query('UPDATE identity SET id = $2 WHERE id = $1', [from, to]);
  await db.query('UPDATE held SET id = $2 WHERE id = $1', [from, to]);
  await db.query('UPDATE conflicts SET id = $2 WHERE id = $1', [from, to]);
}

/** Canonical ids that a text people type may mean: a canonical id, an order name, an external id, a tracking number. */
export async function searchIdentities(db: Db, text: string): Promise<{ id: string }[]> {
  const plain = text.replace(/^#/, '');
  return db.query(
    `SELECT DISTINCT r.id FROM records r
     LEFT JOIN identity i ON i.id = r.id
     WHERE r.document IS NOT NULL AND (i.key IN ($1, $2, upper($1)) OR r.id::text = lower($1)
        OR (i.scope = 'tracking' AND split_part(i.key, ':', 2) = upper(regexp_replace($1, '[ -]', '', 'g'))))
     LIMIT 20`,
    [text, plain],
  );
}

/** Notes that a natural key could not join two records because both live at one connection. */
export async function noteAmbiguity(
  db: Db,
  a: IdentityKey & { connection: string; externalId: string; id: string },
): Promise<void> {
  await db.query(
    `INSERT INTO ambiguities (kind, scope, key, connection, external_id, id) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
    [a.kind, a.scope, a.key, a.connection, a.externalId, a.id],
  );
}

/** Ambiguous keys of a record, for its timeline. */
export async function ambiguitiesOf(
  db: Db,
  id: string,
): Promise<{ scope: string; key: string; connection: string; externalId: string }[]> {
  return db.query('SELECT scope, key, connection, external_id AS "externalId" FROM ambiguities WHERE id = $1', [id]);
}
