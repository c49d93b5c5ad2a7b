import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findJava, kafkaJars } from './kafka-jars.js';
import { kafkaIsReady } from './probe.js';
import { runToEnd } from './process.js';
import { nativeService, type OnExit, type Service } from './service.js';

const nativeDir = fileURLToPath(new URL('../native/', import.meta.url));

/** A second advertised listener, so that a TCP proxy can stand between clients and the broker. */
export interface ExtraListener {
  /** Listener name in the broker's configuration: capitals, digits and underscores. */
  readonly name: string;
  /** The proxy's port, which clients of this listener are told to connect to. */
  readonly advertisedPort: number;
}

/** Ports the broker listens on. */
export interface KafkaPorts {
  readonly kafka: number;
  readonly kafkaController: number;
  readonly kafkaExtra?: number;
}

/** Where and how the broker runs. */
export interface KafkaOptions {
  readonly stateDir: string;
  readonly logDir: string;
  readonly ports: KafkaPorts;
  readonly extraListener?: ExtraListener;
  readonly onStep: (line: string) => void;
  readonly onExit?: OnExit;
}

/** Prepares a one-node KRaft broker; throws when Java or the jars cannot be had. */
export async function kafkaService(options: KafkaOptions): Promise<Service> {
  if (options.extraListener) checkListener(options.extraListener);
  const [java, jars] = await Promise.all([findJava(), kafkaJars(options.onStep)]);
  const classpath = [nativeDir, join(jars, '*')].join(':');
  const data = join(options.stateDir, 'kafka');
  const properties = join(options.stateDir, 'kafka.properties');
  return nativeService(
    {
      name: 'kafka',
      launch: {
        command: java,
        // The serial collector has the least threads and pauses of a few ms on a heap this small.
        args: [
          '-Xms256m',
          '-Xmx512m',
          '-XX:+UseSerialGC',
          '-XX:+ExitOnOutOfMemoryError',
          '-Djava.awt.headless=true',
          '-cp',
          classpath,
          'kafka.Kafka',
          properties,
        ],
        cwd: options.stateDir,
        env: {},
        logFile: join(options.logDir, 'kafka.log'),
        pidFile: join(options.stateDir, 'kafka.pid'),
      },
      politeSignal: 'SIGTERM',
      // After a kill it checks its logs, and waits for its old session to end.
      readyMsMax: 90_000,
      isReady: () => kafkaIsReady(options.ports.kafka),
      prepare: async () => {
        writeFileSync(properties, brokerProperties(options.ports, data, options.extraListener));
        if (!existsSync(data)) await format(java, classpath, options, data);
      },
    },
    options.onExit,
  );
}

/** The broker's whole configuration. */
export function brokerProperties(ports: KafkaPorts, dataDir: string, extra?: ExtraListener): string {
  const listen = [`PLAINTEXT://127.0.0.1:${ports.kafka}`, `CONTROLLER://127.0.0.1:${ports.kafkaController}`];
  const advertised = [`PLAINTEXT://127.0.0.1:${ports.kafka}`];
  const protocols = ['PLAINTEXT:PLAINTEXT', 'CONTROLLER:PLAINTEXT'];
  if (extra) {
    listen.push(`${extra.name}://127.0.0.1:${ports.kafkaExtra}`);
    advertised.push(`${extra.name}://127.0.0.1:${extra.advertisedPort}`);
    protocols.push(`${extra.name}:PLAINTEXT`);
  }
  return [
    readFileSync(join(nativeDir, 'server.properties'), 'utf8').trimEnd(),
    '',
    `listeners=${listen.join(',')}`,
    `advertised.listeners=${advertised.join(',')}`,
    `listener.security.protocol.map=${protocols.join(',')}`,
    // A static voter is read from here at each start; a dynamic one would stay in the data with its old port.
    `controller.quorum.voters=1@127.0.0.1:${ports.kafkaController}`,
    `log.dirs=${dataDir.replaceAll('\\', '\\\\')}`,
    '',
  ].join('\n');
}

/** Makes the empty data folder under another name first, so that a kill half way leaves none. */
async function format(java: string, classpath: string, options: KafkaOptions, data: string): Promise<void> {
  options.onStep('Preparing the Kafka data folder');
  const draft = `${data}.new`;
  const properties = join(options.stateDir, 'kafka.format.properties');
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { mode: 0o700 });
  writeFileSync(properties, brokerProperties(options.ports, draft));
  const clusterId = randomBytes(16).toString('base64url').replace(/^-/, 'A');
  const args = ['-Xmx128m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', classpath, 'kafka.tools.StorageTool'];
  await runToEnd(java, [...args, 'format', '-t', clusterId, '-c', properties], { timeoutMs: 60_000 });
  rmSync(properties);
  renameSync(draft, data);
}

function checkListener(extra: ExtraListener): void {
  if (!/^[A-Z][A-Z0-9_]*$/.test(extra.name) || ['PLAINTEXT', 'CONTROLLER'].includes(extra.name)) {
    throw new Error(
      `extraListener.name "${extra.name}": use capitals, digits and _, other than PLAINTEXT and CONTROLLER`,
    );
  }
  if (!Number.isInteger(extra.advertisedPort) || extra.advertisedPort < 1 || extra.advertisedPort > 65_535) {
    throw new Error(`extraListener.advertisedPort ${extra.advertisedPort}: a port between 1 and 65535`);
  }
}
