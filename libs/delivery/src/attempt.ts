import type { Held, ObjectTarget } from '@syncline/connector-sdk';
import {
  asSyncError,
  type CanonicalRecord,
  deadLetterTopic,
  type Fields,
  header,
  invalidTopic,
  type Kind,
  SyncError,
} from '@syncline/contracts';
import { inject } from '@syncline/runtime';
import {
  type Claim,
  type ClaimedRow,
  closeDelivery,
  type DeliveryProgress,
  parkDelivery,
  storeAttempt,
  storeLinks,
  wakeWaiting,
} from '@syncline/store';
import { type DeliveryState, deadReceipt, type ReceiptDraft } from './decide.js';
import { disposition } from './disposition.js';
import { isCircuitOpen } from './gate.js';
import type { ObjectTargetRuntime } from './object-target.js';
import { type About, publishReceipt, sendPatiently } from './receipts.js';

/** The row belongs to another dispatcher now: whatever was under way is dropped without a trace in it. */
export class ClaimLost extends Error {}

/** One attempt at one claimed row. Every way it can end is a method; each stores the row's state under the claim. */
export class Attempt {
  readonly claim: Claim;
  /** How the attempt ended, for its span. */
  outcome = 'unfinished';

  constructor(
    readonly target: ObjectTargetRuntime,
    readonly row: ClaimedRow,
    readonly spec: ObjectTarget,
    /** The newest event; of a tombstone after a create of unknown outcome the one before; null where there is none. */
    readonly record: CanonicalRecord | null,
    /** External ids at the target of what the record refers to, by field. */
    readonly links: Readonly<Record<string, string>>,
    token: string,
  ) {
    this.claim = { target: target.name, id: row.id, token };
  }

  get about(): About {
    const { target, row, spec } = this;
    const { provider } = target.connector;
    return {
      provider,
      connection: target.name,
      noun: spec.noun,
      kind: row.kind as Kind,
      id: row.id,
      revision: row.revision,
    };
  }

  /** Runs a request to the target through its gate. */
  call<T>(request: () => Promise<T>): Promise<T> {
    return this.target.gate.call(request);
  }

  read(externalId: string): Promise<Held | null> {
    return this.call(() => this.spec.read(this.target.context, externalId));
  }

  /** Looks for the record's object by our id or natural key; nothing is found without a record to look for. */
  find(): Promise<Held | null> {
    const { record, links } = this;
    if (!record) return Promise.resolve(null);
    const fields = record.data as Fields;
    return this.call(() => this.spec.find(this.target.context, { record, fields, links }));
  }

  /** Stores what is about to be sent. Throws ClaimLost where the row is not ours any more. */
  async announce(state: DeliveryProgress): Promise<void> {
    if (!(await storeAttempt(this.target.store, this.claim, state, this.target.timing.settleMs))) throw new ClaimLost();
  }

  /** The revision is done with: receipt first, then the row. `written` where a request of ours changed the target. */
  async close(state: DeliveryState, end: { receipt: ReceiptDraft | null; written: boolean; wanted: boolean }) {
    const { target, row } = this;
    if (end.receipt) await publishReceipt(target.sender, this.about, end.receipt, target.signal);
    await this.link(state.externalId);
    this.outcome = end.receipt?.outcome ?? (end.written ? 'written' : end.wanted ? 'unchanged' : 'unwanted');
    const answered = {
      outcome: this.outcome,
      revision: row.revision,
      externalId: state.externalId,
      ...(end.receipt && end.written ? { fields: Object.keys(end.receipt.sent) } : {}),
    };
    const mine = await closeDelivery(target.store, this.claim, {
      revision: row.revision,
      state,
      wanted: end.wanted,
      answered,
    });
    if (!mine) throw new ClaimLost();
    if (!end.wanted) return;
    const tookMs = end.written ? target.progress.confirmed(row) : null;
    const { id, kind, revision, deleted } = row;
    target.progress.ended({ id, kind, revision, deleted, outcome: this.outcome, tookMs });
  }

  /** Lets go of the row without counting an attempt. */
  async postpone(state: DeliveryState, dueInMs: number, waitsFor?: readonly string[]): Promise<void> {
    this.outcome = waitsFor ? 'waiting' : 'postponed';
    const to = waitsFor ? 'waiting' : 'pending';
    const { revision, attempts } = this.row;
    const { store } = this.target;
    const parking = { revision, state, to, dueInMs, attempts, settleMs: null } as const;
    await parkDelivery(store, this.claim, { ...parking, ...(waitsFor ? { waitsFor } : {}) });
  }

  /**
   * An attempt failed: the disposition of its kind decides. `unknown` where a request may still arrive. Returns `again` where
   * the row is kept to read and decide anew, `superseded` where the caller closes it.
   */
  async fail(
    state: DeliveryState,
    thrown: unknown,
    unknown: boolean,
    conflicts: number,
  ): Promise<'again' | 'ended' | 'superseded'> {
    const { target, row } = this;
    if (thrown instanceof ClaimLost) throw thrown;
    if (isCircuitOpen(thrown)) {
      await this.postpone(state, 0);
      return 'ended';
    }
    const error = asSyncError(thrown);
    const attempts = row.attempts + 1;
    const then = disposition(error, attempts, conflicts, target.limits);
    if (then.do === 'again' || then.do === 'superseded') return then.do;
    this.outcome = then.do === 'dead' ? 'dead' : 'retried';
    const failure = { kind: error.kind, reason: error.message };
    const settleMs = unknown ? target.timing.settleMs : null;
    const keep = { revision: row.revision, state, attempts: row.attempts, failure, settleMs, to: 'pending' as const };
    if (then.do === 'dead') await this.die(state, error, then.topic, attempts, settleMs);
    else if (then.do === 'hold') {
      target.gate.hold(then.afterMs);
      await parkDelivery(target.store, this.claim, { ...keep, dueInMs: then.afterMs });
    } else if (then.do === 'park') {
      target.gate.park(error.message);
      target.log.error(
        { err: error, target: target.name },
        'the target refuses our credentials: deliveries are parked',
      );
      await parkDelivery(target.store, this.claim, { ...keep, dueInMs: 0 });
    } else {
      await parkDelivery(target.store, this.claim, { ...keep, attempts, dueInMs: then.afterMs });
      const { id, kind, revision, deleted } = row;
      target.progress.ended({ id, kind, revision, deleted, outcome: 'retried', tookMs: null, reason: error.message });
    }
    return 'ended';
  }

  /** Gives the revision up: its asks are closed, the event goes to the failure topic, the row waits for an operator. */
  private async die(
    state: DeliveryState,
    error: SyncError,
    topic: 'dead-letter' | 'invalid',
    attempts: number,
    settleMs: number | null,
  ) {
    const { target, row } = this;
    const reason = error.message;
    await publishReceipt(target.sender, this.about, deadReceipt(state, reason), target.signal);
    const headers = inject({
      [header.failureKind]: error.kind,
      [header.failureReason]: reason,
      ...(error.path === undefined ? {} : { [header.failurePath]: error.path }),
      [header.revision]: String(row.revision),
      [header.type]: `syncline.${row.kind}`,
      [header.source]: `/connections/${row.cause}`,
      [header.subject]: row.id,
      [header.changedAt]: String(row.changedAt),
      [header.receivedAt]: String(row.receivedAt),
    });
    const name = (topic === 'invalid' ? invalidTopic : deadLetterTopic)(target.group);
    await sendPatiently(
      target.sender,
      { topic: name, key: row.id, value: row.deleted ? null : row.event, headers },
      target.signal,
    );
    const { id, kind, revision, deleted } = row;
    const failure = { kind: error.kind, reason };
    const given = { ...state, tries: [] };
    await parkDelivery(target.store, this.claim, {
      revision,
      state: given,
      to: 'dead',
      dueInMs: 0,
      attempts,
      failure,
      settleMs,
    });
    target.progress.ended({ id, kind, revision, deleted, outcome: 'dead', tookMs: null, reason });
    target.log.warn({ target: target.name, id, kind, revision, failure }, 'a delivery was given up');
  }

  /** Other kinds' writes refer to this object: remember where it is, and wake who waits for it. */
  private async link(externalId: string | null): Promise<void> {
    const { target, row } = this;
    if (externalId === null || row.deleted || target.linked.get(row.kind as Kind) !== this.spec.noun) return;
    const news = await storeLinks(target.store, target.name, [{ kind: row.kind, id: row.id, externalId }]);
    await wakeWaiting(target.store, target.name, news);
  }
}
