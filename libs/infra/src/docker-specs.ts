import { createHash } from 'node:crypto';
import { databaseRole, databases } from './postgres.js';
import { kafkaIsReady, postgresIsReady } from './probe.js';
import type { ServiceName } from './service.js';

/** What one service's container is made of. */
export interface ContainerSpec {
  readonly name: ServiceName;
  readonly image: string;
  /** Published on 127.0.0.1. */
  readonly port: number;
  readonly containerPort: number;
  /** Where the named volume is mounted. */
  readonly dataPath: string;
  readonly env: Readonly<Record<string, string>>;
  readonly isReady: () => Promise<boolean>;
  /** Run in the container once it is ready, on every start. */
  readonly afterStart: readonly (readonly string[])[];
}

/** The containers of Kafka and PostgreSQL, on these ports. */
export function containerSpecs(
  ports: { readonly kafka: number; readonly postgres: number },
  password: string,
): ContainerSpec[] {
  return [
    {
      name: 'kafka',
      image: 'apache/kafka:4.4.0',
      port: ports.kafka,
      containerPort: 9092,
      dataPath: '/var/lib/kafka/data',
      env: kafkaEnv(ports.kafka),
      isReady: () => kafkaIsReady(ports.kafka),
      afterStart: [],
    },
    {
      name: 'postgres',
      image: 'postgres:18.4',
      port: ports.postgres,
      containerPort: 5432,
      dataPath: '/var/lib/postgresql',
      env: { POSTGRES_USER: databaseRole, POSTGRES_PASSWORD: password, POSTGRES_DB: databases.store },
      isReady: () => postgresIsReady(ports.postgres, databaseRole, databases.store),
      afterStart: [['sh', '-c', createWarehouse]],
    },
  ];
}

/** The labels by which the containers of a state folder are found, also those of a starter that was killed. */
export function stateLabels(stateDir: string, name?: ServiceName): Record<string, string> {
  const labels: Record<string, string> = { 'syncline.state': hashOf(stateDir) };
  if (name) labels['syncline.service'] = name;
  return labels;
}

/** The volume with a service's data, and its container's name. */
export const dataVolume = (stateDir: string, name: ServiceName): string => `syncline-${hashOf(stateDir)}-${name}`;

const hashOf = (stateDir: string): string => createHash('sha256').update(stateDir).digest('hex').slice(0, 10);

/** The image makes one database, at the first start. A start that was killed may have got no further. */
const createWarehouse = [
  `psql='psql -U ${databaseRole} -d ${databases.store} -tA -v ON_ERROR_STOP=1'`,
  `there=$($psql -c "SELECT count(*) FROM pg_database WHERE datname = '${databases.warehouse}'")`,
  `[ "$there" = 1 ] || $psql -c 'CREATE DATABASE ${databases.warehouse}'`,
].join(' && ');

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
