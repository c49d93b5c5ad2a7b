import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { isAlive, ownProcess, type ProcessId } from './process.js';

/** What is remembered between two starts in the same folder. */
export interface SavedState {
  readonly kind?: 'docker' | 'native';
  readonly ports: Readonly<Record<string, number>>;
  /** How many brokers the data belongs to; absent is one. */
  readonly brokers?: number;
  /** What the brokers' folders are formatted with. */
  readonly clusterId?: string;
  /** Of the PostgreSQL role `syncline`; the file is readable by its owner only. */
  readonly databasePassword?: string;
}

// Below the ranges from which Linux (32768 up) and macOS (49152 up) take the ports of outgoing connections: while a
// service is down, a client that keeps dialling its port in that range can end up connected to itself and hold it.
const portMin = 20_000;
const portMax = 32_000;

/** Another living process uses the state folder. */
export class LockedError extends Error {}

/** Reads the remembered state; an absent file is an empty state. */
export function readState(stateDir: string): SavedState {
  const path = join(stateDir, 'infra.json');
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return { ports: {} };
  }
  try {
    return { ports: {}, ...(JSON.parse(text) as Partial<SavedState>) };
  } catch {
    throw new Error(`${path} is not JSON. Remove the folder ${stateDir} to start with empty data.`);
  }
}

/** Writes the remembered state in one step. */
export function writeState(stateDir: string, state: SavedState): void {
  writeWhole(join(stateDir, 'infra.json'), `${JSON.stringify(state, null, 2)}\n`);
}

/** Names the process that uses the folder. */
export function lockFile(stateDir: string): string {
  return join(stateDir, 'infra.lock');
}

/** Writes a private file so that a reader sees either the old or the new content. */
export function writeWhole(path: string, text: string): void {
  const draft = `${path}.${process.pid}.tmp`;
  writeFileSync(draft, text, { mode: 0o600 });
  renameSync(draft, path);
}

/**
 * Takes the folder for this process; the function returned gives it back. Throws an error that names the process which
 * holds it. A lock left by a killed process is taken over.
 */
export function takeLock(stateDir: string): () => void {
  mkdirSync(stateDir, { recursive: true });
  const path = lockFile(stateDir);
  const own = ownProcess();
  const draft = `${path}.${own.pid}.${Math.random().toString(36).slice(2)}`;
  writeFileSync(draft, JSON.stringify(own));
  try {
    for (;;) {
      if (tryLink(draft, path)) break;
      const held = readIfThere(path);
      if (held === undefined) continue;
      const holder = parseHolder(held);
      if (holder && isAlive(holder)) {
        throw new LockedError(
          `Kafka and PostgreSQL in ${stateDir} are already run by process ${holder.pid}: stop it first, or use another folder.`,
        );
      }
      evict(path, held);
    }
  } finally {
    rmSync(draft, { force: true });
  }
  return () => {
    const holder = readHolder(path);
    if (holder?.pid === own.pid && holder.startTime === own.startTime) rmSync(path, { force: true });
  };
}

/** One free port on 127.0.0.1 per name; the remembered one where it is still free. */
export async function choosePorts<Name extends string>(
  names: readonly Name[],
  remembered: Readonly<Record<string, number>>,
): Promise<Record<Name, number>> {
  const chosen: Partial<Record<Name, number>> = {};
  const taken = new Set<number>();
  for (const name of names) {
    let port = remembered[name];
    for (let tries = 0; port === undefined || taken.has(port) || !(await isFree(port)); tries += 1) {
      if (tries > 200) throw new Error(`no free port between ${portMin} and ${portMax} on 127.0.0.1`);
      port = portMin + Math.floor(Math.random() * (portMax - portMin));
    }
    taken.add(port);
    chosen[name] = port;
  }
  return chosen as Record<Name, number>;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Moves a dead holder's lock away. Another starter may have replaced it meanwhile: then that one is put back. */
function evict(path: string, expected: string): void {
  const aside = `${path}.stale.${process.pid}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  if (readIfThere(aside) !== expected) tryLink(aside, path);
  rmSync(aside, { force: true });
}

/** The process named in a file written with `ownProcess`; undefined when there is none. */
export function readHolder(path: string): ProcessId | undefined {
  return parseHolder(readIfThere(path));
}

function parseHolder(text: string | undefined): ProcessId | undefined {
  try {
    return JSON.parse(text ?? '') as ProcessId;
  } catch {
    return undefined;
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
