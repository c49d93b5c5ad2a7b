import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Addresses, externalAddresses } from './external.js';
import { isAlive, logTail, ownProcess, type ProcessId, stopProcess } from './process.js';
import { lockFile, readHolder, writeWhole } from './state.js';

const idleMsDefault = 120_000;
// A first start downloads Kafka.
const readyMsMax = 11 * 60_000;

/** The keeper's exit code when another one has the folder. */
export const exitLocked = 3;

/** Where the keeper says that the pair is up. */
export function readyFile(stateDir: string): string {
  return join(stateDir, 'ready.json');
}

/** Where each client process signs in, one file each; nobody has to sign out. */
export function clientsFolder(stateDir: string): string {
  return join(stateDir, 'clients');
}

/**
 * Addresses for tests with real services: those of KAFKA_BROKERS and DATABASE_URL, else one Kafka and one PostgreSQL that
 * all test processes of this user share. The first to ask starts them, empty; they end by themselves 2 minutes after the
 * last process that asked has ended. Tests make topics and databases of their own names, and never stop the services.
 */
export async function testInfra(options: { stateDir?: string; idleMs?: number } = {}): Promise<Addresses> {
  const external = externalAddresses(process.env);
  if (external) return external;
  const stateDir = options.stateDir ?? sharedFolder();
  openFolder(stateDir);
  signIn(stateDir);
  const end = Date.now() + readyMsMax;
  let keeper: Promise<number | null> | undefined;
  let exit: number | null | undefined;
  for (;;) {
    const found = readReady(stateDir);
    if (found) return found;
    if (exit !== undefined && exit !== exitLocked && exit !== 0) {
      throw new Error(`Kafka and PostgreSQL for tests did not start:\n${logTail(keeperLog(stateDir))}`);
    }
    if (exit !== undefined) {
      // Another keeper is starting or ending: look again, then try again.
      await pause(500);
      keeper = undefined;
      exit = undefined;
    } else if (!keeper) {
      keeper = startKeeper(stateDir, options.idleMs ?? idleMsDefault);
      void keeper.then((code) => {
        exit = code;
      });
    }
    if (Date.now() > end) throw new Error(`Kafka and PostgreSQL for tests were not ready: see ${keeperLog(stateDir)}`);
    await pause(50);
  }
}

/** Ends the shared pair at once, for a run that must leave nothing behind; other test processes lose it. */
export async function stopTestInfra(options: { stateDir?: string } = {}): Promise<void> {
  const holder = readHolder(lockFile(options.stateDir ?? sharedFolder()));
  if (holder) await stopProcess(holder, 'SIGTERM', 40_000);
}

function sharedFolder(): string {
  return join(tmpdir(), `syncline-test-infra-${process.getuid?.() ?? 'user'}`);
}

function readReady(stateDir: string): Addresses | undefined {
  try {
    const { keeper, ...addresses } = JSON.parse(readFileSync(readyFile(stateDir), 'utf8')) as Addresses & {
      keeper: ProcessId;
    };
    return isAlive(keeper) ? addresses : undefined;
  } catch {
    return undefined;
  }
}

/** The folder lies in the shared temporary folder: one that another user has put there is not used. */
function openFolder(stateDir: string): void {
  mkdirSync(clientsFolder(stateDir), { recursive: true, mode: 0o700 });
  const owner = statSync(stateDir).uid;
  if (process.getuid && owner !== process.getuid()) {
    throw new Error(`${stateDir} belongs to user ${owner}: have it removed, or set KAFKA_BROKERS and DATABASE_URL`);
  }
}

function signIn(stateDir: string): void {
  const { pid, startTime } = ownProcess();
  writeWhole(join(clientsFolder(stateDir), String(pid)), JSON.stringify({ pid, startTime }));
}

/** Resolves with the keeper's exit code; it lives on when this process ends. */
async function startKeeper(stateDir: string, idleMs: number): Promise<number | null> {
  const own = import.meta.url;
  const program = fileURLToPath(new URL(own.endsWith('.ts') ? './keeper.ts' : './keeper.js', own));
  const log = openSync(keeperLog(stateDir), 'a', 0o600);
  const child = spawn(process.execPath, [...sourceFlags(own), program, stateDir, String(idleMs)], {
    cwd: '/',
    env: process.env,
    detached: true,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  child.unref();
  return new Promise((resolve, reject) => {
    child.once('exit', resolve);
    child.once('error', reject);
  });
}

/** Flags to run a module of this library: Node runs TypeScript, but does not find ./x.ts under the name ./x.js that the compiler wants. */
export function sourceFlags(own: string): string[] {
  if (!own.endsWith('.ts')) return [];
  const hook = `import { registerHooks } from 'node:module';
    registerHooks({ resolve: (name, context, next) =>
      next(name.startsWith('.') && context.parentURL?.endsWith('.ts') ? name.replace(/\\.js$/, '.ts') : name, context) });`;
  return ['--disable-warning=ExperimentalWarning', '--import', `data:text/javascript,${encodeURIComponent(hook)}`];
}

function keeperLog(stateDir: string): string {
  return join(stateDir, 'keeper.log');
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
