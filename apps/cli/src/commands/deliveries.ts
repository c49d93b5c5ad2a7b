import { Failure } from '../failure.js';
import { needLocal } from '../local.js';
import { deliveryLines, listDeliveries, openStates } from '../operate/deliveries.js';

const limitMax = 500;

/** `syncline deliveries [target]`: what is not done yet, and what was given up. Exit code 1 where a writer does not answer. */
export async function deliveriesCommand(
  target: string | undefined,
  options: { json?: boolean; state?: string; limit: number },
): Promise<number> {
  const { limit } = options;
  if (limit < 1 || limit > limitMax) throw new Failure(`--limit ${limit} is not between 1 and ${limitMax}`, 2);
  const { deliveries, silent } = await listDeliveries(needLocal(), { target, state: options.state, limit });
  if (options.json) console.log(JSON.stringify({ deliveries, silent }, null, 2));
  else {
    const states = options.state ?? openStates.join(', ');
    console.log(deliveries.length === 0 ? `No delivery is ${states}.` : deliveryLines(deliveries).join('\n'));
    if (deliveries.length === limit) console.log(`These are the first ${limit}; --limit shows up to ${limitMax}.`);
    if (silent.length > 0) console.error(`No answer from ${silent.join(', ')}.`);
  }
  return silent.length === 0 ? 0 : 1;
}
