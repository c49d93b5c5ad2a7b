import { existsSync } from 'node:fs';
import { Failure } from '../failure.js';
import { addressLines } from '../live/addresses.js';
import { createView } from '../live/view.js';
import { needLocal } from '../local.js';
import { defaultConfig, typedPath } from '../places.js';
import { detach, reportToStarter } from '../supervisor/detach.js';
import { supervise } from '../supervisor/supervise.js';

/** What the user may say to `npm start`. */
export interface UpOptions {
  config?: string;
  sandbox?: boolean;
  fresh: boolean;
  detach: boolean;
  json?: boolean;
  stopWithStdin?: boolean;
}

/** `npm start`: brings everything up and shows it until Ctrl-C; with `--detach` it returns when all is ready. */
export async function upCommand(options: UpOptions): Promise<number> {
  const config = options.config === undefined ? defaultConfig : typedPath(options.config);
  if (!existsSync(config)) throw new Failure(`There is no configuration file ${config}.`, 2);
  const plan = { config, sandbox: options.sandbox ?? config === defaultConfig, fresh: options.fresh };
  const starter = reportToStarter();
  if (options.detach && !starter) {
    await detach(plan, options.json ? console.error : console.log);
    const local = needLocal();
    if (options.json) console.log(JSON.stringify(local, null, 2));
    else console.log(['Ready. "npm stop" ends it.', '', ...addressLines(local)].join('\n'));
    return 0;
  }
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => stop.abort());
  // A terminal that was closed takes no more lines; what runs must still be stopped in order.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  if (options.stopWithStdin) process.stdin.on('close', () => stop.abort()).resume();
  // Children do not hold this process, and it must not end before they have.
  const alive = setInterval(() => {}, 60_000);
  const view = createView();
  const say = (line: string): void => {
    if (starter) console.log(`${new Date().toISOString()} ${line}`);
    else if (options.json) console.error(line);
    else view.step(line);
    starter?.step(line);
  };
  try {
    const system = await supervise({ ...plan, onStep: say, signal: stop.signal });
    try {
      if (starter) starter.ready();
      if (starter || options.json) {
        if (!starter) console.log(JSON.stringify(system.local(), null, 2));
        await aborted(stop.signal);
      } else await view.run(system.local, stop.signal);
      say('Stopping');
    } finally {
      await system.stop();
    }
    say('Stopped');
  } catch (error) {
    starter?.failed(error as Error);
    if (stop.signal.aborted && error instanceof Failure) {
      say(error.message);
      return 0;
    }
    throw error;
  } finally {
    clearInterval(alive);
    // Idle connections must not hold the process.
    setTimeout(() => process.exit(), 1_000).unref();
  }
  return 0;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
