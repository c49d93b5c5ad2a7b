import type { Held } from '@syncline/connector-sdk';
import { asSyncError, type CanonicalRecord, type Fields, type Kind, SyncError } from '@syncline/contracts';
import { extract, inSpan, SpanKind } from '@syncline/runtime';
import { type ClaimedRow, isMergePending, linksOf } from '@syncline/store';
import { Attempt, ClaimLost } from './attempt.js';
import { type Action, type DeliveryState, decide, type EventView, type Reply, settle } from './decide.js';
import { deliverMerge } from './deliver-merge.js';
import { knownNotDone } from './disposition.js';
import { formOf, parseEvent, referencesOf, sourceAt, tombstoneView, viewOf } from './event.js';
import { isCircuitOpen } from './gate.js';
import type { ObjectTargetRuntime } from './object-target.js';
import { publishIntent } from './receipts.js';

/** Steps of one attempt at most: a lost way would otherwise never end. */
const stepsMax = 20;

/**
 * Brings one claimed record to its newest revision at the target, or parks it with the reason. Never throws: what is wrong with
 * our own database or Kafka leaves the claim to run out, and the row is taken up again.
 */
export async function deliver(target: ObjectTargetRuntime, row: ClaimedRow, token: string): Promise<void> {
  const parent = extract(row.traceparent === null ? {} : { traceparent: row.traceparent });
  const attributes = { 'syncline.target': target.name, 'syncline.kind': row.kind, 'syncline.revision': row.revision };
  try {
    await inSpan(`deliver ${target.name}`, { kind: SpanKind.INTERNAL, attributes, parent }, async (span) => {
      span.setAttribute('syncline.outcome', await work(target, row, token));
    });
  } catch (thrown) {
    const about = { target: target.name, id: row.id, kind: row.kind };
    if (thrown instanceof ClaimLost) target.log.warn(about, 'a delivery took longer than its claim: dropped');
    else
      target.log.warn({ ...about, err: asSyncError(thrown) }, 'a delivery could not be stored: taken up again later');
  }
}

async function work(target: ObjectTargetRuntime, row: ClaimedRow, token: string): Promise<string> {
  const spec = target.specs[row.kind as Kind];
  if (!spec) throw new SyncError('defect', `${target.name} takes no ${row.kind}`);
  const state: DeliveryState = row;
  let record: CanonicalRecord | null = null;
  let unreadable: unknown;
  try {
    if (row.event !== null) record = parseEvent(row.event, row.id, row.kind);
  } catch (thrown) {
    unreadable = thrown;
  }
  const refers = record ? referencesOf(spec, record.data as Fields) : new Map<string, string | null>();
  const ids = [...refers.values()].filter((id) => id !== null);
  const linked = await linksOf(target.store, target.name, ids);
  const links = Object.fromEntries(
    [...refers].flatMap(([field, id]) => (id !== null && linked.has(id) ? [[field, linked.get(id)!]] : [])),
  );
  const attempt = new Attempt(target, row, spec, record, links, token);
  if (unreadable !== undefined) await attempt.fail(state, unreadable, false, 0);
  else if (row.deleted && row.mergedInto !== null) await deliverMerge(attempt, row.mergedInto);
  else if (row.deleted) await bring(attempt, tombstoneView(row.revision), state);
  else if (!record) await attempt.fail(state, new SyncError('defect', 'the row has lost its event'), false, 0);
  else {
    const source = sourceAt(record.sources, target.name, spec.noun, row.externalId);
    const event = { ...viewOf(record, source, spec, linked), revision: row.revision };
    const externalId = source && !source.deleted ? source.externalId : row.externalId;
    const made = externalId === row.externalId ? row.made : false;
    await bring(attempt, event, { ...state, externalId, made });
  }
  return attempt.outcome;
}

/** Decides, acts and decides again until the revision is closed or parked. */
async function bring(attempt: Attempt, event: EventView, from: DeliveryState): Promise<void> {
  const form = formOf(attempt.spec);
  let state = pick(from);
  let held: Held | null | 'unread' = 'unread';
  let conflicts = 0;
  let checkedRefusal = false;
  for (let step = 0; step < stepsMax; step++) {
    const action: Action = decide({ delivery: state, event, held, form });
    if (action.do === 'finish')
      return attempt.close(action.delivery, { receipt: action.receipt, written: false, wanted: !action.unwanted });
    if (action.do === 'wait') return attempt.postpone(action.delivery, 0, waitsFor(attempt, event));
    if (action.do === 'read' || action.do === 'find') {
      try {
        held = action.do === 'read' ? await attempt.read(action.externalId) : await attempt.find();
      } catch (thrown) {
        const then = await attempt.fail(state, thrown, false, ++conflicts);
        if (then === 'ended') return;
        if (then === 'superseded') return attempt.close(state, { receipt: null, written: false, wanted: true });
        continue;
      }
      state = action.delivery;
      continue;
    }
    const done = await change(attempt, action);
    if (done === 'postponed') return;
    const { reply, error } = done;
    const after = settle(action, reply);
    if (after.finished)
      return attempt.close(after.delivery, { receipt: after.receipt, written: reply.outcome === 'done', wanted: true });
    const refused = error instanceof SyncError && error.kind === 'rejected' && action.do !== 'create';
    if (refused && !checkedRefusal) {
      // An object that is gone refuses every write: look before the record is given up.
      checkedRefusal = true;
      state = after.delivery;
      held = 'unread';
      continue;
    }
    if ((await attempt.fail(after.delivery, error, reply.outcome === 'unknown', ++conflicts)) !== 'again') return;
    state = after.delivery;
    held = 'unread';
  }
  await attempt.fail(state, new SyncError('defect', `no end after ${stepsMax} steps`), false, conflicts);
}

type Change = Extract<Action, { do: 'create' | 'update' | 'remove' }>;

/** Sends one request that changes the target, announced and stored before it. */
async function change(attempt: Attempt, action: Change): Promise<'postponed' | { reply: Reply; error?: unknown }> {
  const { target, row, spec } = attempt;
  if (action.do === 'create') {
    const before = { ...action.delivery, pendingCreate: false, tries: [] };
    if (await isMergePending(target.store, target.name, row.id)) {
      await attempt.postpone(before, target.timing.mergeWaitMs * (1 + Math.random()));
      return 'postponed';
    }
    await publishIntent(target.sender, attempt.about, target.signal);
  }
  await attempt.announce(action.delivery);
  try {
    return { reply: { outcome: 'done', held: await request(attempt, action, spec) } };
  } catch (thrown) {
    const error = asSyncErrorOrCircuit(thrown);
    if (!(error instanceof SyncError) || knownNotDone(error)) {
      const superseded = error instanceof SyncError && error.kind === 'superseded';
      return { reply: { outcome: superseded ? 'superseded' : 'not-done' }, error };
    }
    return { reply: { outcome: 'unknown' }, error };
  }
}

function request(attempt: Attempt, action: Change, spec: Attempt['spec']): Promise<Held | null> {
  const { context } = attempt.target;
  const { record, links } = attempt;
  return attempt.call(async () => {
    if (action.do === 'remove') {
      await spec.remove?.(context, action.externalId);
      return null;
    }
    const input = { record: record!, fields: action.fields, links };
    return action.do === 'create' ? spec.create(context, input) : spec.update(context, action.held, input);
  });
}

/** The canonical ids a create waits for; references the record does not name yet wait for a newer revision. */
function waitsFor(attempt: Attempt, event: EventView): string[] {
  const refers = referencesOf(attempt.spec, event.fields);
  return event.missing.flatMap((field) => refers.get(field) ?? []);
}

/** Errors of our own gate stay what they are; all others become SyncErrors. */
const asSyncErrorOrCircuit = (thrown: unknown): unknown => (isCircuitOpen(thrown) ? thrown : asSyncError(thrown));

const pick = ({ externalId, made, pendingCreate, tries }: DeliveryState): DeliveryState => ({
  externalId,
  made,
  pendingCreate,
  tries,
});
