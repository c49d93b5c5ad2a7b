import { needLocal } from '../local.js';
import { changedLines, type Side, setPaused, sidesOf } from '../operate/pause.js';

/**
 * `syncline pause|resume <connection>`: stops or lets go on what is read from it and what is written to it. Exit code 1 where a
 * service that runs does not obey in time; 2 where there is no such connection.
 */
export async function pauseCommand(
  connection: string,
  options: { json?: boolean; only?: Side },
  paused: boolean,
): Promise<number> {
  const chosen = sidesOf(needLocal(), connection, options.only);
  const changed = await setPaused(needLocal, connection, chosen, paused);
  console.log(options.json ? JSON.stringify({ changed }, null, 2) : changedLines(changed).join('\n'));
  return changed.every(({ inForce }) => inForce !== 'no') ? 0 : 1;
}
