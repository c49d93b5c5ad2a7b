import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { canonicalTopic, declaredTopics, header, headerText } from '@syncline/contracts';
import { startInfra } from '@syncline/infra';
import {
  type InboundRecord,
  type KafkaSettings,
  MicroBatchProducer,
  migrateTopics,
  readTopic,
} from '@syncline/messaging';
import { createTestDatabase, type Db } from '@syncline/store';

/** A Kafka and a PostgreSQL of one test file alone. */
export interface OwnServers {
  /** A folder for the time of the test. */
  readonly dir: string;
  readonly kafka: KafkaSettings;
  readonly databaseUrl: string;
  readonly producer: MicroBatchProducer;
  stop(): Promise<void>;
}

/**
 * Starts servers of its own, also where others are given: there is one group of transformers, which reads every message there
 * is, and what a test reads must be what it wrote. Topics are made for the `targets`, tables are migrated.
 */
export async function startOwnServers(name: string, targets: readonly string[] = []): Promise<OwnServers> {
  const dir = await mkdtemp(join(tmpdir(), `syncline-${name}-`));
  for (const given of ['KAFKA_BROKERS', 'DATABASE_URL']) delete process.env[given];
  const infra = await startInfra({ stateDir: dir });
  const kafka = { brokers: [...infra.kafkaBrokers], clientId: `${name}-test` };
  await migrateTopics(kafka, declaredTopics([...targets]));
  const { url: databaseUrl } = await createTestDatabase(infra.databaseUrl);
  const producer = new MicroBatchProducer(kafka);
  await producer.connect();
  const stop = async () => {
    await producer.disconnect();
    await infra.stop();
    await rm(dir, { recursive: true, force: true });
  };
  return { dir, kafka, databaseUrl, producer, stop };
}

/** Everything on a topic, in order by partition. */
export async function allOf(kafka: KafkaSettings, topic: string): Promise<InboundRecord[]> {
  const out: InboundRecord[] = [];
  for await (const record of readTopic(kafka, topic)) out.push(record);
  return out;
}

/** Every order event, once readers see the newest revision there is: a commit is answered a moment before its records are visible. */
export async function publishedOrders(kafka: KafkaSettings, store: Db): Promise<InboundRecord[]> {
  const [newest] = await store.query<{ r: number }>('SELECT coalesce(max(revision), 0)::float8 AS r FROM records');
  const until = Date.now() + 20_000;
  for (;;) {
    const events = await allOf(kafka, canonicalTopic('order'));
    const isSeen = events.some((e) => Number(headerText(e.headers, header.revision)) >= (newest?.r ?? 0));
    if (isSeen || Date.now() > until) return events;
  }
}
