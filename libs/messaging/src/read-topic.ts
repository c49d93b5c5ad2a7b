import { randomUUID } from 'node:crypto';
import type { Kafka } from 'kafkajs';
import { createKafka, type KafkaSettings, patientRetry } from './client.js';
import { within } from './failure.js';
import { type InboundRecord, inbound } from './record.js';
import { withAdmin } from './topics.js';

export interface ReadTopicOptions {
  /** Ends the reading early. */
  signal?: AbortSignal;
  /** Gives up when the broker brings nothing for so long. Default 30 s. */
  idleMsMax?: number;
  /** Where to begin: at an offset of every partition, or at the first record of each that is no older (milliseconds since the epoch). */
  from?: { offset: bigint } | { timeMs: number };
  /** Reads one partition alone. */
  partition?: number;
}

const timing = { requestTimeout: 10_000, connectionTimeout: 2_000, retry: patientRetry } as const;

/** The part of each partition that is to be read: first offset, and the one after the last. Partitions without any are left out. */
async function rangesOf(client: Kafka, topic: string, { from, partition }: ReadTopicOptions) {
  const [ends, begins] = await withAdmin(client, async (admin) => [
    await admin.fetchTopicOffsets(topic),
    from && 'timeMs' in from ? await admin.fetchTopicOffsetsByTimestamp(topic, from.timeMs) : [],
  ]);
  const ranges = new Map<number, { begin: bigint; end: bigint }>();
  for (const { partition: p, low, high } of ends) {
    const at = begins.find((b) => b.partition === p)?.offset;
    const begin = from && 'offset' in from ? from.offset : BigInt(at ?? low);
    const range = { begin: begin > BigInt(low) ? begin : BigInt(low), end: BigInt(high) };
    if ((partition === undefined || partition === p) && range.begin < range.end) ranges.set(p, range);
  }
  return ranges;
}

/**
 * The records of a topic, read committed, from its start (or `from`) to the end it has at the call, partition by partition in order. For
 * replays and tests: an own group for the time of the reading, whose offsets are not kept.
 */
export async function* readTopic(
  kafka: KafkaSettings,
  topic: string,
  options: ReadTopicOptions = {},
): AsyncGenerator<InboundRecord> {
  const client = createKafka(kafka, timing);
  const groupId = `syncline.read.${randomUUID()}`;
  const ranges = await rangesOf(client, topic, options);
  const left = new Set(ranges.keys());
  if (left.size === 0) return;
  const consumer = client.consumer({ groupId, maxWaitTimeInMs: 100, readUncommitted: false, retry: patientRetry });
  let batches: InboundRecord[][] = [];
  let wake = () => {};
  let failure: Error | null = null;
  const passed = (partition: number, lastOffset: string) => {
    if (BigInt(lastOffset) + 1n >= (ranges.get(partition)?.end ?? 0n)) left.delete(partition);
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
        const range = ranges.get(batch.partition);
        if (!range || !left.has(batch.partition)) return;
        const records = batch.messages
          .map((m) => inbound(topic, batch.partition, m))
          .filter((r) => r.offset >= range.begin && r.offset < range.end);
        batches.push(records);
        while (batches.length > 8 && !options.signal?.aborted) await new Promise((r) => setTimeout(r, 5));
      },
    });
    if (options.from)
      for (const [partition, { begin }] of ranges) consumer.seek({ topic, partition, offset: begin.toString() });
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
