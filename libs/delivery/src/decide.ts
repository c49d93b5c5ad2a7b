import { isDeepStrictEqual } from 'node:util';
import type { Held, ObjectTarget } from '@syncline/connector-sdk';
import type { Fields, Json, Observation, Receipt } from '@syncline/contracts';

/** What the writer remembers of one record at one target, durable before each request. */
export interface DeliveryState {
  readonly externalId: string | null;
  /** True where the object was created by us, so that a duplicate may be removed. */
  readonly made: boolean;
  /** A create was sent and its outcome is not known (yet). */
  readonly pendingCreate: boolean;
  /** What was sent by attempts whose outcome is not known, oldest first; the present attempt is among them. */
  readonly tries: readonly Fields[];
}

/** The record's entry for our target in the event's sources. */
export interface SourceView {
  readonly externalId: string;
  readonly deleted: boolean;
  /** Version of the state that the event was made from. */
  readonly seen: number;
  readonly behind: readonly string[];
}

/** The newest event of a record as the decision needs it. */
export interface EventView {
  readonly revision: number;
  /** True for a tombstone. */
  readonly deleted: boolean;
  /** The record's canonical values. */
  readonly fields: Fields;
  readonly source: SourceView | null;
  /** Whether the target should get an object of it; an object that is there already is kept up to date in any case. */
  readonly wanted: boolean;
  /** References that a create needs and that are not known at the target yet. */
  readonly missing: readonly string[];
}

/** What the target takes of a record, from the connector's declaration. */
export type TargetForm = Pick<ObjectTarget, 'updates' | 'creates' | 'normalise'> & { readonly removes: boolean };

/** A receipt before it gets its envelope. */
export interface ReceiptDraft {
  readonly outcome: Extract<Receipt, { type: 'receipt' }>['outcome'];
  readonly externalId: string | null;
  readonly sent: Fields;
  readonly observed: Observation | null;
  readonly tries: readonly Fields[];
  readonly reason?: string;
}

/** The next step for a delivery. `delivery` is the state to go on with; for requests that change something it is stored first. */
export type Action =
  | { readonly do: 'find'; readonly delivery: DeliveryState }
  | { readonly do: 'read'; readonly externalId: string; readonly delivery: DeliveryState }
  /** A reference is missing: park without counting an attempt. */
  | { readonly do: 'wait'; readonly delivery: DeliveryState }
  /** An intent goes to the receipts topic before the request. */
  | { readonly do: 'create'; readonly fields: Fields; readonly delivery: DeliveryState }
  | { readonly do: 'update'; readonly held: Held; readonly fields: Fields; readonly delivery: DeliveryState }
  | { readonly do: 'remove'; readonly externalId: string; readonly delivery: DeliveryState }
  /** Close the delivery at the event's revision, after the receipt is durable. */
  | {
      readonly do: 'finish';
      readonly delivery: DeliveryState;
      readonly receipt: ReceiptDraft | null;
      readonly unwanted: boolean;
    };

export interface Decision {
  readonly delivery: DeliveryState;
  readonly event: EventView;
  /** What the last `read` or `find` of this attempt brought; null = nothing there. */
  readonly held: Held | null | 'unread';
  readonly form: TargetForm;
}

/**
 * What a writer does next for one record: pure, so that random schedules can be run against it. The rules: look up a create
 * of unknown outcome before anything else, never write onto a state the event has not seen, end every revision that leaves
 * something behind with a receipt, never create what was deleted at the target.
 */
export function decide({ delivery, event, held, form }: Decision): Action {
  let state = delivery;
  let seen = held;
  if (state.pendingCreate) {
    if (seen === 'unread') return { do: 'find', delivery: state };
    state = { ...state, pendingCreate: false };
    if (isThere(seen)) return afterLookUp({ ...state, externalId: seen.externalId, made: true }, event, seen, form);
    seen = state.externalId === null ? null : 'unread';
  }
  if (event.deleted) return decideRemoval(state, seen, form);
  if (state.externalId === null) return decideCreate(state, event, seen, form);
  if (event.source?.behind.length === 0) return finish(state);
  if (seen === 'unread') return { do: 'read', externalId: state.externalId, delivery: state };
  if (!isThere(seen)) return finish({ ...state, tries: [] }, receipt(state, 'gone', null));
  // Created or found by us and not yet among the sources: what it holds is news for the transformer.
  if (!event.source) return observed(state, seen, 'declined');
  return decideUpdate(state, event, event.source, seen, form);
}

/** Our object turned up after a create of unknown outcome. */
function afterLookUp(state: DeliveryState, event: EventView, held: Held, form: TargetForm): Action {
  return event.deleted ? decideRemoval(state, held, form) : observed(state, held, 'declined');
}

function decideRemoval(state: DeliveryState, held: Held | null | 'unread', form: TargetForm): Action {
  if (state.externalId === null || !form.removes) return finish(state);
  if (held === 'unread') return { do: 'read', externalId: state.externalId, delivery: state };
  return isThere(held) ? { do: 'remove', externalId: state.externalId, delivery: state } : finish(state);
}

function decideCreate(state: DeliveryState, event: EventView, held: Held | null | 'unread', form: TargetForm): Action {
  if (event.source?.deleted) return finish(state);
  if (!event.wanted) return finish(state, null, true);
  if (event.missing.length > 0) return { do: 'wait', delivery: state };
  if (held === 'unread') return { do: 'find', delivery: state };
  // Somebody made it already: it is linked, and what it holds goes to the transformer before anything is written.
  if (isThere(held)) return observed({ ...state, externalId: held.externalId, made: false }, held, 'declined');
  const fields = pick(event.fields, form.creates, (f, v) => stored(form, f, v) !== undefined);
  return { do: 'create', fields, delivery: { ...state, pendingCreate: true, tries: [fields] } };
}

function decideUpdate(
  state: DeliveryState,
  event: EventView,
  source: SourceView,
  held: Held,
  form: TargetForm,
): Action {
  const behind = source.behind.filter((f) => form.updates.includes(f));
  const fields = pick(event.fields, behind, (f, v) => differs(form, f, v, held));
  const none = Object.keys(fields).length === 0;
  if (none) return observed(state, held, 'written');
  if (held.version !== source.seen) return observed(state, held, 'declined');
  return { do: 'update', held, fields, delivery: { ...state, tries: [...state.tries, fields] } };
}

/** How a request of an action ended. */
export type Reply =
  | { readonly outcome: 'done'; readonly held: Held | null }
  /** Refused or never sent: it is known to have changed nothing. */
  | { readonly outcome: 'not-done' }
  /** It may have taken effect, or may still do so. */
  | { readonly outcome: 'unknown' }
  /** The object is not there any more. */
  | { readonly outcome: 'gone' }
  /** The target says it has something newer. */
  | { readonly outcome: 'superseded' };

/** What a reply means: the state to store, the receipt to publish before, and whether the revision is done with. */
export function settle(
  action: Extract<Action, { do: 'create' | 'update' | 'remove' }>,
  reply: Reply,
): { delivery: DeliveryState; receipt: ReceiptDraft | null; finished: boolean } {
  const { delivery } = action;
  const without = { ...delivery, tries: delivery.tries.slice(0, -1), pendingCreate: false };
  if (reply.outcome === 'unknown') return { delivery, receipt: null, finished: false };
  if (action.do === 'remove') return { delivery, receipt: null, finished: reply.outcome !== 'not-done' };
  if (reply.outcome === 'not-done') return { delivery: without, receipt: null, finished: false };
  if (reply.outcome === 'gone' || reply.outcome === 'superseded' || !reply.held) {
    const outcome = reply.outcome === 'superseded' ? 'superseded' : 'gone';
    return { delivery: { ...without, tries: [] }, receipt: receipt(without, outcome, null), finished: true };
  }
  const made = action.do === 'create' ? true : delivery.made;
  const state = { externalId: reply.held.externalId, made, pendingCreate: false, tries: [] };
  const said = { ...receipt(delivery, 'written', reply.held), sent: action.fields, externalId: state.externalId };
  return { delivery: state, receipt: said, finished: true };
}

/** The receipt of a delivery that is given up: it closes the asks of the revision. */
export function deadReceipt(delivery: DeliveryState, reason: string): ReceiptDraft {
  return { ...receipt(delivery, 'dead', null), reason };
}

const isThere = (held: Held | null | 'unread'): held is Held =>
  held !== null && held !== 'unread' && held.deleted !== true;

const finish = (delivery: DeliveryState, said: ReceiptDraft | null = null, unwanted = false): Action => ({
  do: 'finish',
  delivery,
  receipt: said,
  unwanted,
});

/** Closes with what the target holds; nothing was sent by this attempt. */
const observed = (state: DeliveryState, held: Held, outcome: 'written' | 'declined'): Action =>
  finish({ ...state, tries: [] }, receipt(state, outcome, held));

const receipt = (state: DeliveryState, outcome: ReceiptDraft['outcome'], held: Held | null): ReceiptDraft => ({
  outcome,
  externalId: held?.externalId ?? state.externalId,
  sent: {},
  observed: held?.observation ?? null,
  tries: state.tries,
});

const stored = (form: TargetForm, field: string, value: Json): Json | undefined =>
  form.normalise ? form.normalise(field, value) : value;

/** Whether the target lacks a value, in the form it would keep it; what it cannot hold at all is never lacking. */
function differs(form: TargetForm, field: string, value: Json, held: Held): boolean {
  const want = stored(form, field, value);
  if (want === undefined) return false;
  const has = held.observation.fields[field] ?? null;
  return !isDeepStrictEqual(has, want) && !isDeepStrictEqual(stored(form, field, has) ?? null, want);
}

function pick(fields: Fields, names: readonly string[], keep: (field: string, value: Json) => boolean): Fields {
  const out: Fields = {};
  for (const name of names) {
    const value = fields[name];
    if (value !== undefined && keep(name, value)) out[name] = value;
  }
  return out;
}
