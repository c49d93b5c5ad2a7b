import { isAlive } from '@syncline/infra';
import { Failure } from '../failure.js';
import { removeLocal, runningSupervisor } from '../local.js';
import { stopLeftovers } from '../supervisor/leftovers.js';

const stopMsMax = 90_000;

/** `npm stop`: ends the running system and waits for its end; also cleans up after a supervisor that was killed. */
export async function downCommand(options: { json?: boolean }): Promise<number> {
  const supervisor = runningSupervisor();
  const say = (ended: string[], sentence: string): number => {
    console.log(options.json ? JSON.stringify({ stopped: supervisor !== undefined, ended }) : sentence);
    return 0;
  };
  if (!supervisor) {
    const ended = await stopLeftovers({ infra: true });
    removeLocal();
    return say(
      ended,
      ended.length > 0 ? `Ended what a killed start had left: ${ended.join(', ')}` : 'Syncline is not running.',
    );
  }
  process.kill(supervisor.pid, 'SIGTERM');
  const endMs = Date.now() + stopMsMax;
  while (isAlive(supervisor)) {
    if (Date.now() > endMs) {
      throw new Failure(
        `The supervisor (process ${supervisor.pid}) has not ended after ${stopMsMax / 1000} s. "npm run -s syncline -- logs supervisor" tells why.`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return say([], 'Stopped.');
}
