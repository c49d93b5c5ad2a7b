import { needLocal } from '../local.js';
import { connectionLines, viewConnections } from '../operate/connections.js';
import { askParts } from '../status/ask.js';

/** `syncline connections`: every connection, how it is and how far it was read. Exit code 1 where a service does not answer. */
export async function connectionsCommand(options: { json?: boolean }): Promise<number> {
  const local = needLocal();
  const views = viewConnections(local, await askParts(local));
  console.log(options.json ? JSON.stringify({ connections: views }, null, 2) : connectionLines(views).join('\n'));
  return views.some(({ source, target }) => source?.state === 'down' || target?.state === 'down') ? 1 : 0;
}
