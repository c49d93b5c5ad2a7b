import type { Connector } from '@syncline/connector-sdk';
import { connectors } from '@syncline/connectors';
import { declaredTopics, transformerGroup, transformerTopics } from '@syncline/contracts';
import {
  type Batch,
  checkTopics,
  KafkaBatchStrategy,
  type KafkaSettings,
  MicroBatchProducer,
  type Outcome,
  observeLag,
} from '@syncline/messaging';
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
import { checkStore, countChanges, openStore, watchClock } from '@syncline/store';
import { BatchController } from './batch.controller.js';
import { decisionRoutes } from './decisions.js';
import { startDriftWatch } from './drift/watch.js';
import { startHousekeeping } from './housekeeping.js';
import { inspectRoutes } from './inspect.js';
import { Lanes } from './lanes.js';
import { replayRoutes } from './replay.js';
import { createTopology } from './topology.js';
import { whereaboutsRoutes } from './whereabouts.js';

/** Starts the transformer: raw topics and receipts in, canonical topics out. Refuses to start where topics or tables are missing. */
export async function startTransformer(env: NodeJS.ProcessEnv = process.env): Promise<RunningService> {
  const settings = readEnv(baseEnv, env);
  const log = createLogger('transformer', settings.LOG_LEVEL);
  const config = loadSynclineConfig(settings.SYNCLINE_CONFIG, env, [], { othersUnchecked: true });
  const kafka: KafkaSettings = {
    brokers: settings.KAFKA_BROKERS,
    clientId: 'transformer',
    log: ({ level, msg, ...rest }) => log[level](rest, msg),
  };
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
  const clock = watchClock(store, log);
  const lanes = new Lanes(store, topology, kafka);
  const producer = new MicroBatchProducer(kafka);
  await producer.connect();
  const strategy = new KafkaBatchStrategy({
    kafka,
    groupId: transformerGroup,
    topics: transformerTopics(),
    together: true,
    onAssigned: (topic, partition) => lanes.assigned(topic, partition),
    onRevoked: (topic, partition) => lanes.revoked(topic, partition),
  });
  const drift = startDriftWatch(store, log, (name) => topology.connectorOf(name) !== undefined);
  const stopHousekeeping = startHousekeeping(store, producer, (error) =>
    log.warn({ err: error }, 'housekeeping failed'),
  );
  const watched = async (batch: Batch): Promise<Outcome[]> => {
    const outcomes = await lanes.run(batch);
    drift.see(batch.records, outcomes);
    return outcomes;
  };
  const lag = async () => (await strategy.lag()).map((l) => ({ group: transformerGroup, ...l }));
  const stopObserving = observeLag(lag);
  const end = async () => {
    stopObserving();
    clock.stop();
    await lanes.close();
    await drift.stop();
    await producer.disconnect();
    await store.close();
  };
  return startService({
    name: 'transformer',
    managementPort: settings.MANAGEMENT_PORT,
    managementHost: settings.MANAGEMENT_HOST,
    logger: log,
    providers: [
      { provide: 'run', useValue: watched },
      { provide: 'end', useValue: { onApplicationShutdown: end } },
    ],
    controllers: [BatchController],
    strategies: () => [strategy],
    stopping: stopHousekeeping,
    ready: () => [
      { name: 'consumer', check: () => strategy.isReady() },
      { name: 'database', check: () => store.ready() },
    ],
    status: () => async () => ({
      changed: await countChanges(store),
      consumers: await lag(),
      clockSkewMs: clock.skewMs(),
    }),
    routes: [
      ...inspectRoutes(() => store),
      ...decisionRoutes(() => store),
      ...whereaboutsRoutes(() => store, topology),
      ...replayRoutes(() => ({ kafka, store, topology, send: (message) => producer.send(message) })),
      { path: '/drift', handler: (_get, query) => drift.report(query.connection) },
    ],
  });
}

async function refuseUnlessReady(databaseUrl: string, kafka: KafkaSettings, targets: string[]): Promise<void> {
  const problems = [...(await checkStore(databaseUrl)), ...(await checkTopics(kafka, declaredTopics(targets)))];
  if (problems.length > 0)
    throw new ConfigError(
      'the transformer cannot start',
      problems.map((message) => ({ path: '', message })),
    );
}
