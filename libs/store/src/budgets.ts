import { SyncError } from '@syncline/contracts';
import type { Db } from './store.js';

/** A connection's budget as it is kept: one row, written by one turn after the other. */
interface Row {
  state: unknown;
  version: string | null;
  now_ms: string;
}

const triesMax = 25;

/**
 * Takes one turn with a connection's API budget, which ingestors and writers share: reads its state, and puts in its place what
 * `step` makes of it (null: there is none yet) unless another process was faster; then `step` is called again. Time is the
 * database's. No lock is held while `step` runs: a process that stalls keeps nobody waiting. Throws `transient` where the
 * database is away.
 */
export async function turnBudget<S, T>(
  db: Db,
  connection: string,
  step: (state: S | null, nowMs: number) => { state: S; answer: T },
): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    const [row] = await db.query<Row>(
      `SELECT b.state, b.version, extract(epoch FROM clock_timestamp()) * 1000 AS now_ms
       FROM (SELECT) one LEFT JOIN budget.budgets b ON b.connection = $1`,
      [connection],
    );
    const { state, version, now_ms } = row as Row;
    const next = step(version === null ? null : (state as S), Number(now_ms));
    const params = [connection, JSON.stringify(next.state)];
    const written =
      version === null
        ? await db.query(
            `INSERT INTO budget.budgets (connection, state, version) VALUES ($1, $2, 1)
             ON CONFLICT (connection) DO NOTHING RETURNING version`,
            params,
          )
        : await db.query(
            `UPDATE budget.budgets SET state = $2, version = version + 1
             WHERE connection = $1 AND version = $3 RETURNING version`,
            [...params, version],
          );
    if (written.length > 0 || tries === triesMax) {
      if (written.length > 0) return next.answer;
      throw new SyncError('transient', `the budget of ${connection} is asked for by too many at once`);
    }
    await new Promise((resolve) => setTimeout(resolve, Math.random() * Math.min(50, tries * 4)));
  }
}

/** The states of some connections' budgets, and the database's clock in milliseconds; those nobody used yet are left out. */
export async function readBudgets<S>(
  db: Db,
  connections: readonly string[],
): Promise<{ connection: string; state: S; nowMs: number }[]> {
  const rows = await db.query<{ connection: string; state: S; now_ms: string }>(
    `SELECT connection, state, extract(epoch FROM clock_timestamp()) * 1000 AS now_ms
     FROM budget.budgets WHERE connection = ANY($1)`,
    [connections],
  );
  return rows.map((row) => ({ connection: row.connection, state: row.state, nowMs: Number(row.now_ms) }));
}
