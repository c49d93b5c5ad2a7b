import type { Admin } from 'kafkajs';
import { createKafka, type KafkaSettings, patientRetry } from './client.js';
import { withAdmin } from './topics.js';

const timing = { requestTimeout: 5_000, connectionTimeout: 2_000, retry: { ...patientRetry, retries: 2 } } as const;

/** How far a group is behind on a topic. Offsets that no reader sees (transaction markers) count until they are passed. */
export interface TopicLag {
  topic: string;
  lagRecords: number;
  /** Age of the oldest record not yet consumed, in seconds, within about a tenth; 0 where nothing is left. */
  lagSeconds: number;
}

/** What a member knows of a partition it owns: how far it is, and when its oldest unhandled record was made. */
export interface KnownPosition {
  next: bigint | null;
  oldestAt: number | undefined;
}

/** The lag of any group by its committed offsets; a partition without one counts from its first record. */
export function groupLag(kafka: KafkaSettings, groupId: string, topics: readonly string[]): Promise<TopicLag[]> {
  return lagBehind(kafka, groupId, topics, () => ({ next: null, oldestAt: undefined }));
}

/** The lag by what `known` tells, else by committed offsets. Partitions that `known` answers null for are left out. */
export function lagBehind(
  kafka: KafkaSettings,
  groupId: string,
  topics: readonly string[],
  known: (topic: string, partition: number) => KnownPosition | null,
): Promise<TopicLag[]> {
  return withAdmin(createKafka(kafka, timing), async (admin) => {
    const committed = await admin.fetchOffsets({ groupId, topics: [...topics] });
    const lags: TopicLag[] = [];
    for (const topic of topics) {
      const positions = committed.find((c) => c.topic === topic)?.partitions ?? [];
      const at = new Map(positions.map((p) => [p.partition, BigInt(p.offset)]));
      lags.push(await topicLag(admin, topic, at, (partition) => known(topic, partition)));
    }
    return lags;
  });
}

async function topicLag(
  admin: Admin,
  topic: string,
  committed: ReadonlyMap<number, bigint>,
  known: (partition: number) => KnownPosition | null,
): Promise<TopicLag> {
  let lag = 0n;
  let oldestAt = Number.POSITIVE_INFINITY;
  const behind = new Map<number, bigint>();
  for (const { partition, low, high } of await admin.fetchTopicOffsets(topic)) {
    const position = known(partition);
    if (!position) continue;
    const at = position.next ?? committed.get(partition) ?? -1n;
    const next = at < BigInt(low) ? BigInt(low) : at;
    if (next >= BigInt(high)) continue;
    lag += BigInt(high) - next;
    if (position.oldestAt === undefined) behind.set(partition, next);
    else oldestAt = Math.min(oldestAt, position.oldestAt);
  }
  const knownAge = Number.isFinite(oldestAt) ? Math.max(0, (Date.now() - oldestAt) / 1_000) : 0;
  const askedAge = behind.size === 0 ? 0 : await oldestAge(admin, topic, behind);
  return { topic, lagRecords: Number(lag), lagSeconds: Math.max(knownAge, askedAge) };
}

/**
 * Age of the oldest record at or after the given offsets. Kafka tells the first offset at or after a time, so the age is found
 * by doubling and then halving: about ten small requests, no records read.
 */
async function oldestAge(admin: Admin, topic: string, behind: ReadonlyMap<number, bigint>): Promise<number> {
  const now = Date.now();
  /** Whether every record left is younger than this. */
  const youngerThan = async (ageMs: number) => {
    const first = await admin.fetchTopicOffsetsByTimestamp(topic, now - ageMs);
    return first.every((p) => {
      const next = behind.get(p.partition);
      return next === undefined || BigInt(p.offset) <= next;
    });
  };
  let high = 1_000;
  while (high < now && !(await youngerThan(high))) high *= 2;
  let low = high === 1_000 ? 0 : high / 2;
  for (let step = 0; step < 3; step++) {
    const middle = (low + high) / 2;
    if (await youngerThan(middle)) high = middle;
    else low = middle;
  }
  return high / 1_000;
}
