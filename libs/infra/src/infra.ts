import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { dockerAnswers, dockerServices, removeContainers, removeDockerData } from './docker.js';
import { externalAddresses, type InfraKind, notOurs, reachExternal, wishedKind } from './external.js';
import { type ExtraListener, kafkaServices } from './kafka.js';
import { databases, databaseUrl, postgresService } from './postgres.js';
import { type ProcessId, stopStale } from './process.js';
import { brokerNames, type OnExit, type Service, type ServiceName } from './service.js';
import { choosePorts, readState, type SavedState, takeLock, writeState } from './state.js';

/** Where to keep data and how to report. */
export interface InfraOptions {
  /** Data, ports and password are kept here from start to start. One process at a time may use it. */
  readonly stateDir: string;
  /** kafka.log and postgres.log; default: `logs` in the state folder. */
  readonly logDir?: string;
  /** Throws the data of earlier starts away. */
  readonly fresh?: boolean;
  /** 1 (default) or 3 brokers; with three everything is kept three times and acknowledged by two. Three are native only. */
  readonly brokers?: 1 | 3;
  /** Adds a listener whose advertised ports are proxies'. Native only. */
  readonly extraListener?: ExtraListener;
  /** Ends a start that is under way: `startInfra` then rejects with its reason, and nothing is left running. */
  readonly signal?: AbortSignal;
  /** One line for people per step that takes time. */
  readonly onStep?: (line: string) => void;
  /** A service ended that nobody stopped (also after `kill`): the moment for `restart`. */
  readonly onExit?: OnExit;
}

/** A running Kafka and PostgreSQL. */
export interface Infra {
  readonly kind: InfraKind;
  /** host:port, for clients. */
  readonly kafkaBrokers: readonly string[];
  /** Holds the password, as does warehouseUrl: never log it. */
  readonly databaseUrl: string;
  readonly warehouseUrl: string;
  /** The brokers' own ports of the extra listener: what the proxies connect to. */
  readonly extraListenerPorts?: readonly number[];
  /** The services' processes as of now; empty when external or in containers. */
  readonly processes: readonly (ProcessId & { readonly name: ServiceName })[];
  /** Sends a signal. Resolves at once; `onExit` tells of the end. */
  kill(name: ServiceName, signal: NodeJS.Signals): Promise<void>;
  /** Stops the service if it runs and starts it on the same ports and data; resolves when it is ready. */
  restart(name: ServiceName): Promise<void>;
  /** Ends both and gives the state folder back. May be called again. */
  stop(): Promise<void>;
}

/**
 * Starts Kafka and PostgreSQL and resolves when both are ready. INFRA=external|docker|native picks the way; else it is the
 * first of: KAFKA_BROKERS and DATABASE_URL are set; what the folder was used with before; a Docker daemon answers; native.
 * Throws an error for people: what is missing and how to get it, or which process uses the folder.
 */
export async function startInfra(options: InfraOptions): Promise<Infra> {
  const wish = wishedKind();
  const external = externalAddresses(process.env);
  if (wish === 'external' || (wish === undefined && external)) {
    if (!external) throw new Error('INFRA=external needs KAFKA_BROKERS and DATABASE_URL');
    await reachExternal(external);
    return { kind: 'external', ...external, processes: [], kill: notOurs, restart: notOurs, stop: async () => {} };
  }
  const stateDir = resolve(options.stateDir);
  const giveBack = takeLock(stateDir);
  try {
    return await startOwn({ ...options, stateDir }, wish, giveBack);
  } catch (error) {
    giveBack();
    throw error;
  }
}

async function startOwn(options: InfraOptions, wish: InfraKind | undefined, giveBack: () => void): Promise<Infra> {
  const { stateDir, onStep = () => {} } = options;
  for (const name of [...brokerNames, 'postgres'] as const) {
    const signal = name === 'postgres' ? 'SIGINT' : 'SIGTERM';
    const pid = await stopStale(join(stateDir, `${name}.pid`), signal);
    if (pid !== undefined) onStep(`Stopped ${name} of an earlier start (process ${pid})`);
  }
  if (options.fresh) await removeData(stateDir);
  const before = readState(stateDir);
  const { brokers = 1 } = options;
  if (before.kind && (before.brokers ?? 1) !== brokers) {
    const [was, is] = [before.brokers ?? 1, brokers];
    throw new Error(`${stateDir} holds the data of ${was} broker(s), not ${is}: remove the folder, or start ${was}`);
  }
  const kind = wish ?? before.kind ?? (options.extraListener || brokers > 1 ? 'native' : undefined);
  if (kind === 'native') return startKind('native', options, before, giveBack);
  const docker = await dockerAnswers();
  if (kind === 'docker') {
    if (docker) return startKind('docker', options, before, giveBack);
    const why = wish ? 'INFRA=docker is set' : `the data of ${stateDir} is in Docker volumes`;
    throw new Error(
      `${why}, but no Docker daemon of this machine answers: start Docker, or use another way and another folder`,
    );
  }
  if (!docker) return startKind('native', options, before, giveBack);
  try {
    return await startKind('docker', options, before, giveBack);
  } catch (error) {
    options.signal?.throwIfAborted();
    // A daemon without access to an image registry, for one.
    onStep(`Docker did not start them, going on without it: ${(error as Error).message.split('\n')[0]}`);
    return startKind('native', options, readState(stateDir), giveBack);
  }
}

async function startKind(
  kind: 'docker' | 'native',
  options: InfraOptions,
  before: SavedState,
  giveBack: () => void,
): Promise<Infra> {
  const { stateDir, onStep = () => {}, onExit, extraListener, brokers = 1 } = options;
  const logDir = resolve(options.logDir ?? join(stateDir, 'logs'));
  mkdirSync(logDir, { recursive: true });
  if (kind === 'docker') {
    for (const name of await removeContainers(stateDir)) onStep(`Removed the container of ${name} of an earlier start`);
  }
  const ofBroker = brokerNames.slice(0, brokers);
  const names = ofBroker.flatMap((name) => [name, `${name}Controller`, ...(extraListener ? [`${name}Extra`] : [])]);
  const chosen = await choosePorts([...names, 'postgres'], before.ports);
  const port = (name: string): number => chosen[name]!;
  const kafkaPorts = ofBroker.map((name) => ({
    kafka: port(name),
    kafkaController: port(`${name}Controller`),
    ...(extraListener ? { kafkaExtra: port(`${name}Extra`) } : {}),
  }));
  if (!before.databasePassword && existsSync(join(stateDir, 'postgres'))) {
    throw new Error(
      `${stateDir} holds a database but not its infra.json with the password: remove the folder to start anew`,
    );
  }
  const password = before.databasePassword ?? randomBytes(24).toString('base64url');
  const clusterId = before.clusterId ?? randomBytes(16).toString('base64url').replace(/^-/, 'A');
  const saved = { ports: { ...before.ports, ...chosen }, databasePassword: password, clusterId, brokers };
  writeState(stateDir, { ...before, ...saved });
  const shared = { stateDir, logDir, onStep, ...(onExit ? { onExit } : {}) };
  let services: Service[];
  if (kind === 'docker') {
    if (extraListener || brokers > 1) throw new Error('extraListener and three brokers need INFRA=native');
    services = dockerServices({ ...shared, ports: { kafka: port('kafka'), postgres: port('postgres') }, password });
  } else {
    const kafka = kafkaServices({
      ...shared,
      ports: kafkaPorts,
      clusterId,
      ...(extraListener ? { extraListener } : {}),
    });
    const postgres = postgresService({ ...shared, port: port('postgres'), password });
    services = (await allDone<Service | Service[]>([kafka, postgres])).flat();
  }
  onStep(`Starting Kafka and PostgreSQL (${kind})`);
  await startAll(services, options.signal);
  writeState(stateDir, { kind, ...saved });
  // Assigned to, not spread: `processes` is a getter.
  return Object.assign(controls(services, giveBack), {
    kind,
    kafkaBrokers: kafkaPorts.map(({ kafka }) => `127.0.0.1:${kafka}`),
    databaseUrl: databaseUrl(port('postgres'), password, databases.store),
    warehouseUrl: databaseUrl(port('postgres'), password, databases.warehouse),
    ...(extraListener ? { extraListenerPorts: kafkaPorts.map(({ kafkaExtra }) => kafkaExtra!) } : {}),
  });
}

/** Starts all; when one fails or `signal` says so, none is left running. */
async function startAll(services: readonly Service[], signal: AbortSignal | undefined): Promise<void> {
  const stopAll = () => Promise.all(services.map((service) => service.stop()));
  const onAbort = () => void stopAll().catch(() => {}); // the same stop follows below, and reports
  signal?.throwIfAborted();
  signal?.addEventListener('abort', onAbort);
  try {
    await allDone(services.map((service) => service.start()));
    signal?.throwIfAborted();
  } catch (error) {
    await stopAll();
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}

/** Like Promise.all, but fails only when none is under way any more. */
async function allDone<T>(promises: Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}

/** One call at a time per service, in the order they came; after `stop` nothing is started again. */
function controls(
  services: readonly Service[],
  giveBack: () => void,
): Pick<Infra, 'processes' | 'kill' | 'restart' | 'stop'> {
  const turns = new Map<ServiceName, Promise<unknown>>();
  let stopped: Promise<void> | undefined;
  const service = (name: ServiceName) => {
    const found = services.find((each) => each.name === name);
    if (!found) throw new Error(`no service "${name}": ${services.map((each) => each.name).join(' or ')}`);
    return found;
  };
  const inTurn = <T>(name: ServiceName, action: () => Promise<T>): Promise<T> => {
    const turn = (turns.get(name) ?? Promise.resolve()).then(action, action);
    turns.set(
      name,
      turn.catch(() => {}),
    );
    return turn;
  };
  return {
    get processes() {
      return services.flatMap((each) => {
        const id = each.process();
        return id ? [{ name: each.name, pid: id.pid, startTime: id.startTime }] : [];
      });
    },
    kill: async (name, signal) => service(name).signal(signal),
    restart: async (name) => {
      const one = service(name);
      await inTurn(name, async () => {
        await one.stop();
        if (stopped) throw new Error(`${name} is not started again: stop was called`);
        await one.start();
      });
    },
    stop: () => {
      // The first stop also ends a restart that is under way, the second one what that had begun.
      const stopOne = (each: Service) => each.stop().then(() => inTurn(each.name, () => each.stop()));
      stopped ??= Promise.all(services.map(stopOne)).then(giveBack);
      return stopped;
    },
  };
}

async function removeData(stateDir: string): Promise<void> {
  const { kind } = readState(stateDir);
  if (kind === 'docker') await removeDockerData(stateDir);
  for (const name of [...[...brokerNames, 'postgres'].flatMap((each) => [each, `${each}.new`]), 'infra.json']) {
    rmSync(join(stateDir, name), { recursive: true, force: true });
  }
}
