// One ingestor of a test source, with real Kafka and PostgreSQL: what the engine's tests start from. Importing it sets it up.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from '@jest/globals';
import { declaredTopics, rawTopic } from '@syncline/contracts';
import { testInfra } from '@syncline/infra';
import { type InboundRecord, migrateTopics, readTopic } from '@syncline/messaging';
import { createLogger } from '@syncline/runtime';
import { createTestDatabase, openStore, type Store } from '@syncline/store';
import { type IngestorOverrides, type RunningIngestor, startIngestor } from '../start.js';
import { freshName, type Source, sourceConnector, startSource, webhookSecret } from './source.js';

export const topic = rawTopic('easypost', 'tracker');
const log = createLogger('test', process.env.TEST_LOG ?? 'silent');
let brokers: string[];
export let database: { url: string; drop(): Promise<void> };
export let store: Store;
export let folder: string;
export let source: Source;
export let name: string;
let running: RunningIngestor[] = [];

beforeAll(async () => {
  const infra = await testInfra();
  brokers = [...infra.kafkaBrokers];
  await migrateTopics(
    { brokers, clientId: 'ingestion-test' },
    declaredTopics([]).filter((t) => t.name.startsWith('raw.easypost.')),
  );
  database = await createTestDatabase(infra.databaseUrl);
  store = await openStore({ url: database.url, role: 'ingestion', applicationName: 'test', poolSize: 2 });
  folder = await mkdtemp(join(tmpdir(), 'ingestion-'));
}, 60_000);

afterAll(async () => {
  await store?.close();
  await database?.drop();
  await rm(folder, { recursive: true, force: true });
});

beforeEach(async () => {
  name = freshName();
  source = await startSource();
});

afterEach(async () => {
  await Promise.all(running.map((r) => r.close()));
  running = [];
  await source.close();
});

export const times = { leaseMs: 1_500, parkedMs: 200, backoffMsMax: 300 };

export const start = async (env: NodeJS.ProcessEnv = {}, over: IngestorOverrides = {}): Promise<RunningIngestor> => {
  const path = join(folder, `${name}.yaml`);
  await writeFile(
    path,
    `connections:
  ${name}: { provider: easypost, settings: { url: "${source.url}" }, secrets: { webhookSecret: "\${HOOK_SECRET}" } }
  warehouse: { provider: postgres, secrets: { url: "\${NOT_SET_HERE}" } }
flows: [{ kinds: [shipment], from: [${name}], to: [warehouse] }]
`,
  );
  const ingestor = await startIngestor(sourceConnector, {
    env: {
      KAFKA_BROKERS: brokers.join(','),
      DATABASE_URL: database.url,
      SYNCLINE_CONFIG: path,
      HOOK_SECRET: webhookSecret,
      POLL_INTERVAL_MS: '150',
      ...env,
    },
    logger: log,
    times,
    ownsProcess: false,
    ...over,
  });
  running.push(ingestor);
  return ingestor;
};

export const records = async (): Promise<InboundRecord[]> => {
  const out: InboundRecord[] = [];
  for await (const record of readTopic({ brokers, clientId: 'ingestion-test' }, topic))
    if (record.key.startsWith(`${name}/`)) out.push(record);
  return out;
};
/** How many messages are durable, by the ingestor's own count: cheaper to wait for than reading the topic that all tests share. */
export const arrived = async (): Promise<number> => {
  const [row] = await store.query<{ accepted: string }>('SELECT accepted FROM connections WHERE connection = $1', [
    name,
  ]);
  return Number(row?.accepted ?? 0);
};
export const bodies = async () => (await records()).map((r) => r.value?.toString() ?? '').sort();

export const until = async <T>(
  what: string,
  look: () => Promise<T>,
  good: (seen: T) => boolean,
  msMax = 25_000,
): Promise<T> => {
  const end = Date.now() + msMax;
  for (;;) {
    const seen = await look();
    if (good(seen)) return seen;
    if (Date.now() > end) throw new Error(`${what} did not come: ${JSON.stringify(seen)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
};

export interface Status {
  name: string;
  state: string;
  reason: string | null;
  accepted: number;
  lastReceivedAt: number | null;
  webhook: { state: string; url: string };
  polls: { noun: string; watermark: number | null }[];
}
export const statusOf = async (r: RunningIngestor): Promise<Status> => {
  const { connections } = (await (await fetch(`${r.url}/status`)).json()) as { connections: Status[] };
  expect(connections).toHaveLength(1);
  return connections[0]!;
};
export const pollNow = async (r: RunningIngestor) => {
  const reply = await fetch(`${r.url}/poll?connection=${name}`, { method: 'POST' });
  return ((await reply.json()) as { polls: { outcome: string; published?: number; skipped?: number }[] }).polls[0]!;
};
export const object = (n: number, version = Date.now() - 60_000 + n) => ({
  id: `o${n}`,
  version,
  body: `{ "id": "o${n}", "v": ${version} }`,
});
