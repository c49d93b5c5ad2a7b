import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findJava, kafkaJars } from './kafka-jars.js';
import { advertisedBrokers } from './probe.js';
import { runToEnd } from './process.js';
import { type BrokerName, brokerNames, nativeService, type OnExit, type Service } from './service.js';

const nativeDir = fileURLToPath(new URL('../native/', import.meta.url));

/** A second advertised listener, so that a TCP proxy can stand between clients and the broker. */
export interface ExtraListener {
  /** Listener name in the broker's configuration: capitals, digits and underscores. */
  readonly name: string;
  /** The proxies' ports, one per broker, which clients of this listener are told to connect to. */
  readonly advertisedPorts: readonly number[];
}

/** Ports a broker listens on. */
export interface KafkaPorts {
  readonly kafka: number;
  readonly kafkaController: number;
  readonly kafkaExtra?: number;
}

/** Where and how the brokers run. */
export interface KafkaOptions {
  readonly stateDir: string;
  readonly logDir: string;
  /** One entry per broker. */
  readonly ports: readonly KafkaPorts[];
  /** 16 bytes in base64url, the same for every start in this folder. */
  readonly clusterId: string;
  readonly extraListener?: ExtraListener;
  readonly onStep: (line: string) => void;
  readonly onExit?: OnExit;
}

/** Prepares KRaft brokers that are controllers too, one or three of them; throws when Java or the jars cannot be had. */
export async function kafkaServices(options: KafkaOptions): Promise<Service[]> {
  if (options.extraListener) checkListener(options.extraListener, options.ports.length);
  const [java, jars] = await Promise.all([findJava(), kafkaJars(options.onStep)]);
  const classpath = [nativeDir, join(jars, '*')].join(':');
  return options.ports.map((_, index) => brokerService(java, classpath, options, index));
}

function brokerService(java: string, classpath: string, options: KafkaOptions, index: number): Service {
  const { stateDir, logDir, ports, extraListener, onExit } = options;
  const name = brokerNames[index] as BrokerName;
  const data = join(stateDir, name);
  const properties = join(stateDir, `${name}.properties`);
  const own = ports[index]!.kafka;
  // Three of them must fit beside everything else.
  const heap = ports.length === 1 ? ['-Xms256m', '-Xmx512m'] : ['-Xms128m', '-Xmx256m'];
  return nativeService(
    {
      name,
      launch: {
        command: java,
        // The serial collector has the least threads and pauses of a few ms on a heap this small.
        args: [
          ...heap,
          '-XX:+UseSerialGC',
          '-XX:+ExitOnOutOfMemoryError',
          '-Djava.awt.headless=true',
          '-cp',
          classpath,
          'kafka.Kafka',
          properties,
        ],
        cwd: stateDir,
        env: {},
        logFile: join(logDir, `${name}.log`),
        pidFile: join(stateDir, `${name}.pid`),
      },
      politeSignal: 'SIGTERM',
      // After a kill it checks its logs, and waits for its old session to end.
      readyMsMax: 90_000,
      // Registered itself: another broker of the cluster being there is not enough.
      isReady: async () => (await advertisedBrokers(own)).some(({ port }) => port === own),
      prepare: async () => {
        writeFileSync(properties, brokerProperties(ports, index, data, extraListener));
        if (!existsSync(data)) await format(java, classpath, options, index, data);
      },
    },
    onExit,
  );
}

/** What differs where the cluster has three brokers: everything is kept three times, and acknowledged by two. */
const replicated = [
  'default.replication.factor=3',
  'min.insync.replicas=2',
  'offsets.topic.replication.factor=3',
  'transaction.state.log.replication.factor=3',
  'transaction.state.log.min.isr=2',
  'share.coordinator.state.topic.replication.factor=3',
  'share.coordinator.state.topic.min.isr=2',
] as const;

/** A broker's whole configuration; `ports` are those of all brokers, of which it is the one at `index`. */
export function brokerProperties(
  ports: readonly KafkaPorts[],
  index: number,
  dataDir: string,
  extra?: ExtraListener,
): string {
  const own = ports[index]!;
  const listen = [`PLAINTEXT://127.0.0.1:${own.kafka}`, `CONTROLLER://127.0.0.1:${own.kafkaController}`];
  const advertised = [`PLAINTEXT://127.0.0.1:${own.kafka}`];
  const protocols = ['PLAINTEXT:PLAINTEXT', 'CONTROLLER:PLAINTEXT'];
  if (extra) {
    listen.push(`${extra.name}://127.0.0.1:${own.kafkaExtra}`);
    advertised.push(`${extra.name}://127.0.0.1:${extra.advertisedPorts[index]}`);
    protocols.push(`${extra.name}:PLAINTEXT`);
  }
  const voters = ports.map(({ kafkaController }, i) => `${i + 1}@127.0.0.1:${kafkaController}`);
  return [
    readFileSync(join(nativeDir, 'server.properties'), 'utf8').trimEnd(),
    '',
    // The last of two lines of one name counts.
    ...(ports.length > 1 ? replicated : []),
    `node.id=${index + 1}`,
    `listeners=${listen.join(',')}`,
    `advertised.listeners=${advertised.join(',')}`,
    `listener.security.protocol.map=${protocols.join(',')}`,
    // A static voter is read from here at each start; a dynamic one would stay in the data with its old port.
    `controller.quorum.voters=${voters.join(',')}`,
    `log.dirs=${dataDir.replaceAll('\\', '\\\\')}`,
    '',
  ].join('\n');
}

/** Makes the empty data folder under another name first, so that a kill half way leaves none. */
async function format(
  java: string,
  classpath: string,
  options: KafkaOptions,
  index: number,
  data: string,
): Promise<void> {
  if (index === 0) options.onStep('Preparing the Kafka data folder');
  const draft = `${data}.new`;
  const properties = `${data}.format.properties`;
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { mode: 0o700 });
  writeFileSync(properties, brokerProperties(options.ports, index, draft));
  const args = ['-Xmx128m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', classpath, 'kafka.tools.StorageTool'];
  await runToEnd(java, [...args, 'format', '-t', options.clusterId, '-c', properties], { timeoutMs: 60_000 });
  rmSync(properties);
  renameSync(draft, data);
}

function checkListener(extra: ExtraListener, brokers: number): void {
  if (!/^[A-Z][A-Z0-9_]*$/.test(extra.name) || ['PLAINTEXT', 'CONTROLLER'].includes(extra.name)) {
    throw new Error(
      `extraListener.name "${extra.name}": use capitals, digits and _, other than PLAINTEXT and CONTROLLER`,
    );
  }
  const ports = extra.advertisedPorts;
  if (ports.length !== brokers || !ports.every((port) => Number.isInteger(port) && port >= 1 && port <= 65_535)) {
    throw new Error(`extraListener.advertisedPorts ${ports.join(', ')}: one port between 1 and 65535 per broker`);
  }
}
