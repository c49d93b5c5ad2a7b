import { randomUUID } from 'node:crypto';
import { createKafka, type KafkaSettings, patientRetry } from './client.js';
import { within } from './failure.js';
import { type InboundRecord, inbound } from './record.js';
import { withAdmin } from './topics.js';

export interface ReadTopicOptions {
  /** Ends the reading early. */
  signal?: AbortSignal;
  /** Gives up when the broker brings nothing for so long. Default 30 s. */
  idleMsMax?: number;
}

const timing = { requestTimeout: 10_000, connectionTimeout: 2_000, retry: patientRetry } as const;

/**
 * All records of a topic, read committed, from its start to the end it has at the call, partition by partition in order. For
 * replays and tests: an own group for the time of the reading, whose offsets are not kept.
 */
export async function* readTopic(
  kafka: KafkaSettings,
  topic: string,
  options: ReadTopicOptions = {},
): AsyncGenerator<InboundRecord> {
  const client = createKafka(kafka, timing);
  const groupId = `syncline.read.${randomUUID()}`;
  const offsets = await withAdmin(client, (admin) => admin.fetchTopicOffsets(topic));
  const left = new Map(offsets.filter((o) => BigInt(o.high) > BigInt(o.low)).map((o) => [o.partition, BigInt(o.high)]));
  if (left.size === 0) return;
  const consumer = client.consumer({ groupId, maxWaitTimeInMs: 100, readUncommitted: false, retry: patientRetry });
  let batches: InboundRecord[][] = [];
  let wake = () => {};
  let failure: Error | null = null;
  const passed = (partition: number, lastOffset: string) => {
    if (BigInt(lastOffset) + 1n >= (left.get(partition) ?? 0n)) left.delete(partition);
    wake();
  };
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    failure = payload.error;
    wake();
  });
  consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => passed(payload.partition, payload.lastOffset));
  try {
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch }) => {
        const end = left.get(batch.partition);
        if (end === undefined) return;
        const records = batch.messages.map((m) => inbound(topic, batch.partition, m)).filter((r) => r.offset < end);
        batches.push(records);
        while (batches.length > 8 && !options.signal?.aborted) await new Promise((r) => setTimeout(r, 5));
      },
    });
    while (!options.signal?.aborted) {
      const ready = batches;
      batches = [];
      for (const records of ready) yield* records;
      if (failure) throw failure;
      if (left.size === 0 && batches.length === 0) return;
      if (batches.length > 0) continue;
      const news = new Promise<void>((resolve) => {
        wake = resolve;
      });
      await within(options.idleMsMax ?? 30_000, `reading ${topic}`, news);
    }
  } finally {
    await within(5_000, 'ending a reader', consumer.disconnect()).catch(() => {});
    await withAdmin(client, (admin) => admin.deleteGroups([groupId])).catch(() => {});
  }
}
