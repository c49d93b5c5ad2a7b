import { needLocal } from '../local.js';
import { findRecords, tellRecord } from '../record/ask.js';
import { matchLines, timelineLines } from '../record/timeline.js';

/** `syncline record <ref>`: one record's story. Several records that fit are listed; none is exit code 1. */
export async function recordCommand(ref: string, options: { json?: boolean }): Promise<number> {
  const local = needLocal();
  const found = await findRecords(local, ref);
  const [only] = found;
  if (!only || found.length > 1) {
    if (options.json) console.log(JSON.stringify({ matches: found }, null, 2));
    else if (only)
      console.log([`${found.length} records fit "${ref}"; name one by its id:`, '', ...matchLines(found)].join('\n'));
    else
      console.log(`No record fits "${ref}": use an order's name, an external id, a tracking number or a canonical id.`);
    return only ? 0 : 1;
  }
  const { story, deliveries } = await tellRecord(local, only.id);
  console.log(
    options.json
      ? JSON.stringify({ matches: found, ...story, deliveries }, null, 2)
      : timelineLines(only, story, deliveries).join('\n'),
  );
  return 0;
}
