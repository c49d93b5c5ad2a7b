import { needLocal } from '../local.js';
import { decisionLines, decisions } from '../operate/conflicts.js';
import { askTransformer } from '../record/ask.js';
import { chooseRecord } from '../record/choose.js';

/** `syncline conflicts [record]`: what the merge decided between edits that met, and forms that targets keep. */
export async function conflictsCommand(
  ref: string | undefined,
  options: { json?: boolean; limit: number },
): Promise<number> {
  const local = needLocal();
  const record = ref === undefined ? null : (await chooseRecord(local, ref, options)).record;
  if (ref !== undefined && record === null) return 1;
  const query = new URLSearchParams({ limit: String(options.limit), ...(record ? { record: record.id } : {}) });
  const found = decisions.parse(await askTransformer(local, `/conflicts?${query}`));
  const none = found.conflicts.length + found.unstable.length === 0;
  if (options.json) console.log(JSON.stringify(found, null, 2));
  else console.log(none ? 'No conflict had to be decided.' : decisionLines(found).join('\n'));
  return 0;
}
