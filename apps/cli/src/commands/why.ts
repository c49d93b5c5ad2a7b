import { needLocal } from '../local.js';
import { chooseRecord } from '../record/choose.js';
import { normalRef } from '../record/timeline.js';
import { gatherFacts } from '../why/ask.js';
import { whyNot } from '../why/sentence.js';

const canonicalId = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * `syncline why <record> <target>`: one sentence. Exit code 0 where the record is there or rightly is not, 1 where it is missing,
 * late or unknown, 2 where there is no such target.
 */
export async function whyCommand(ref: string, target: string, options: { json?: boolean }): Promise<number> {
  const local = needLocal();
  // An id needs no search: it also names records that are only mentioned, or live on as another.
  const typed = normalRef(ref);
  const id = canonicalId.test(typed) ? typed.toLowerCase() : (await chooseRecord(local, ref, options)).record?.id;
  if (id === undefined) return 1;
  const facts = await gatherFacts(local, id, target);
  const answer = whyNot(facts);
  const { delivery, record } = facts;
  console.log(
    options.json
      ? JSON.stringify(
          { ...answer, target, record: { id: record.id, kind: record.kind, revision: record.revision }, delivery },
          null,
          2,
        )
      : answer.sentence,
  );
  return answer.well ? 0 : 1;
}
