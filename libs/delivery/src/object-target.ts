import type { ConnectionContext, Connector, ObjectTarget } from '@syncline/connector-sdk';
import type { Kind } from '@syncline/contracts';
import type { Logger } from '@syncline/runtime';
import type { Store } from '@syncline/store';
import type { DispositionLimits } from './disposition.js';
import type { WantedBy } from './flows.js';
import type { TargetGate } from './gate.js';
import type { Progress } from './progress.js';
import type { Sender } from './receipts.js';

/** Times of a writer's machinery, in milliseconds. */
export interface Timing {
  /** How long a claimed row is ours without a renewal. */
  leaseMs: number;
  /** After this long a request whose answer was lost can no longer arrive: its own time-out and a margin. */
  settleMs: number;
  tickMs: number;
  /** How often a parked connection's credentials are tried. */
  recheckMs: number;
  /** How long a record waits for another of its own that has a write under way. */
  mergeWaitMs: number;
}

export const timingDefault: Timing = {
  leaseMs: 10_000,
  settleMs: 20_000,
  tickMs: 500,
  recheckMs: 30_000,
  mergeWaitMs: 300,
};

/** One connection that holds an object per record, with all that its deliveries need. */
export interface ObjectTargetRuntime {
  readonly name: string;
  readonly group: string;
  readonly connector: Connector;
  readonly context: ConnectionContext;
  readonly specs: Readonly<Partial<Record<Kind, ObjectTarget>>>;
  /** Kinds that writes refer to, with the noun whose external id stands for them. */
  readonly linked: ReadonlyMap<Kind, string>;
  readonly wanted: WantedBy;
  readonly store: Store;
  readonly sender: Sender;
  readonly gate: TargetGate;
  readonly progress: Progress;
  readonly timing: Timing;
  readonly limits: DispositionLimits;
  readonly log: Logger;
  /** Ends waits when the service stops. */
  readonly signal: AbortSignal;
}
