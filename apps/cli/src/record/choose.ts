import type { Local } from '../local.js';
import { findRecords } from './ask.js';
import { type Match, matchLines } from './timeline.js';

/**
 * The one record a text means. Where there is none, or several, that is printed as the command's answer, and `record` is null
 * with the number of those that fit.
 */
export async function chooseRecord(
  local: Local,
  ref: string,
  options: { json?: boolean },
): Promise<{ record: Match; matches: Match[] } | { record: null; matches: Match[] }> {
  const matches = await findRecords(local, ref);
  const [only] = matches;
  if (only && matches.length === 1) return { record: only, matches };
  if (options.json) console.log(JSON.stringify({ matches }, null, 2));
  else if (only)
    console.log([`${matches.length} records fit "${ref}"; name one by its id:`, '', ...matchLines(matches)].join('\n'));
  else
    console.log(`No record fits "${ref}": use an order's name, an external id, a tracking number or a canonical id.`);
  return { record: null, matches };
}
