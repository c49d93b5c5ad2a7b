import { asSyncError, type CanonicalEnvelope, parseTopic, readCanonicalHeaders, SyncError } from '@syncline/contracts';
import type { Batch, InboundRecord, Outcome } from '@syncline/messaging';

/** The newest event of a record in a batch. */
export interface NewestEvent {
  /** Its place in the batch. */
  readonly index: number;
  readonly envelope: CanonicalEnvelope;
  readonly record: InboundRecord;
}

/**
 * The newest event per record of a batch, by header alone, in the order of the batch. `outcomes` has an entry per record: done,
 * or what is wrong with its headers.
 */
export function newestEvents(batch: Batch): { kind: string; newest: NewestEvent[]; outcomes: Outcome[] } {
  const topic = parseTopic(batch.topic);
  if (topic?.role !== 'canonical') throw new SyncError('defect', `${batch.topic} is no canonical topic`);
  const outcomes: Outcome[] = new Array(batch.records.length).fill(null);
  const byId = new Map<string, NewestEvent>();
  for (let index = 0; index < batch.records.length; index++) {
    const record = batch.records[index]!;
    try {
      const envelope = readCanonicalHeaders(record.key, topic.kind, record.headers);
      if (record.key === '') throw new SyncError('unmappable', 'the event has no key');
      const known = byId.get(record.key);
      if (!known || known.envelope.revision < envelope.revision) byId.set(record.key, { index, envelope, record });
    } catch (thrown) {
      outcomes[index] = asSyncError(thrown);
    }
  }
  return { kind: topic.kind, newest: [...byId.values()], outcomes };
}
