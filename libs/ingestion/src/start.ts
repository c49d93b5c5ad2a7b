import { type Connector, configurationOf, tokenKeeping } from '@syncline/connector-sdk';
import { declaredTopics, rawTopic } from '@syncline/contracts';
import { checkTopics, type KafkaSettings, MicroBatchProducer } from '@syncline/messaging';
import {
  ConfigError,
  createLogger,
  type Logger,
  loadSynclineConfig,
  type RunningService,
  readEnv,
  startService,
} from '@syncline/runtime';
import { checkStore, grantStore, openStore, turnBudget, watchClock } from '@syncline/store';
import { openConnections } from './connection.js';
import { type IngestorEnv, ingestorEnv } from './env.js';
import { Ingestor, type IngestorTimes } from './ingestor.js';

/** What tests replace. */
export interface IngestorOverrides {
  env?: NodeJS.ProcessEnv;
  logger?: Logger;
  times?: IngestorTimes;
  /** False in tests, which run services in their own process. */
  ownsProcess?: boolean;
}

/** A running ingestor. */
export interface RunningIngestor extends RunningService {
  /** Address of the webhook endpoint; requests go to /webhooks/<connection> below it. */
  webhooksUrl: string;
  ingestor: Ingestor;
}

/**
 * Starts the ingestor of a provider: reads the environment and syncline.yaml, refuses with a sentence where topics, migrations
 * or a webhook secret are missing, then serves webhooks and polls for every connection of the provider.
 */
export async function startIngestor(connector: Connector, overrides: IngestorOverrides = {}): Promise<RunningIngestor> {
  const source = overrides.env ?? process.env;
  const env = readEnv(ingestorEnv, source);
  const name = `ingestor-${connector.provider}`;
  const log = overrides.logger ?? createLogger(name, env.LOG_LEVEL);
  const config = loadSynclineConfig(env.SYNCLINE_CONFIG, source, [configurationOf(connector)], {
    othersUnchecked: true,
  });
  const stop = new AbortController();
  const tokens = grantStore(tokenKeeping(connector.auth), {
    url: env.DATABASE_URL,
    keys: env.SYNCLINE_SECRET_KEYS,
    applicationName: name,
  });
  const connections = openConnections(connector, Object.values(config.connections), {
    only: env.CONNECTIONS,
    // Nothing is asked of it before the first request, long after the store was opened.
    budgets: { turn: (connection, step) => turnBudget(store, connection, step) },
    signal: stop.signal,
    tokens,
  });
  const kafka = kafkaOf(env, name, log);
  await refuseUnprepared(connector, env, kafka);
  const store = await openStore({ url: env.DATABASE_URL, role: 'ingestion', applicationName: name, poolSize: 4 });
  const clock = watchClock(store, log);
  const producer = new MicroBatchProducer(kafka);
  await producer.connect();
  const { times } = overrides;
  const ingestor = new Ingestor({
    connector,
    connections,
    env,
    store,
    sender: producer,
    log,
    ...(times ? { times } : {}),
  });
  const service = await startService({
    name,
    logger: log,
    ...(overrides.ownsProcess === undefined ? {} : { ownsProcess: overrides.ownsProcess }),
    managementPort: env.MANAGEMENT_PORT,
    managementHost: env.MANAGEMENT_HOST,
    providers: [
      { provide: Ingestor, useValue: ingestor },
      {
        provide: 'connections',
        useValue: closing(async () => {
          clock.stop();
          await Promise.all([producer.disconnect(), store.close(), tokens?.close()]);
        }),
      },
    ],
    started: () => ingestor.start(),
    stopping: async () => {
      stop.abort();
      await ingestor.stop();
    },
    ready: () => [
      { name: 'kafka', check: () => producer.isReady() },
      { name: 'store', check: () => store.ready() },
    ],
    status: () => async () => ({ ...(await ingestor.status()), clockSkewMs: clock.skewMs() }),
    routes: [
      ...(['GET', 'POST'] as const).map((method) => ({
        method,
        path: '/poll',
        handler: (_get: unknown, query: Readonly<Record<string, string>>) =>
          ingestor.pollNow(query.connection, query.noun),
      })),
      { path: '/backfills', handler: () => ingestor.backfills() },
      { method: 'POST' as const, path: '/backfills', handler: (_get, query) => ingestor.backfill(query) },
    ],
    extra: () => ({ webhooks: ingestor.url }),
  });
  return { ...service, webhooksUrl: ingestor.url, ingestor };
}

const kafkaOf = (env: IngestorEnv, clientId: string, log: Logger): KafkaSettings => ({
  brokers: env.KAFKA_BROKERS,
  clientId,
  log: ({ level, msg, ...rest }) => log[level](rest, msg),
});

/** Throws one sentence a problem where topics or tables are missing: a service that made them itself would race with others. */
async function refuseUnprepared(connector: Connector, env: IngestorEnv, kafka: KafkaSettings): Promise<void> {
  const needed = new Set(Object.keys(connector.objects).map((noun) => rawTopic(connector.provider, noun)));
  const specs = declaredTopics([]).filter((t) => needed.has(t.name));
  const problems = [...(await checkTopics(kafka, specs)), ...(await checkStore(env.DATABASE_URL))];
  if (problems.length > 0)
    throw new ConfigError(
      'The ingestor cannot start',
      problems.map((message) => ({ path: '', message })),
    );
}

/** Something that ends when the service has stopped its consumers and its HTTP. */
const closing = (close: () => Promise<unknown>) => ({ onApplicationShutdown: close });
