import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { logTail } from '@syncline/infra';
import { Failure } from '../failure.js';
import { places, projectRoot } from '../places.js';

/** What a detached supervisor tells the process that started it. */
type Report = { step: string } | { ready: true } | { failed: string };

const program = fileURLToPath(new URL('../../bin/syncline.mjs', import.meta.url));

/** How the detached process reports; undefined when this process is not one. */
export interface Starter {
  step(line: string): void;
  /** After this the starter goes its way. */
  ready(): void;
  failed(error: Error): void;
}

/** The starter of this process, when it was started by `detach`. */
export function reportToStarter(): Starter | undefined {
  if (process.env.SYNCLINE_DETACHED !== '1' || !process.send) return undefined;
  const tell = (report: Report): void => {
    if (process.connected) process.send?.(report, undefined, undefined, () => {});
  };
  return {
    step: (step) => tell({ step }),
    ready() {
      tell({ ready: true });
      if (process.connected) process.disconnect();
    },
    failed: (error) => tell({ failed: error.message }),
  };
}

/**
 * Starts the supervisor as a process of its own session and resolves when it is ready. Its failure is thrown here; a
 * signal to this process while it waits ends it.
 */
export async function detach(
  plan: { config: string; sandbox: boolean; fresh: boolean },
  say: (line: string) => void,
): Promise<void> {
  mkdirSync(places.logs, { recursive: true });
  const log = openSync(places.supervisorLog, 'a', 0o600);
  const args = [
    'up',
    '--config',
    plan.config,
    plan.sandbox ? '--sandbox' : '--no-sandbox',
    ...(plan.fresh ? ['--fresh'] : []),
  ];
  const child = spawn(process.execPath, [program, ...args], {
    cwd: projectRoot,
    detached: true,
    stdio: ['ignore', log, log, 'ipc'],
    env: { ...process.env, SYNCLINE_DETACHED: '1' },
  });
  closeSync(log);
  const stop = (): void => void child.kill('SIGTERM');
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  try {
    await untilReady(child, say);
  } finally {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
    if (child.connected) child.disconnect();
    child.unref();
  }
}

function untilReady(child: ChildProcess, say: (line: string) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    let failed: string | undefined;
    child.on('message', (report: Report) => {
      if ('step' in report) say(report.step);
      else if ('ready' in report) resolve();
      else failed = report.failed;
    });
    child.once('error', (error) => reject(new Failure(`The supervisor does not start: ${error.message}`)));
    // `failed` comes first; the end is waited for, so that nothing is left when the failure is shown.
    child.once('exit', () =>
      reject(new Failure(failed ?? `The supervisor ended. End of its log:\n${logTail(places.supervisorLog)}`)),
    );
  });
}
