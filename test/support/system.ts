import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestDatabase } from '@syncline/store';

// This file also runs compiled, one folder deeper.
const root = ['../..', '../../..']
  .map((up) => join(import.meta.dirname, up))
  .find((folder) => existsSync(join(folder, 'start.mjs')))!;
const programOf = (of: string): string => join(of, 'apps/cli/bin/syncline.mjs');
const stopMsMax = 60_000;

/** The content of .syncline/local.json: addresses and processes of a running system. */
export interface LocalSystem {
  kafkaBrokers: string;
  databaseUrl: string;
  warehouseUrl: string;
  webhooks: Record<string, string>;
  sandbox: { shop: string; carrier: string; control: string; pid: number | null } | null;
  services: {
    name: string;
    role: string;
    connections: string[];
    pid: number | null;
    url: string | null;
    state: string;
    restarts: number;
  }[];
  infra: { name: string; pid: number | null; state: string; restarts: number }[];
}

/** How to start a whole system for a test. */
export interface SystemOptions {
  /** Text of the configuration; default: the project's syncline.yaml. */
  config?: string;
  /** Whether the sandbox runs; default true. Its settings are SANDBOX_* in `env`. */
  sandbox?: boolean;
  /** For supervisor, services and sandbox; beside the present environment. SANDBOX_STORY is off unless it is named here. */
  env?: Record<string, string>;
  /**
   * `own` (default): a Kafka and a PostgreSQL of its own in the state folder. Addresses: those servers, with two fresh
   * databases that are dropped at the end; the broker must have none of our topics that matter to somebody else.
   */
  infra?: 'own' | { kafkaBrokers: readonly string[]; databaseUrl: string };
  /** A folder of an earlier system whose data to go on with. */
  stateDir?: string;
  /** The built checkout whose programs run; default: this one. */
  root?: string;
}

/** A whole system, run by the supervisor of `npm start`. */
export interface System {
  readonly stateDir: string;
  /** The built checkout whose programs run. */
  readonly root: string;
  /** Addresses and processes as of now: a service that was started again has another pid. */
  local(): LocalSystem;
  /** Runs a `syncline` command on it. */
  cli(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }>;
  /** Everything the supervisor has said. */
  said(): string;
  /** The whole log of a service. */
  log(service: string): string;
  /** The supervisor's process. */
  readonly pid: number;
  /** Ends it as Ctrl-C does. With `keep` the state folder stays, for another start. */
  stop(options?: { keep?: boolean }): Promise<void>;
}

/**
 * Starts a whole system from the compiled programs (`npm run build` first) and resolves when every service is ready. It ends
 * with the test process at the latest. Throws what the supervisor said when it does not start.
 */
export async function startSystem(options: SystemOptions = {}): Promise<System> {
  const stateDir = options.stateDir ?? mkdtempSync(join(tmpdir(), 'syncline-system-'));
  const config = join(stateDir, 'syncline.yaml');
  const from = options.root ?? root;
  writeFileSync(config, options.config ?? readFileSync(join(root, 'syncline.yaml'), 'utf8'));
  const external =
    options.infra === undefined || options.infra === 'own' ? undefined : await externalInfra(options.infra);
  const env = environment(stateDir, { ...external?.env, ...options.env });
  const sandbox = options.sandbox === false ? '--no-sandbox' : '--sandbox';
  const child = spawn(
    process.execPath,
    [programOf(from), 'up', '--json', '--stop-with-stdin', '--config', config, sandbox],
    {
      cwd: from,
      env,
      stdio: ['pipe', 'pipe', 'pipe'],
    },
  );
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const clean = async (keep: boolean): Promise<void> => {
    await external?.drop();
    if (!keep) rmSync(stateDir, { recursive: true, force: true });
  };
  try {
    await untilReady(child);
  } catch (error) {
    child.kill('SIGTERM');
    await ended;
    await clean(options.stateDir !== undefined);
    throw new Error(`${(error as Error).message}:\n${said}`);
  }
  return {
    stateDir,
    root: from,
    pid: child.pid!,
    local: () => JSON.parse(readFileSync(join(stateDir, 'local.json'), 'utf8')) as LocalSystem,
    cli: (...args) => runCli(from, args, env),
    said: () => said,
    log: (service) => readFileSync(join(stateDir, 'logs', `${service}.log`), 'utf8'),
    async stop({ keep = false } = {}) {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), stopMsMax);
      await ended;
      clearTimeout(timer);
      await clean(keep);
    },
  };
}

/** Resolves when the supervisor prints its addresses, which it does when everything is ready. */
function untilReady(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the system ended with ${code} before it was ready`)));
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      if (text.includes('{')) resolve();
    });
  });
}

/** The present environment without the servers of other tests, so that a system takes only those it is given. */
function environment(stateDir: string, more: Record<string, string>): NodeJS.ProcessEnv {
  const { KAFKA_BROKERS, DATABASE_URL, WAREHOUSE_URL, SYNCLINE_TESTS, SYNCLINE_TEST_ROOT, NODE_OPTIONS, ...rest } =
    process.env;
  return { ...rest, SYNCLINE_STATE: stateDir, SANDBOX_STORY: 'false', ...more };
}

async function externalInfra(given: {
  kafkaBrokers: readonly string[];
  databaseUrl: string;
}): Promise<{ env: Record<string, string>; drop(): Promise<void> }> {
  const [store, warehouse] = await Promise.all([
    createTestDatabase(given.databaseUrl),
    createTestDatabase(given.databaseUrl),
  ]);
  return {
    env: {
      INFRA: 'external',
      KAFKA_BROKERS: given.kafkaBrokers.join(','),
      DATABASE_URL: store.url,
      WAREHOUSE_URL: warehouse.url,
    },
    drop: async () => {
      await Promise.all([store.drop(), warehouse.drop()]);
    },
  };
}

function runCli(
  from: string,
  args: string[],
  env: NodeJS.ProcessEnv,
): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [programOf(from), ...args],
      { cwd: from, env, maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) => {
        resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr });
      },
    );
  });
}
