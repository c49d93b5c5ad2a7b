import { needLocal } from '../local.js';
import { askStatus } from '../status/ask.js';
import { statusLines } from '../status/table.js';

/** `syncline status`: what every connection, target and consumer is doing.. */
export async function statusCommand(options: { json?: boolean }): Promise<number> {
  const status = await askStatus(needLocal());
  if (options.json) console.log(JSON.stringify(status, null, 2));
  else console.log(statusLines(status).join('\n'));
  return 0;
}
