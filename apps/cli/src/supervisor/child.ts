import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { launch, logTail, type Running, stopProcess } from '@syncline/infra';
import { Failure } from '../failure.js';
import type { ServiceState } from '../local.js';
import { places, projectRoot } from '../places.js';
import { restartDelayMs } from './backoff.js';

const readyMsMax = 120_000;
const stopMsMax = 20_000;

/** What a child says of itself when it is ready. */
export interface Ready {
  pid: number;
  url: string;
}

/** One program to keep running. */
export interface ChildSpec {
  name: string;
  /** From the project's root. */
  program: string;
  /** Asked for at every start, since a port may have been taken meanwhile. */
  env: () => Promise<Record<string, string>>;
  /** How its readiness shows; by default it writes the file that SYNCLINE_READY_FILE names. */
  isReady?: () => Promise<{ url: string } | undefined>;
  /** Called whenever pid, address or state changed. */
  onChange: () => void;
  /** One line for people. */
  onStep: (line: string) => void;
}

/** A program that is started again when it ends, until it is stopped. */
export interface Child {
  readonly name: string;
  readonly state: ServiceState;
  readonly restarts: number;
  readonly pid: number | null;
  readonly ready: Ready | undefined;
  /** Resolves when it is ready for the first time; throws with the end of its log when it ends before that. */
  start(): Promise<void>;
  /** Ends it, politely at first. */
  stop(): Promise<void>;
}

/** Makes a child; nothing runs before `start`. */
export function createChild(spec: ChildSpec): Child {
  const readyFile = join(places.run, `${spec.name}.ready.json`);
  const logFile = join(places.logs, `${spec.name}.log`);
  let running: Running | undefined;
  let ready: Ready | undefined;
  let state: ServiceState = 'starting';
  let restarts = 0;
  let failuresInRow = 0;
  let stopping = false;
  let wake: () => void = () => {};

  const change = (to: ServiceState): void => {
    state = to;
    spec.onChange();
  };

  /** One life up to readiness; resolves with null when ready, else with how it ended. */
  const attempt = async (): Promise<string | null> => {
    mkdirSync(places.run, { recursive: true });
    rmSync(readyFile, { force: true });
    ready = undefined;
    const own = await launch({
      command: process.execPath,
      args: ['--enable-source-maps', resolve(projectRoot, spec.program)],
      cwd: projectRoot,
      env: { NODE_COMPILE_CACHE: places.compileCache, ...(await spec.env()), SYNCLINE_READY_FILE: readyFile },
      logFile,
      pidFile: join(places.run, `${spec.name}.pid`),
    });
    running = own;
    let ended: string | undefined;
    void own.exited.then((how) => {
      ended = how;
    });
    const deadlineMs = Date.now() + readyMsMax;
    while (ended === undefined && !stopping) {
      ready = spec.isReady ? withPid(await spec.isReady(), own.pid) : readReady(readyFile, own.pid);
      if (ready && ended === undefined) return null;
      if (Date.now() > deadlineMs) {
        await stopProcess(own, 'SIGTERM', 5_000);
        return `not ready after ${readyMsMax / 1000} s`;
      }
      await pause(50);
    }
    return ended ?? 'stopped';
  };

  /** From the first readiness on: waits for the end, starts again, for as long as it is wanted. */
  const keep = async (): Promise<void> => {
    let how: string | null = null;
    while (!stopping) {
      if (how === null) {
        change('ready');
        const sinceMs = Date.now();
        how = await running!.exited;
        if (stopping) return;
        // A life of a minute was a good one: the next end is not a repetition.
        if (Date.now() - sinceMs > 60_000) failuresInRow = 0;
      }
      failuresInRow += 1;
      restarts += 1;
      const delayMs = restartDelayMs(failuresInRow);
      ready = undefined;
      change('restarting');
      spec.onStep(
        `${spec.name} ended (${how}), starting it again${delayMs > 500 ? ` in ${(delayMs / 1000).toFixed(1)} s` : ''}`,
      );
      await new Promise<void>((resolve) => {
        wake = resolve;
        setTimeout(resolve, delayMs).unref();
      });
      if (stopping) return;
      how = await attempt().catch((error: Error) => error.message);
      if (how === null) spec.onStep(`${spec.name} is ready again`);
    }
  };

  return {
    name: spec.name,
    get state() {
      return state;
    },
    get restarts() {
      return restarts;
    },
    get pid() {
      return state === 'stopped' ? null : (running?.pid ?? null);
    },
    get ready() {
      return ready;
    },
    async start() {
      const how = await attempt();
      if (how !== null && !stopping) {
        throw new Failure(`${spec.name} did not start (${how}). End of ${logFile}:\n${logTail(logFile)}`);
      }
      void keep();
    },
    async stop() {
      stopping = true;
      wake();
      if (running) await stopProcess(running, 'SIGTERM', stopMsMax);
      change('stopped');
      rmSync(readyFile, { force: true });
      rmSync(join(places.run, `${spec.name}.pid`), { force: true });
    },
  };
}

/** What the child with this pid wrote when it was ready; undefined until then. */
function readReady(path: string, pid: number): Ready | undefined {
  try {
    const found = JSON.parse(readFileSync(path, 'utf8')) as Ready;
    return found.pid === pid ? found : undefined;
  } catch {
    return undefined;
  }
}

function withPid(told: { url: string } | undefined, pid: number): Ready | undefined {
  return told && { ...told, pid };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
