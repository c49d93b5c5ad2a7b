import { type BudgetKeeper, type Connector, configurationOf, tokenKeeping } from '@syncline/connector-sdk';
import { canonicalTopic, declaredTopics, kinds, receiptsTopic, SyncError } from '@syncline/contracts';
import { checkTopics, type KafkaSettings, MicroBatchProducer } from '@syncline/messaging';
import {
  createLogger,
  loadSynclineConfig,
  type ProviderSchemas,
  type RunningService,
  readEnv,
  type SynclineConfig,
  startService,
  targetsOf,
} from '@syncline/runtime';
import { checkStore, grantStore, openStore, turnBudget, watchClock, watchPauses } from '@syncline/store';
import { type Timing, timingDefault } from './object-target.js';
import { type BatchProvider, serveBatches } from './serve-batches.js';
import { serveObjects } from './serve-objects.js';
import type { ServedTarget, TargetConnection } from './served.js';
import { observeWriter, writerRoutes, writerStatus } from './status.js';
import { writerEnv } from './writer-env.js';

/** How long requests under way may still take in a shutdown, and how long their rows after those were ended. */
const graceMs = 3_500;
const afterAbortMs = 1_000;

export type WriterOptions = ({ connector: Connector } | { batch: BatchProvider }) & {
  env?: NodeJS.ProcessEnv;
  timing?: Partial<Timing>;
  /** False leaves signals to the caller. */
  ownsProcess?: boolean;
};

/**
 * Starts the writer of one provider: a consumer group `writer.<connection>` for each connection of it that a flow goes to.
 * Throws a ConfigError or a SyncError with a sentence where it cannot start: the environment, syncline.yaml, topics or
 * migrations that are missing.
 */
export async function startWriter(options: WriterOptions): Promise<RunningService> {
  const provider = 'connector' in options ? options.connector.provider : options.batch.provider;
  const env = readEnv(writerEnv, options.env ?? process.env);
  const config = loadSynclineConfig(env.SYNCLINE_CONFIG, options.env ?? process.env, [schemasOf(options)], {
    othersUnchecked: true,
  });
  const connections = connectionsOf(config, provider, env.CONNECTIONS);
  const name = `writer-${provider}`;
  const log = createLogger(name, env.LOG_LEVEL);
  const kafka: KafkaSettings = {
    brokers: env.KAFKA_BROKERS,
    clientId: name,
    log: ({ level, msg, ...rest }) => log[level](rest, msg),
  };
  const tokens = grantStore('connector' in options ? tokenKeeping(options.connector.auth) : 'none', {
    url: env.DATABASE_URL,
    keys: env.SYNCLINE_SECRET_KEYS,
    applicationName: name,
  });
  await refuseWhereMissing(kafka, env.DATABASE_URL, config, connections, 'connector' in options ? provider : null);
  const stopping = new AbortController();
  const store = await openStore({ url: env.DATABASE_URL, role: 'delivery', applicationName: name });
  const clock = watchClock(store, log);
  const sender = new MicroBatchProducer(kafka);
  const budgets: BudgetKeeper = { turn: (connection, step) => turnBudget(store, connection, step) };
  const shared = { kafka, flows: config.flows, store, log };
  const timing = { ...timingDefault, settleMs: env.SETTLE_MS, ...options.timing };
  const served: ServedTarget[] = connections.map((connection) =>
    'connector' in options
      ? serveObjects(options.connector, connection, {
          ...shared,
          sender,
          timing,
          budgets,
          tokens,
          service: name,
          signal: stopping.signal,
        })
      : serveBatches(options.batch, connection, shared),
  );
  const unobserve = observeWriter(store, served);
  // Known before the first record is: a target that is paused is not sent anything by a restart either.
  const pauses = await watchPauses(
    store,
    served.map((t) => t.name),
    {
      changed: (name, since) => {
        log.info(
          { target: name, paused: since !== null },
          since === null ? 'the target goes on' : 'the target is paused',
        );
        served.find((t) => t.name === name)?.setPaused(since !== null);
      },
      failed: (error) => log.debug({ err: error }, 'the pauses could not be read: those known before count'),
    },
  );
  const closeAll = async () => {
    unobserve();
    pauses.stop();
    clock.stop();
    await Promise.allSettled(served.map((t) => t.close()));
    await sender.disconnect();
    await tokens?.close();
    await store.close();
  };
  try {
    if ('connector' in options) await sender.connect();
    return await startService({
      name,
      logger: log,
      managementPort: env.MANAGEMENT_PORT,
      managementHost: env.MANAGEMENT_HOST,
      ...(options.ownsProcess === undefined ? {} : { ownsProcess: options.ownsProcess }),
      providers: [{ provide: 'writer', useValue: { onApplicationShutdown: closeAll } }],
      controllers: served.map((t) => t.controller),
      strategies: () => served.map((t) => t.strategy),
      ready: () => [
        { name: 'database', check: () => store.ready() },
        { name: 'kafka', check: () => served.every((t) => t.strategy.isReady()) },
        ...('connector' in options ? [{ name: 'receipts', check: () => sender.isReady() }] : []),
      ],
      status: () => async () => ({ ...(await writerStatus(store, served, pauses)), clockSkewMs: clock.skewMs() }),
      routes: writerRoutes(store, served),
      started: () => {
        for (const target of served) target.start();
      },
      stopping: async () => {
        await Promise.allSettled(served.map((t) => t.stop(graceMs)));
        // What still waits for a target's answer ends now, as a request of unknown outcome, and is stored as that.
        stopping.abort();
        await Promise.allSettled(served.map((t) => t.stop(afterAbortMs)));
      },
    });
  } catch (thrown) {
    stopping.abort();
    await closeAll().catch(() => undefined);
    throw thrown;
  }
}

/** What the configuration's checks must know of this writer's own system; other connections are not its business. */
function schemasOf(options: WriterOptions): ProviderSchemas {
  if ('batch' in options) {
    const { provider, settings, secrets } = options.batch;
    return { provider, settings, secrets, readonly: false, writesOnly: true, kinds: [...kinds] };
  }
  return configurationOf(options.connector);
}

/** The target connections this writer serves. Throws a sentence where there is none, or one that was named is not among them. */
function connectionsOf(
  config: SynclineConfig,
  provider: string,
  only: readonly string[] | undefined,
): TargetConnection[] {
  const mine = targetsOf(config).filter((t) => t.provider === provider);
  const strange = (only ?? []).filter((name) => !mine.some((t) => t.connection === name));
  if (strange.length > 0)
    throw new SyncError(
      'rejected',
      `CONNECTIONS names ${strange.join(', ')}, but no flow of syncline.yaml goes to a ${provider} connection of that name`,
    );
  if (mine.length === 0) throw new SyncError('rejected', `no flow of syncline.yaml goes to a ${provider} connection`);
  const chosen = only ? mine.filter((t) => only.includes(t.connection)) : mine;
  return chosen.map(({ connection, kinds }) => {
    const { settings, secrets } = config.connections[connection]!;
    return { name: connection, kinds, settings, secrets };
  });
}

async function refuseWhereMissing(
  kafka: KafkaSettings,
  databaseUrl: string,
  config: SynclineConfig,
  connections: readonly TargetConnection[],
  receiptsOf: string | null,
): Promise<void> {
  const groups = connections.map((c) => `.writer.${c.name}`);
  const read = new Set(connections.flatMap((c) => c.kinds.map(canonicalTopic)));
  const needed = declaredTopics(targetsOf(config).map((t) => t.connection)).filter(
    ({ name }) =>
      read.has(name) ||
      groups.some((g) => name.endsWith(g)) ||
      (receiptsOf !== null && name === receiptsTopic(receiptsOf)),
  );
  const problems = [...(await checkTopics(kafka, needed)), ...(await checkStore(databaseUrl))];
  if (problems.length > 0) throw new SyncError('rejected', problems.join(' '));
}
