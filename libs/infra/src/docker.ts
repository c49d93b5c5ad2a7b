import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { databaseRole, databases } from './postgres.js';
import { kafkaIsReady, postgresIsReady } from './probe.js';
import { runToEnd } from './process.js';
import type { OnExit, Service, ServiceName } from './service.js';

// The docker command line rather than a library: it binds ports to 127.0.0.1 and names the containers, so that those of a
// killed start are found again.
const images = { kafka: 'apache/kafka:4.4.0', postgres: 'postgres:18.4' } as const;
const pullMsMax = 10 * 60_000;
const commandMsMax = 60_000;
const readyMsMax = 120_000;

/** Where and how the containers run. */
export interface DockerOptions {
  readonly stateDir: string;
  readonly ports: { readonly kafka: number; readonly postgres: number };
  readonly password: string;
  readonly onStep: (line: string) => void;
  readonly onExit?: OnExit;
}

interface ContainerSpec {
  readonly name: ServiceName;
  readonly port: number;
  readonly containerPort: number;
  readonly dataPath: string;
  readonly env: Readonly<Record<string, string>>;
  readonly isReady: () => Promise<boolean>;
}

/** True when a Docker daemon answers. */
export async function dockerAnswers(): Promise<boolean> {
  try {
    await docker(['version', '--format', '{{.Server.Version}}'], 5_000);
    return true;
  } catch {
    return false;
  }
}

/** Both services as containers with a named volume each. */
export function dockerServices(options: DockerOptions): Service[] {
  const { ports, password } = options;
  const kafka: ContainerSpec = {
    name: 'kafka',
    port: ports.kafka,
    containerPort: 9092,
    dataPath: '/var/lib/kafka/data',
    env: kafkaEnv(ports.kafka),
    isReady: () => kafkaIsReady(ports.kafka),
  };
  const postgres: ContainerSpec = {
    name: 'postgres',
    port: ports.postgres,
    containerPort: 5432,
    dataPath: '/var/lib/postgresql',
    env: { POSTGRES_USER: databaseRole, POSTGRES_PASSWORD: password, POSTGRES_DB: databases.store },
    isReady: () => postgresIsReady(ports.postgres, databaseRole, databases.store),
  };
  return [containerService(kafka, options), containerService(postgres, options)];
}

/** Removes what earlier starts with this state folder left in Docker. */
export async function removeDockerData(stateDir: string): Promise<void> {
  for (const name of ['kafka', 'postgres'] as const) {
    await docker(['rm', '-f', containerName(stateDir, name)], commandMsMax).catch(() => {});
    await docker(['volume', 'rm', '-f', containerName(stateDir, name)], commandMsMax);
  }
}

function containerService(spec: ContainerSpec, options: DockerOptions): Service {
  const container = containerName(options.stateDir, spec.name);
  let watched: object | undefined;
  const watch = () => {
    const own = {};
    watched = own;
    execFile('docker', ['wait', container], (error, stdout) => {
      if (watched !== own) return;
      watched = undefined;
      options.onExit?.(spec.name, error ? 'container gone' : `exit code ${stdout.trim()}`);
    });
  };
  return {
    name: spec.name,
    process: () => undefined,
    async start() {
      await docker(['rm', '-f', container], commandMsMax).catch(() => {});
      const image = images[spec.name];
      const known = await docker(['image', 'inspect', '-f', '{{.Id}}', image], commandMsMax).catch(() => undefined);
      if (known === undefined) {
        options.onStep(`Pulling ${image}`);
        await docker(['pull', '-q', image], pullMsMax);
      }
      // Values travel in the environment, so that the password is not seen in the list of processes.
      const env = Object.keys(spec.env).flatMap((name) => ['-e', name]);
      const publish = ['-p', `127.0.0.1:${spec.port}:${spec.containerPort}`, '-v', `${container}:${spec.dataPath}`];
      await docker(['run', '-d', '--name', container, ...publish, ...env, image], commandMsMax, spec.env);
      const end = Date.now() + readyMsMax;
      while (!(await spec.isReady())) {
        if (Date.now() > end) throw new Error(`container ${container} was not ready after ${readyMsMax} ms`);
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
      if (spec.name === 'postgres') await createWarehouse(container);
      watch();
    },
    async stop() {
      watched = undefined;
      await docker(['stop', '-t', '15', container], commandMsMax).catch(() => {});
      await docker(['rm', '-f', container], commandMsMax).catch(() => {});
    },
    signal: async (name) => {
      if (name === 'SIGSTOP') await docker(['pause', container], commandMsMax);
      else if (name === 'SIGCONT') await docker(['unpause', container], commandMsMax);
      else await docker(['kill', '-s', name, container], commandMsMax);
    },
  };
}

async function createWarehouse(container: string): Promise<void> {
  const psql = ['exec', container, 'psql', '-U', databaseRole, '-d', databases.store, '-tAc'];
  const there = await docker(
    [...psql, `SELECT count(*) FROM pg_database WHERE datname = '${databases.warehouse}'`],
    commandMsMax,
  );
  if (there.trim() === '0') await docker([...psql, `CREATE DATABASE ${databases.warehouse}`], commandMsMax);
}

/**
 * The image builds its configuration from KAFKA_*. Clients come from outside and are told the published port, which leads
 * nowhere inside the container: the broker reaches itself (transaction markers go that way) on a listener of its own.
 */
function kafkaEnv(port: number): Record<string, string> {
  return {
    KAFKA_NODE_ID: '1',
    KAFKA_PROCESS_ROLES: 'broker,controller',
    KAFKA_LISTENERS: 'CLIENTS://:9092,PLAINTEXT://localhost:29092,CONTROLLER://localhost:9093',
    KAFKA_ADVERTISED_LISTENERS: `CLIENTS://127.0.0.1:${port},PLAINTEXT://localhost:29092`,
    KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: 'CLIENTS:PLAINTEXT,PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    KAFKA_INTER_BROKER_LISTENER_NAME: 'PLAINTEXT',
    KAFKA_CONTROLLER_LISTENER_NAMES: 'CONTROLLER',
    KAFKA_CONTROLLER_QUORUM_VOTERS: '1@localhost:9093',
    KAFKA_LOG_DIRS: '/var/lib/kafka/data',
    KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'false',
    KAFKA_MESSAGE_MAX_BYTES: '1114112',
    KAFKA_BROKER_SESSION_TIMEOUT_MS: '3000',
    KAFKA_BROKER_HEARTBEAT_INTERVAL_MS: '1000',
    KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: '1',
    KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS: '4',
    KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: '1',
    KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: '1',
    KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS: '4',
    KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR: '1',
    KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR: '1',
    KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: '0',
  };
}

function containerName(stateDir: string, name: ServiceName): string {
  return `syncline-${createHash('sha256').update(stateDir).digest('hex').slice(0, 10)}-${name}`;
}

function docker(
  args: readonly string[],
  timeoutMs: number,
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  return runToEnd('docker', args, { timeoutMs, env: { ...process.env, ...env } });
}
