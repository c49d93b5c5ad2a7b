import type { Db } from './store.js';

/** The transactional ids of one process: whoever takes a partition from it fences them. */
export type Owner = readonly string[];

/** A source partition. */
export interface Place {
  topic: string;
  partition: number;
}

/** What a takeover has to publish again, since it may be committed here and not in Kafka. */
export interface Progress extends Place {
  /** Messages below this offset. */
  next: bigint;
  /** Records the last batch published to which its messages, given again, would not lead. */
  aside: readonly string[];
}

const places = `jsonb_to_recordset($1::jsonb) AS q(topic text, partition int)`;
const placesOf = (of: readonly Place[]) => JSON.stringify(of.map(({ topic, partition }) => ({ topic, partition })));

/**
 * Locks partitions and returns the transactional ids of whoever has had them until now. Waits for a batch of theirs that is
 * being committed; until the caller's transaction ends they commit no other.
 */
export async function lockOwners(db: Db, of: readonly Place[]): Promise<string[]> {
  await db.query(
    `INSERT INTO progress (topic, partition) SELECT topic, partition FROM ${places} ORDER BY 1, 2 ON CONFLICT DO NOTHING`,
    [placesOf(of)],
  );
  const rows = await db.query<{ owner: string[] }>(
    `SELECT p.owner FROM progress p JOIN ${places} USING (topic, partition) ORDER BY p.topic, p.partition FOR UPDATE OF p`,
    [placesOf(of)],
  );
  return [...new Set(rows.flatMap((row) => row.owner))];
}

/** Gives partitions, locked before, to an owner. */
export async function giveTo(db: Db, owner: Owner, of: readonly Place[]): Promise<void> {
  await db.query(
    `UPDATE progress p SET owner = $2 FROM ${places} WHERE p.topic = q.topic AND p.partition = q.partition`,
    [placesOf(of), owner],
  );
}

/** Says that nothing of an owner's is under way for a partition any more: its next owner has nobody to fence. */
export async function giveBack(db: Db, owner: Owner, { topic, partition }: Place): Promise<void> {
  await db.query(`UPDATE progress SET owner = '{}' WHERE topic = $1 AND partition = $2 AND owner = $3`, [
    topic,
    partition,
    owner,
  ]);
}

/** The last batch that was committed here for a partition of this owner; null where it belongs to another by now. */
export async function readProgress(db: Db, owner: Owner, { topic, partition }: Place): Promise<Progress | null> {
  const [row] = await db.query<{ n: string; aside: string[] }>(
    'SELECT next_offset::text AS n, aside FROM progress WHERE topic = $1 AND partition = $2 AND owner = $3',
    [topic, partition, owner],
  );
  return row ? { topic, partition, next: BigInt(row.n), aside: row.aside } : null;
}
