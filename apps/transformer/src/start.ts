import type { Connector } from '@syncline/connector-sdk';
import { connectors } from '@syncline/connectors';
import { declaredTopics, transformerGroup, transformerTopics } from '@syncline/contracts';
import { type Batch, checkTopics, KafkaBatchStrategy, MicroBatchProducer, type Outcome } from '@syncline/messaging';
import {
  baseEnv,
  ConfigError,
  createLogger,
  loadSynclineConfig,
  type RunningService,
  readEnv,
  startService,
  targetsOf,
} from '@syncline/runtime';
import { checkStore, countChanges, openStore } from '@syncline/store';
import { BatchController } from './batch.controller.js';
import { inspectRoutes } from './inspect.js';
import { Lanes } from './lanes.js';
import { startRelease } from './release.js';
import { createTopology } from './topology.js';

/** Starts the transformer: raw topics and receipts in, canonical topics out. Refuses to start where topics or tables are missing. */
export async function startTransformer(env: NodeJS.ProcessEnv = process.env): Promise<RunningService> {
  const settings = readEnv(baseEnv, env);
  const log = createLogger('transformer', settings.LOG_LEVEL);
  const config = loadSynclineConfig(settings.SYNCLINE_CONFIG, env, [], { othersUnchecked: true });
  const kafka = { brokers: settings.KAFKA_BROKERS, clientId: 'transformer' };
  await refuseUnlessReady(
    settings.DATABASE_URL,
    kafka,
    targetsOf(config).map((t) => t.connection),
  );
  const topology = createTopology(config, connectors as unknown as Record<string, Connector>);
  const store = await openStore({
    url: settings.DATABASE_URL,
    role: 'transformer',
    applicationName: 'transformer',
    poolSize: 8,
  });
  const lanes = new Lanes(store, topology, kafka);
  const producer = new MicroBatchProducer(kafka);
  await producer.connect();
  const strategy = new KafkaBatchStrategy({
    kafka,
    groupId: transformerGroup,
    topics: transformerTopics(),
    onAssigned: (topic, partition) => lanes.assigned(topic, partition),
    onRevoked: (topic, partition) => lanes.revoked(topic, partition),
  });
  const stopRelease = startRelease(store, producer, (error) =>
    log.warn({ err: error }, 'releasing overdue messages failed'),
  );
  return startService({
    name: 'transformer',
    managementPort: settings.MANAGEMENT_PORT,
    managementHost: settings.MANAGEMENT_HOST,
    logger: log,
    providers: [
      { provide: 'run', useValue: (batch: Batch): Promise<Outcome[]> => lanes.run(batch) },
      {
        provide: 'end',
        useValue: {
          onApplicationShutdown: async () => {
            await lanes.close();
            await producer.disconnect();
            await store.close();
          },
        },
      },
    ],
    controllers: [BatchController],
    strategies: () => [strategy],
    stopping: stopRelease,
    ready: () => [
      { name: 'consumer', check: () => strategy.isReady() },
      { name: 'database', check: () => store.ready() },
    ],
    status: () => async () => ({
      changed: await countChanges(store),
      consumers: await strategy.lag().then((rows) => rows.map((r) => ({ group: transformerGroup, ...r }))),
    }),
    routes: inspectRoutes(() => store),
  });
}

async function refuseUnlessReady(
  databaseUrl: string,
  kafka: { brokers: string[]; clientId: string },
  targets: string[],
): Promise<void> {
  const problems = [...(await checkStore(databaseUrl)), ...(await checkTopics(kafka, declaredTopics(targets)))];
  if (problems.length > 0)
    throw new ConfigError(
      'the transformer cannot start',
      problems.map((message) => ({ path: '', message })),
    );
}
