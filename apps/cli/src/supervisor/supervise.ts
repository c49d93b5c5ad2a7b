import { mkdirSync, rmSync } from 'node:fs';
import { LockedError, takeLock } from '@syncline/infra';
import { loadConfig } from '../config.js';
import { Failure } from '../failure.js';
import { type Local, removeLocal, runningSupervisor, writeLocal } from '../local.js';
import { migrate, migratedText } from '../migrate.js';
import { places, stateDir } from '../places.js';
import { type KeptInfra, keepInfra } from './kept-infra.js';
import { stopLeftovers } from './leftovers.js';
import { rotateLogs } from './log-rotation.js';
import { checkPrograms, plannedServices } from './plan.js';
import { openPorts } from './ports.js';
import {
  createSandbox,
  createService,
  type PlannedSandbox,
  planSandbox,
  type SandboxChild,
  type ServiceChild,
  sandboxVariables,
  userEnvironment,
} from './system-children.js';

const logCheckMs = 10_000;

/** How to start. */
export interface SuperviseOptions {
  /** The configuration file, absolute. */
  config: string;
  sandbox: boolean;
  /** Throws the data, ports and credentials of earlier starts away. */
  fresh: boolean;
  /** One line for people per step, also for what happens later. */
  onStep: (line: string) => void;
  /** Aborted to stop: also in the middle of the start. */
  signal: AbortSignal;
}

/** A system that runs and is kept running. */
export interface Supervised {
  /** As it is written to local.json. */
  local(): Local;
  /** Ends services, sandbox, Kafka and PostgreSQL, in this order. */
  stop(): Promise<void>;
}

/**
 * Starts everything a configuration needs and keeps it running: Kafka and PostgreSQL, topics and tables, the sandbox,
 * the services. Resolves when all are ready; a failure on the way ends what was started and is thrown.
 */
export async function supervise(options: SuperviseOptions): Promise<Supervised> {
  mkdirSync(places.logs, { recursive: true });
  const giveBack = lock();
  const undo: (() => Promise<void>)[] = [async () => giveBack()];
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopped ??= (async () => {
      for (const step of undo.reverse()) await step();
    })();
    return stopped;
  };
  try {
    return { local: await bringUp(options, undo), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function lock(): () => void {
  try {
    return takeLock(stateDir);
  } catch (error) {
    if (!(error instanceof LockedError)) throw error;
    const pid = runningSupervisor()?.pid;
    throw new Failure(
      `Syncline already runs here${pid ? ` (process ${pid})` : ''}. "npm stop" ends it; "npm run -s syncline -- status" shows it.`,
    );
  }
}

/** What is up so far, for local.json. */
interface Board {
  kept?: KeptInfra;
  sandbox: PlannedSandbox | null;
  sandboxChild?: SandboxChild;
  services: ServiceChild[];
  env: Record<string, string>;
  connections: Record<string, string>;
  /** Whether local.json is to be kept up to date. */
  published: boolean;
}

/** The start, step by step; what each step started goes on `undo`. */
async function bringUp(options: SuperviseOptions, undo: (() => Promise<void>)[]): Promise<() => Local> {
  const { onStep, signal } = options;
  const ended = await stopLeftovers({ infra: false });
  if (ended.length > 0) onStep(`Ended what a killed start had left: ${ended.join(', ')}`);
  if (options.fresh) removeState();
  const ports = openPorts();
  const sandbox = options.sandbox ? await planSandbox(ports) : null;
  const base = { ...(sandbox ? sandboxVariables(sandbox) : {}), ...userEnvironment(process.env) };
  // Before anything is started; the warehouse's address is known only later.
  const planned = plannedServices(
    loadConfig(options.config, { WAREHOUSE_URL: 'postgres://later@127.0.0.1/warehouse', ...base }),
  );
  checkPrograms(planned);
  const board: Board = { sandbox, services: [], env: base, connections: {}, published: false };
  const onChange = (): void => {
    if (board.published) writeLocal(localOf(board, options.config));
  };
  halt(signal);

  const kept = await keepInfra({ fresh: options.fresh, onStep, onChange });
  board.kept = kept;
  undo.push(() => kept.stop());
  const { kafkaBrokers, databaseUrl, warehouseUrl } = kept.infra;
  board.env = {
    WAREHOUSE_URL: warehouseUrl,
    ...base,
    KAFKA_BROKERS: kafkaBrokers.join(','),
    DATABASE_URL: databaseUrl,
    SYNCLINE_CONFIG: options.config,
  };
  halt(signal);
  const config = loadConfig(options.config, board.env);
  board.connections = Object.fromEntries(Object.values(config.connections).map((c) => [c.name, c.provider]));
  onStep(migratedText(await migrate(config, kept.infra)));
  halt(signal);

  const context = { env: board.env, ports, onChange, onStep };
  if (sandbox) {
    const child = createSandbox(sandbox, context);
    board.sandboxChild = child;
    undo.push(() => child.stop());
    onStep('Starting the sandbox: a shop that sells and a carrier that ships');
    await child.start();
    halt(signal);
  }
  onStep(`Starting ${planned.length} services: ${planned.map(({ name }) => name).join(', ')}`);
  board.services = planned.map((plan) => createService(plan, context));
  undo.push(async () => {
    await Promise.all(board.services.map(({ child }) => child.stop()));
  });
  // A start that is broken off does not wait for services to become ready.
  const breakOff = (): void => {
    for (const { child } of board.services) void child.stop();
  };
  signal.addEventListener('abort', breakOff, { once: true });
  await Promise.all(board.services.map(({ child }) => child.start()));
  signal.removeEventListener('abort', breakOff);
  halt(signal);
  await board.sandboxChild?.beginStory();
  undo.push(async () => {
    board.published = false;
    removeLocal();
  });
  board.published = true;
  onChange();
  const rotation = setInterval(() => rotateLogs(places.logs), logCheckMs);
  undo.push(async () => clearInterval(rotation));
  return () => localOf(board, options.config);
}

function localOf(board: Board, config: string): Local {
  const { kept, sandbox } = board;
  return {
    kafkaBrokers: board.env.KAFKA_BROKERS ?? '',
    databaseUrl: board.env.DATABASE_URL ?? '',
    warehouseUrl: board.env.WAREHOUSE_URL ?? '',
    webhooks: Object.assign({}, ...board.services.map(({ webhooks }) => webhooks)),
    sandbox: sandbox ? { ...sandbox.addresses, pid: board.sandboxChild?.pid ?? null } : null,
    services: board.services.map(({ child, plan }) => ({
      name: plan.name,
      role: plan.role,
      connections: plan.connections,
      pid: child.pid,
      url: child.ready?.url ?? null,
      state: child.state,
      restarts: child.restarts,
    })),
    infra: kept?.states() ?? [],
    config,
    connections: board.connections,
  };
}

function halt(signal: AbortSignal): void {
  if (signal.aborted) throw new Failure('Stopped before everything was up.');
}

/** Removes what earlier starts made, except Kafka's and PostgreSQL's data, which their own library removes. */
function removeState(): void {
  for (const path of [places.run, places.sandboxState, places.sandboxSecrets, places.ports, places.local]) {
    rmSync(path, { recursive: true, force: true });
  }
}
