import type { FailureKind, SyncError } from '@syncline/contracts';

/** What becomes of a delivery whose attempt failed. */
export type Disposition =
  /** The row is due again after `afterMs`; `counted` where it used up an attempt. */
  | { readonly do: 'retry'; readonly afterMs: number; readonly counted: boolean }
  /** Nothing goes to the connection for `afterMs`; no attempt is counted. */
  | { readonly do: 'hold'; readonly afterMs: number }
  /** The connection is parked until its credentials work; no attempt is counted. */
  | { readonly do: 'park' }
  /** Read and decide again at once. */
  | { readonly do: 'again' }
  | { readonly do: 'dead'; readonly topic: 'dead-letter' | 'invalid' }
  | { readonly do: 'superseded' };

export interface DispositionLimits {
  readonly attemptsMax: number;
  readonly defectAttemptsMax: number;
  readonly conflictsMax: number;
  readonly retryDelayMsMin: number;
  readonly retryDelayMsMax: number;
  readonly throttledMsDefault: number;
}

export const dispositionLimits: DispositionLimits = {
  attemptsMax: 20,
  defectAttemptsMax: 3,
  conflictsMax: 5,
  retryDelayMsMin: 1_000,
  retryDelayMsMax: 300_000,
  throttledMsDefault: 2_000,
};

/**
 * The one place that says what each kind of failure leads to. `attempts` counts this one; `conflicts` are those of this
 * attempt. Delays have full jitter: anywhere up to the exponential bound, so that a crowd of keys spreads out.
 */
export function disposition(
  error: Pick<SyncError, 'kind' | 'retryAfterMs'>,
  attempts: number,
  conflicts = 0,
  limits: DispositionLimits = dispositionLimits,
  random: () => number = Math.random,
): Disposition {
  const backoffMs = Math.max(
    error.retryAfterMs ?? 0,
    random() * Math.min(limits.retryDelayMsMax, limits.retryDelayMsMin * 2 ** Math.min(attempts - 1, 30)),
  );
  const retry: Disposition = { do: 'retry', afterMs: Math.round(backoffMs), counted: true };
  const dead: Disposition = { do: 'dead', topic: 'dead-letter' };
  const byKind: Record<FailureKind, () => Disposition> = {
    transient: () => (attempts >= limits.attemptsMax ? dead : retry),
    throttled: () => ({ do: 'hold', afterMs: error.retryAfterMs ?? limits.throttledMsDefault }),
    unauthorized: () => ({ do: 'park' }),
    conflict: () => (conflicts < limits.conflictsMax ? { do: 'again' } : attempts >= limits.attemptsMax ? dead : retry),
    rejected: () => dead,
    unmappable: () => ({ do: 'dead', topic: 'invalid' }),
    superseded: () => ({ do: 'superseded' }),
    defect: () => (attempts >= limits.defectAttemptsMax ? dead : retry),
  };
  return byKind[error.kind]();
}

/**
 * Whether a failed request that changes something is known to have changed nothing. Where it is not, or where our own code
 * broke after the request was sent (a defect, an answer nobody could map), the outcome counts as unknown.
 */
export function knownNotDone(error: SyncError): boolean {
  return !error.outcomeUnknown && error.kind !== 'defect' && error.kind !== 'unmappable';
}
