import { setTimeout as pause } from 'node:timers/promises';
import { Failure } from '../failure.js';
import { needLocal } from '../local.js';
import { findRecords, tellRecord } from '../record/ask.js';
import { matchLines } from '../record/timeline.js';
import { callService, needService } from '../service-call.js';

const publishedMsMax = 30_000;

/** `syncline replay record`: a record's newest state published once more. Several records that fit are listed; that or none is exit code 1. */
export async function replayRecordCommand(ref: string, options: { json?: boolean }): Promise<number> {
  const local = needLocal();
  const found = await findRecords(local, ref);
  const [only] = found;
  if (!only || found.length > 1) {
    if (options.json) console.log(JSON.stringify({ matches: found }, null, 2));
    else if (only)
      console.log([`${found.length} records fit "${ref}"; name one by its id:`, '', ...matchLines(found)].join('\n'));
    else
      console.log(`No record fits "${ref}": use an order's name, an external id, a tracking number or a canonical id.`);
    return 1;
  }
  const service = needService(local, 'transformer');
  const before = (await callService(service, 'POST', '/records/again', { id: only.id })) as {
    id: string;
    revision: number;
  };
  const until = Date.now() + publishedMsMax;
  for (;;) {
    const { story } = await tellRecord(local, before.id);
    const revision = Number((story.record as { revision?: unknown } | null)?.revision ?? 0);
    if (revision > before.revision) {
      if (options.json) console.log(JSON.stringify({ id: before.id, before: before.revision, revision }, null, 2));
      else console.log(`${only.kind} ${only.name ?? only.id} is published again as revision ${revision}.`);
      return 0;
    }
    if (Date.now() > until)
      throw new Failure('The record was not published yet: the transformer works it off when it is no longer behind.');
    await pause(100);
  }
}
