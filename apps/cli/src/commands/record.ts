import { needLocal } from '../local.js';
import { tellRecord } from '../record/ask.js';
import { chooseRecord } from '../record/choose.js';
import { timelineLines } from '../record/timeline.js';

/** `syncline record <ref>`: one record's story. Several records that fit are listed; none is exit code 1. */
export async function recordCommand(ref: string, options: { json?: boolean }): Promise<number> {
  const local = needLocal();
  const { record, matches } = await chooseRecord(local, ref, options);
  if (!record) return matches.length > 0 ? 0 : 1;
  const { story, deliveries } = await tellRecord(local, record.id);
  console.log(
    options.json
      ? JSON.stringify({ matches, ...story, deliveries }, null, 2)
      : timelineLines(record, story, deliveries).join('\n'),
  );
  return 0;
}
