import { SyncError } from '@syncline/contracts';
import {
  BrokenCircuitError,
  type CircuitBreakerPolicy,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  DelegateBackoff,
  handleWhen,
} from 'cockatiel';

export interface GateOptions {
  /** Requests at a time while all is well. */
  concurrency: number;
  /** Transient failures in a row that open the circuit (default 5). */
  failuresMax?: number;
  /** First and longest time an open circuit waits before it tries again, in milliseconds (default 1,000 and 30,000). */
  probeMsMin?: number;
  probeMsMax?: number;
  /** The target is not to be sent anything for now, or is again. */
  onChange?: (shut: boolean) => void;
}

export type CircuitName = 'closed' | 'open' | 'half-open';
export type GateState = 'ok' | 'throttled' | 'unauthorized' | 'unreachable';

/**
 * What stands between one target and its deliveries: a circuit for failures that pass, pauses the target asked for, and a
 * parking place for a connection whose credentials do not work.
 */
export class TargetGate {
  private readonly circuit: CircuitBreakerPolicy;
  private heldUntil = 0;
  private probeAt = 0;
  private parkedFor: string | null = null;

  constructor(private readonly options: GateOptions) {
    const { failuresMax = 5, probeMsMin = 1_000, probeMsMax = 30_000 } = options;
    this.circuit = circuitBreaker(
      handleWhen((error) => error instanceof SyncError && error.kind === 'transient'),
      {
        breaker: new ConsecutiveBreaker(failuresMax),
        halfOpenAfter: new DelegateBackoff(({ attempt }: { attempt: number }) => {
          const delayMs = Math.min(probeMsMax, probeMsMin * 2 ** Math.min(attempt - 1, 20));
          this.probeAt = Date.now() + delayMs;
          return delayMs;
        }),
      },
    );
    this.circuit.onBreak(() => this.options.onChange?.(true));
    this.circuit.onReset(() => this.parkedFor === null && this.options.onChange?.(false));
  }

  /** How many deliveries may be under way now: none while parked, held or open, one as a probe. */
  capacity(now = Date.now()): number {
    if (this.parkedFor !== null || now < this.heldUntil) return 0;
    if (this.circuit.state === CircuitState.Closed) return this.options.concurrency;
    if (this.circuit.state === CircuitState.HalfOpen) return 1;
    return now >= this.probeAt ? 1 : 0;
  }

  /** Runs one request to the target. Throws `BrokenCircuitError` unsent while the circuit is open, else what the request threw. */
  async call<T>(request: () => Promise<T>): Promise<T> {
    // Any answer shows that the target lives; only failures that pass count against it.
    const result = await this.circuit.execute(async () => {
      try {
        return { value: await request() };
      } catch (error) {
        if (error instanceof SyncError && error.kind === 'transient') throw error;
        return { error };
      }
    });
    if ('error' in result) throw result.error;
    return result.value;
  }

  /** The target asked us to send nothing for a while. */
  hold(forMs: number): void {
    this.heldUntil = Math.max(this.heldUntil, Date.now() + forMs);
  }

  /** The target refuses our credentials. */
  park(reason: string): void {
    if (this.parkedFor === null) this.options.onChange?.(true);
    this.parkedFor = reason;
  }

  unpark(): void {
    if (this.parkedFor === null) return;
    this.parkedFor = null;
    if (this.circuit.state === CircuitState.Closed) this.options.onChange?.(false);
  }

  get parked(): string | null {
    return this.parkedFor;
  }

  /** Why nothing is sent, in the target's words; null while all is well. */
  get reason(): string | null {
    if (this.parkedFor !== null || this.circuit.state === CircuitState.Closed) return this.parkedFor;
    const last = this.circuit.lastFailure;
    return last && 'error' in last && last.error instanceof Error ? last.error.message : null;
  }

  get circuitState(): CircuitName {
    if (this.circuit.state === CircuitState.Closed) return 'closed';
    return this.circuit.state === CircuitState.HalfOpen ? 'half-open' : 'open';
  }

  /** Until when the target asked to be sent nothing, milliseconds since the epoch; null where it does not. */
  heldUntilOf(now = Date.now()): number | null {
    return now < this.heldUntil ? this.heldUntil : null;
  }

  state(now = Date.now()): GateState {
    if (this.parkedFor !== null) return 'unauthorized';
    if (this.circuit.state !== CircuitState.Closed) return 'unreachable';
    return now < this.heldUntil ? 'throttled' : 'ok';
  }
}

/** True where nothing was sent, since the circuit is open. */
export const isCircuitOpen = (thrown: unknown): boolean => thrown instanceof BrokenCircuitError;
