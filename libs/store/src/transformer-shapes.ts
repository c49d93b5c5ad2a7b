import type { Db } from './store.js';

/** Messages of one type of one noun of a connection. */
export interface ShapeKey {
  connection: string;
  noun: string;
  type: string;
}

const keys = `jsonb_to_recordset($1::jsonb) AS q(connection text, noun text, type text)`;

/** Locks what messages of these types look like, in one order for all processes; JSON null where nothing is known yet. */
export async function lockShapes(db: Db, of: readonly ShapeKey[]): Promise<(ShapeKey & { shape: unknown })[]> {
  const given = [JSON.stringify(of.map(({ connection, noun, type }) => ({ connection, noun, type })))];
  await db.query(
    `INSERT INTO shapes (connection, noun, type) SELECT connection, noun, type FROM ${keys} ORDER BY 1, 2, 3
     ON CONFLICT DO NOTHING`,
    given,
  );
  return db.query(
    `SELECT s.connection, s.noun, s.type, s.shape FROM shapes s JOIN ${keys} USING (connection, noun, type)
     ORDER BY s.connection, s.noun, s.type FOR UPDATE OF s`,
    given,
  );
}

/** Writes shapes, locked before. `shape` is JSON text. */
export async function writeShapes(db: Db, rows: readonly (ShapeKey & { shape: string })[]): Promise<void> {
  for (const { connection, noun, type, shape } of rows)
    await db.query(
      'UPDATE shapes SET shape = $4::json, updated_at = now() WHERE connection = $1 AND noun = $2 AND type = $3',
      [connection, noun, type, shape],
    );
}

/** What messages look like, of one connection or of all. */
export async function readShapes(db: Db, connection: string | undefined): Promise<(ShapeKey & { shape: unknown })[]> {
  return db.query(
    'SELECT connection, noun, type, shape FROM shapes WHERE $1::text IS NULL OR connection = $1 ORDER BY 1, 2, 3',
    [connection ?? null],
  );
}

/** Forgets types of message that have not come for so many days. */
export async function forgetShapes(db: Db, days: number): Promise<void> {
  await db.query('DELETE FROM shapes WHERE updated_at < now() - make_interval(days => $1)', [days]);
}
