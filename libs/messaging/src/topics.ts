import type { TopicSpec } from '@syncline/contracts';
import kafkajs, { type Admin, type ConfigEntries, type Kafka } from 'kafkajs';
import { brokerTooOld } from './broker-age.js';
import { createKafka, type KafkaSettings, patientRetry } from './client.js';
import { hasType, pause, within } from './failure.js';
import { forgetPartitionCounts } from './partition.js';

// Node finds only the first few names of a CommonJS module's exports: these two come with the whole of it.
const { ConfigResourceTypes, ConfigSource } = kafkajs;

const timing = { requestTimeout: 10_000, connectionTimeout: 2_000, retry: patientRetry } as const;
const warmUpMsMax = 30_000;

/** What a topic is like now. `config` holds only what was set on the topic itself. */
interface Found {
  partitions: number;
  config: Map<string, string>;
  effective: Map<string, string>;
}

/**
 * Makes what is missing: topics, partitions, settings. Settings that the specs do not name are left alone. Also makes Kafka
 * create its internal topics, since on a fresh cluster the first group or transaction fails while it does. Throws an Error with
 * a sentence where a topic has more partitions than its spec: Kafka cannot take partitions away.
 */
export async function migrateTopics(
  kafka: KafkaSettings,
  specs: readonly TopicSpec[],
): Promise<{ created: string[]; changed: string[] }> {
  const client = createKafka(kafka, timing);
  return withAdmin(client, async (admin) => {
    const found = await describe(admin, specs);
    const tooMany = specs.filter((spec) => (found.get(spec.name)?.partitions ?? 0) > spec.partitions);
    if (tooMany.length > 0)
      throw new Error(tooMany.map((spec) => shrunk(spec, found.get(spec.name)!.partitions)).join('\n'));
    const missing = specs.filter((spec) => !found.has(spec.name));
    if (missing.length > 0) {
      await admin.createTopics({
        waitForLeaders: true,
        timeout: 30_000,
        topics: missing.map((spec) => ({
          topic: spec.name,
          numPartitions: spec.partitions,
          replicationFactor: -1,
          configEntries: Object.entries(spec.config).map(([name, value]) => ({ name, value })),
        })),
      });
    }
    const changed: string[] = [];
    for (const spec of specs) {
      const now = found.get(spec.name);
      if (now && (await change(admin, spec, now))) changed.push(spec.name);
    }
    forgetPartitionCounts(kafka);
    await warmUp(client, admin);
    return { created: missing.map((spec) => spec.name), changed };
  });
}

/** What a service needs to know before it starts: one sentence for each thing missing or wrong; none when all is well. */
export async function checkTopics(kafka: KafkaSettings, specs: readonly TopicSpec[]): Promise<string[]> {
  const old = (await Promise.all(kafka.brokers.map(brokerTooOld))).find((sentence) => sentence !== null);
  if (old) return [old];
  const client = createKafka(kafka, { ...timing, requestTimeout: 5_000, retry: { ...patientRetry, retries: 2 } });
  let found: Map<string, Found>;
  try {
    found = await withAdmin(client, (admin) => within(15_000, 'reading the topics', describe(admin, specs)));
  } catch {
    return [`Kafka at ${kafka.brokers.join(', ')} does not answer: start it, or correct KAFKA_BROKERS.`];
  }
  return specs.flatMap((spec) => {
    const now = found.get(spec.name);
    if (!now) return [`Topic ${spec.name} is missing: run "syncline migrate".`];
    if (now.partitions > spec.partitions) return [shrunk(spec, now.partitions)];
    const wrong = differing(spec, now).map(([name, value]) => `${name}=${value}`);
    if (now.partitions < spec.partitions) wrong.unshift(`${spec.partitions} partitions instead of ${now.partitions}`);
    return wrong.length === 0 ? [] : [`Topic ${spec.name} needs ${wrong.join(', ')}: run "syncline migrate".`];
  });
}

function shrunk(spec: TopicSpec, partitions: number): string {
  return `Topic ${spec.name} has ${partitions} partitions, more than the ${spec.partitions} declared, and Kafka cannot take partitions away: declare ${partitions}, or delete the topic.`;
}

const differing = (spec: TopicSpec, now: Found): [string, string][] =>
  Object.entries(spec.config).filter(([name, value]) => now.effective.get(name) !== value);

async function change(admin: Admin, spec: TopicSpec, now: Found): Promise<boolean> {
  const grow = now.partitions < spec.partitions;
  if (grow)
    await admin.createPartitions({ topicPartitions: [{ topic: spec.name, count: spec.partitions }], timeout: 30_000 });
  const entries = differing(spec, now);
  if (entries.length > 0) {
    // This request replaces all settings of a topic, so those set by others go along.
    const all = new Map([...now.config, ...entries]);
    const configEntries = [...all].map(([name, value]) => ({ name, value }));
    await admin.alterConfigs({
      validateOnly: false,
      resources: [{ type: ConfigResourceTypes.TOPIC, name: spec.name, configEntries }],
    });
  }
  return grow || entries.length > 0;
}

async function describe(admin: Admin, specs: readonly TopicSpec[]): Promise<Map<string, Found>> {
  const there = new Set(await admin.listTopics());
  const names = specs.map((spec) => spec.name).filter((name) => there.has(name));
  if (names.length === 0) return new Map();
  const { topics } = await admin.fetchTopicMetadata({ topics: names });
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: names.map((name) => ({ type: ConfigResourceTypes.TOPIC, name })),
  });
  const entriesOf = new Map(resources.map((r) => [r.resourceName, r.configEntries]));
  return new Map(
    topics.map((t) => {
      const entries: ConfigEntries[] = entriesOf.get(t.name) ?? [];
      const pairs = (list: ConfigEntries[]) => new Map(list.map((e) => [e.configName, e.configValue]));
      const own = entries.filter((e) => (e.configSource as number) === ConfigSource.TOPIC_CONFIG);
      return [t.name, { partitions: t.partitions.length, config: pairs(own), effective: pairs(entries) }];
    }),
  );
}

/** The first group and the first transactional id make __consumer_offsets and __transaction_state. */
async function warmUp(client: Kafka, admin: Admin): Promise<void> {
  await stubbornly(() => admin.fetchOffsets({ groupId: 'syncline.migrate' }));
  await stubbornly(async () => {
    const producer = client.producer({
      transactionalId: 'syncline.migrate',
      transactionTimeout: 10_000,
      createPartitioner: () => () => 0,
    });
    try {
      await producer.connect();
      await (await producer.transaction()).abort();
    } finally {
      await producer.disconnect().catch(() => {});
    }
  });
}

async function stubbornly(ask: () => Promise<unknown>): Promise<void> {
  const end = Date.now() + warmUpMsMax;
  for (;;) {
    try {
      await ask();
      return;
    } catch (error) {
      if (hasType(error, 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED', 'GROUP_AUTHORIZATION_FAILED')) return;
      if (Date.now() > end) throw error;
      await pause(200);
    }
  }
}

/** Runs administration over a connection that is closed afterwards. */
export async function withAdmin<T>(client: Kafka, work: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = client.admin();
  try {
    await admin.connect();
    return await work(admin);
  } finally {
    await within(2_000, 'closing an admin connection', admin.disconnect()).catch(() => {});
  }
}
