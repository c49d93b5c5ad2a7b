import { SyncError } from '@syncline/contracts';
import type { Logger } from './logger.js';

/** Runs work within a time; what is not done by then is left, and named in the log. */
export async function within(
  name: string,
  timeoutMs: number,
  work: () => Promise<unknown>,
  log: Logger,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), timeoutMs);
  });
  try {
    const ended = await Promise.race([work(), late]);
    if (ended === 'late') log.warn({ step: name, timeoutMs }, 'a step of the shutdown did not end in time');
  } catch (err) {
    log.warn({ err, step: name }, 'a step of the shutdown failed');
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Ends the process on the errors nobody handled, by exit code 1: its state is unknown then, and whoever supervises it starts
 * it again. SIGTERM and SIGINT call `stop` once; a second signal ends at once. Returns how to undo all of it.
 */
export function handleProcessEvents(log: Logger, stop: () => Promise<void>): () => void {
  let stopping = false;
  const die = (what: string) => (err: unknown) => {
    log.fatal({ err }, what);
    log.flush();
    process.exit(1);
  };
  const onSignal = (signal: NodeJS.Signals) => {
    if (stopping) process.exit(1);
    stopping = true;
    log.info({ signal }, 'stopping');
    stop().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  const handlers = {
    uncaughtException: die('uncaught exception'),
    unhandledRejection: die('unhandled rejection'),
  };
  process.on('uncaughtException', handlers.uncaughtException);
  process.on('unhandledRejection', handlers.unhandledRejection);
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  return () => {
    process.off('uncaughtException', handlers.uncaughtException);
    process.off('unhandledRejection', handlers.unhandledRejection);
    process.off('SIGTERM', onSignal);
    process.off('SIGINT', onSignal);
  };
}

/**
 * Runs a service's main function; a start that fails is told in a sentence (a configuration's problems line by line) and
 * ends the process with exit code 1.
 */
export async function runMain(log: Logger, main: () => Promise<unknown>): Promise<void> {
  try {
    await main();
  } catch (err) {
    const said = err instanceof SyncError || (err instanceof Error && err.name === 'ConfigError') ? err.message : null;
    if (said === null) log.fatal({ err }, 'could not start');
    else log.fatal(`could not start: ${said}`);
    log.flush();
    process.exit(1);
  }
}
