import type { Db } from './store.js';

/** Where a message that failed for good stood in its topic. */
export interface FailedPlace {
  topic: string;
  partition: number;
  offset: bigint;
  eventId: string;
}

const placesText = (of: readonly FailedPlace[]) =>
  JSON.stringify(
    of.map(({ offset, eventId, ...place }) => ({ ...place, source_offset: offset.toString(), event_id: eventId })),
  );
const places = `jsonb_to_recordset($1::jsonb) AS q(topic text, partition int, source_offset bigint, event_id text)`;

/** Notes messages as replayed and returns those that were not before, by their place's text. In one transaction with the publishing. */
export async function noteReplayed(tx: Db, of: readonly FailedPlace[]): Promise<Set<string>> {
  const rows = await tx.query<{ place: string }>(
    `INSERT INTO replays (topic, partition, source_offset, event_id)
     SELECT topic, partition, source_offset, event_id FROM ${places} ORDER BY 1, 2, 3, 4
     ON CONFLICT DO NOTHING RETURNING topic || '/' || partition || '/' || source_offset AS place`,
    [placesText(of)],
  );
  return new Set(rows.map((r) => r.place));
}

/** Those of the messages that were replayed already, by their place's text. */
export async function replayedOf(db: Db, of: readonly FailedPlace[]): Promise<Set<string>> {
  const rows = await db.query<{ place: string }>(
    `SELECT topic || '/' || partition || '/' || source_offset AS place FROM replays JOIN ${places}
     USING (topic, partition, source_offset, event_id)`,
    [placesText(of)],
  );
  return new Set(rows.map((r) => r.place));
}
