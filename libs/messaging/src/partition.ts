import { createKafka, type KafkaSettings, patientRetry } from './client.js';
import { within } from './failure.js';

const seed = 0x9747b28c | 0;
const m = 0x5bd1e995;

/** The 32-bit murmur2 hash of Kafka's Java client (org.apache.kafka.common.utils.Utils), as a signed integer. */
export function murmur2(data: Buffer): number {
  const { length } = data;
  const whole = length & ~3;
  let h = seed ^ length;
  for (let i = 0; i < whole; i += 4) {
    let k = data.readInt32LE(i);
    k = Math.imul(k, m);
    k ^= k >>> 24;
    h = Math.imul(h, m) ^ Math.imul(k, m);
  }
  const rest = length - whole;
  if (rest >= 3) h ^= data[whole + 2]! << 16;
  if (rest >= 2) h ^= data[whole + 1]! << 8;
  if (rest >= 1) h = Math.imul(h ^ data[whole]!, m);
  h ^= h >>> 13;
  h = Math.imul(h, m);
  return h ^ (h >>> 15);
}

/** The partition the Java client gives a key, so that producers of other teams agree with ours. */
export function partitionOf(key: string, partitions: number): number {
  return (murmur2(Buffer.from(key)) & 0x7fffffff) % partitions;
}

/** How long a topic's partition count is believed: as long as the Java client believes its metadata. */
const layoutAgeMsMax = 300_000;

interface Known {
  partitions: number;
  at: number;
}

const known = new Map<string, Map<string, Known>>();
const asked = new Map<string, Promise<number>>();

/** The partition count if it is known and fresh: the hot path's way, without a promise. */
export function knownPartitionCount(settings: KafkaSettings, topic: string): number | undefined {
  const found = known.get(settings.brokers.join())?.get(topic);
  return found && Date.now() - found.at < layoutAgeMsMax ? found.partitions : undefined;
}

/**
 * The partition count of a topic. Asked once per process and topic, over a connection that is closed again: a standing one
 * per producer would double their number. Throws when the topic does not exist or no broker answers.
 */
export function partitionCount(settings: KafkaSettings, topic: string): Promise<number> {
  const fresh = knownPartitionCount(settings, topic);
  if (fresh !== undefined) return Promise.resolve(fresh);
  const cluster = settings.brokers.join();
  const id = `${cluster} ${topic}`;
  let question = asked.get(id);
  if (!question) {
    question = askPartitionCount(settings, topic).finally(() => asked.delete(id));
    asked.set(id, question);
  }
  return question;
}

async function askPartitionCount(settings: KafkaSettings, topic: string): Promise<number> {
  const retry = { ...patientRetry, retries: 1 };
  const admin = createKafka(settings, { requestTimeout: 2_000, connectionTimeout: 1_000, retry }).admin();
  try {
    const ask = async () => {
      await admin.connect();
      return admin.fetchTopicMetadata({ topics: [topic] });
    };
    const { topics } = await within(4_000, `asking for the partitions of ${topic}`, ask());
    const partitions = topics.find((t) => t.name === topic)?.partitions.length ?? 0;
    if (partitions === 0) throw new Error(`topic ${topic} has no partitions`);
    const cluster = settings.brokers.join();
    const counts = known.get(cluster) ?? new Map<string, Known>();
    known.set(cluster, counts.set(topic, { partitions, at: Date.now() }));
    return partitions;
  } finally {
    void admin.disconnect().catch(() => {});
  }
}

/** Forgets what is known, for a change of layout that this process made itself. */
export function forgetPartitionCounts(settings: KafkaSettings): void {
  known.delete(settings.brokers.join());
}

/** Takes the partition the message names: every sender here has chosen it already. */
export const namedPartition = () => (args: { message: { partition?: number } }) => {
  if (args.message.partition === undefined) throw new Error('a message without a partition');
  return args.message.partition;
};
