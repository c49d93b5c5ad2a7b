/** Every way a unit of work can fail. Each kind has one disposition, decided by the engines in one place. */
export const failureKinds = [
  'transient',
  'throttled',
  'unauthorized',
  'conflict',
  'rejected',
  'unmappable',
  'superseded',
  'defect',
] as const;

export type FailureKind = (typeof failureKinds)[number];

export interface SyncErrorOptions {
  /** How long the other side asked us to wait, in milliseconds (`throttled`, also useful with `transient`). */
  retryAfterMs?: number;
  /**
   * True when the request may have taken effect although we never saw its answer (time-out, reset after sending).
   * A create or write that failed this way is looked up before it is tried again.
   */
  outcomeUnknown?: boolean;
  /** The field or path the failure is about, for messages that name what to fix. */
  path?: string;
  cause?: unknown;
}

/**
 * The one error class of Syncline. Connectors throw it and the engines decide what happens next:
 * transient → backoff, then dead; throttled → the connection waits, no attempt counted; unauthorized → the connection
 * is parked; conflict → read again and decide again; rejected → dead with the target's words; unmappable → invalid topic;
 * superseded → counted, done; defect → few retries, then dead. Anything else that is thrown counts as a defect.
 * The message must hold no secret and no personal data: it reaches logs, topics and the operator's list.
 */
export class SyncError extends Error {
  readonly kind: FailureKind;
  readonly retryAfterMs: number | undefined;
  readonly outcomeUnknown: boolean;
  readonly path: string | undefined;

  constructor(kind: FailureKind, message: string, options: SyncErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'SyncError';
    this.kind = kind;
    this.retryAfterMs = options.retryAfterMs;
    this.outcomeUnknown = options.outcomeUnknown ?? false;
    this.path = options.path;
  }
}

/** Any thrown value as a SyncError: what is not one already is a defect, with its message kept out (it may quote data). */
export function asSyncError(thrown: unknown): SyncError {
  if (thrown instanceof SyncError) return thrown;
  const name = thrown instanceof Error ? thrown.name : typeof thrown;
  return new SyncError('defect', `unexpected ${name}`, { cause: thrown });
}
