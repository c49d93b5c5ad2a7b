import type { Held } from '@syncline/connector-sdk';
import { asSyncError } from '@syncline/contracts';
import { claimSurvivor, releaseSurvivor, type Survivor } from '@syncline/store';
import type { Attempt } from './attempt.js';
import type { DeliveryState } from './decide.js';
import { knownNotDone } from './disposition.js';
import { decideMerge, type MergeAction, type MergeSide } from './merge.js';

/**
 * The tombstone of a record that was joined into another: its object goes over to the survivor, or, where both have one, a
 * duplicate of ours is removed. Waits while either of them has a write under way.
 */
export async function deliverMerge(attempt: Attempt, survivorId: string): Promise<void> {
  const { target, row, spec } = attempt;
  const start: DeliveryState = row;
  const other = { ...attempt.claim, id: survivorId };
  const survivor = await claimSurvivor(target.store, other, row.kind, target.timing.leaseMs);
  if (!survivor) return attempt.postpone(start, target.timing.mergeWaitMs * (1 + Math.random()));
  let alias = start;
  let keeps: Survivor = survivor;
  try {
    if (alias.pendingCreate) {
      const found = await attempt.find();
      const there = isThere(found);
      alias = {
        ...alias,
        pendingCreate: false,
        tries: [],
        ...(there ? { externalId: found.externalId, made: true } : {}),
      };
    }
    const action = decideMerge(await look(attempt, alias), await look(attempt, survivor));
    const dropped = droppedBy(action, alias, survivor);
    if (dropped !== null && spec.remove) await attempt.call(() => spec.remove!(target.context, dropped));
    if (takesOver(action)) keeps = { externalId: alias.externalId, made: alias.made };
  } catch (thrown) {
    await releaseSurvivor(target.store, other, survivor);
    const unknown = !knownNotDone(asSyncError(thrown));
    const then = await attempt.fail(alias, thrown, unknown, Number.POSITIVE_INFINITY);
    if (then !== 'ended') await attempt.postpone(alias, target.timing.mergeWaitMs);
    return;
  }
  await releaseSurvivor(target.store, other, keeps);
  const done = { externalId: null, made: false, pendingCreate: false, tries: [] };
  await attempt.close(done, { receipt: null, written: false, wanted: true });
}

const isThere = (held: Held | null): held is Held => held !== null && held.deleted !== true;
const takesOver = (a: MergeAction): boolean => a.do === 'move' || (a.do === 'drop' && a.drop === 'survivor');

function droppedBy(action: MergeAction, alias: Survivor, survivor: Survivor): string | null {
  if (action.do !== 'drop') return null;
  return action.drop === 'alias' ? alias.externalId : survivor.externalId;
}

async function look(attempt: Attempt, side: Survivor): Promise<MergeSide> {
  const alive = side.externalId !== null && isThere(await attempt.read(side.externalId));
  return { externalId: side.externalId, made: side.made, alive };
}
