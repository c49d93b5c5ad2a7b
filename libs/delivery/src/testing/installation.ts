import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type CanonicalRecord,
  canonicalHeaders,
  canonicalTopic,
  declaredTopics,
  type Fields,
  type Kind,
  type Receipt,
  receiptsTopic,
  type Source,
} from '@syncline/contracts';
import { testInfra } from '@syncline/infra';
import { type KafkaSettings, MicroBatchProducer, migrateTopics, readTopic } from '@syncline/messaging';
import { createTestDatabase, openStore, type Store } from '@syncline/store';

/** A canonical event to publish; what is left out is made up. */
export interface TestEvent {
  id?: string;
  kind?: Kind;
  fields?: Fields;
  sources?: Partial<Source>[];
  /** Connections of the header besides those of the sources. */
  connections?: string[];
  deleted?: boolean;
  mergedInto?: string;
  /** Replaces the value. */
  text?: string;
  /** A revision that was published before. */
  revision?: number;
}

/** Topics, a database and a syncline.yaml of their own, for one test file. */
export class Installation {
  readonly suffix = randomBytes(3).toString('hex');
  readonly shop = `shop-${this.suffix}`;
  readonly target = `t-${this.suffix}`;
  kafka!: KafkaSettings;
  env!: NodeJS.ProcessEnv;
  store!: Store;
  private producer!: MicroBatchProducer;
  private folder = '';
  private database!: { url: string; drop(): Promise<void> };
  private revision = 0;

  async open(yaml: (own: Installation) => string): Promise<void> {
    const { kafkaBrokers, databaseUrl } = await testInfra();
    this.kafka = { brokers: [...kafkaBrokers], clientId: 'test' };
    const receipts = { name: receiptsTopic('testbed'), partitions: 3, config: {} };
    await migrateTopics(this.kafka, [...declaredTopics([this.target]), receipts]);
    this.database = await createTestDatabase(databaseUrl);
    this.store = await openStore({ url: this.database.url, role: 'delivery', applicationName: 'test', poolSize: 2 });
    this.folder = await mkdtemp(join(tmpdir(), 'syncline-writer-'));
    const config = join(this.folder, 'syncline.yaml');
    await writeFile(config, yaml(this));
    this.env = {
      KAFKA_BROKERS: kafkaBrokers.join(','),
      DATABASE_URL: this.database.url,
      SYNCLINE_CONFIG: config,
      LOG_LEVEL: process.env.TEST_LOG_LEVEL ?? 'fatal',
      SETTLE_MS: '400',
    };
    this.producer = new MicroBatchProducer(this.kafka);
    await this.producer.connect();
  }

  async close(): Promise<void> {
    await this.producer.disconnect();
    await this.store.close();
    await this.database.drop();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Makes a table for the test, open to the delivery role. */
  async scratch(sql: string): Promise<void> {
    await this.store.transaction(async (tx) => {
      await tx.query('SET LOCAL ROLE NONE');
      await tx.query(sql);
      await tx.query('GRANT ALL ON ALL TABLES IN SCHEMA delivery TO syncline_delivery');
    });
  }

  /** Publishes an event, in a revision of its own. Returns what was sent. */
  async publish(event: TestEvent): Promise<{ id: string; revision: number }> {
    const { kind = 'shipment', deleted = false } = event;
    const id = event.id ?? randomUUID();
    const revision = event.revision ?? ++this.revision;
    const sources = (event.sources ?? []).map((s) => ({
      connection: this.target,
      noun: 'thing',
      externalId: 'none',
      deleted: false,
      seen: 0,
      behind: [],
      native: {},
      ...s,
    }));
    const record = {
      id,
      kind,
      revision,
      changedAt: new Date().toISOString(),
      sources,
      provenance: [],
      data: event.fields ?? {},
    } as unknown as CanonicalRecord;
    const connections = [...new Set([...(event.connections ?? [this.shop]), ...sources.map((s) => s.connection)])];
    const now = Date.now();
    const headers = canonicalHeaders({
      id,
      kind,
      revision,
      cause: this.shop,
      connections,
      changedAt: now,
      receivedAt: now,
      ...(event.mergedInto === undefined ? {} : { mergedInto: event.mergedInto }),
    });
    const value = deleted ? null : (event.text ?? JSON.stringify(record));
    await this.producer.send({ topic: canonicalTopic(kind), key: id, value, headers });
    return { id, revision };
  }

  /** Intents and receipts of one record, in the order they were published. */
  async receipts(id: string): Promise<Receipt[]> {
    const found: Receipt[] = [];
    for await (const record of readTopic(this.kafka, receiptsTopic('testbed')))
      if (record.key === id) found.push(JSON.parse(record.value!.toString()) as Receipt);
    return found;
  }

  /** Keys on one of the target's failure topics, with the kind and the reason of each failure. */
  async failed(topic: string): Promise<{ key: string; kind: string; reason: string }[]> {
    const found: { key: string; kind: string; reason: string }[] = [];
    for await (const r of readTopic(this.kafka, topic))
      found.push({
        key: r.key,
        kind: String(r.headers['sync-failure-kind']),
        reason: String(r.headers['sync-failure-reason']),
      });
    return found;
  }
}

/** Waits until a look is true, at most `forMs`. */
export async function until(
  look: () => boolean | Promise<boolean>,
  forMs = 15_000,
  what = 'the expected',
): Promise<void> {
  const end = Date.now() + forMs;
  while (!(await look())) {
    if (Date.now() > end) throw new Error(`${what} did not happen within ${forMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
