import { asSyncError, type SyncError } from '@syncline/contracts';
import { type Logger, metrics } from '@syncline/runtime';
import { pollIsDue, type Store, takeLease } from '@syncline/store';
import { backoffMs, createBell, pause } from './backoff.js';
import type { Served } from './connection.js';
import { type KeptLease, keepLease } from './kept-lease.js';
import type { Pausing } from './pausing.js';
import { LeaseLost, type PollResult, pollOnce } from './poll.js';
import type { Sender } from './publish.js';
import { createSeenStates } from './seen.js';
import { firstSince } from './since.js';
import type { ConnectionStates } from './state.js';

/** What all pollers of a process share. */
export interface PollerOptions {
  store: Store;
  sender: Sender;
  log: Logger;
  states: ConnectionStates;
  pausing: Pausing;
  /** Names this process among those that share the work; new at every start. */
  holder: string;
  intervalMs: number;
  /** How long a poller that died keeps others waiting. */
  leaseMs: number;
  /** Longest pause after failures. */
  backoffMsMax: number;
  accepted(connection: string, receivedAt: number): void;
  signal: AbortSignal;
}

/** How one attempt to poll ended. */
export type PollOutcome =
  | ({ outcome: 'polled' } & PollResult)
  /** Another process polls, or did so less than an interval ago. */
  | { outcome: 'elsewhere' | 'notDue' | 'lost' }
  /** An operator has paused the connection, before or during the poll; it goes on where it stopped. */
  | { outcome: 'paused' }
  | { outcome: 'failed'; error: SyncError };

/** The poll loop of one (connection, noun). */
export interface Poller {
  readonly connection: string;
  readonly noun: string;
  /** True while it reads. */
  readonly busy: boolean;
  /** Polls now, also when none is due; after the one under way, if any. */
  now(): Promise<PollOutcome>;
  /** Ends a pause after failures: the connection works again. */
  wake(): void;
  /** A pause has ended: polls as soon as it can, also when none is due, for what webhooks have only named meanwhile. */
  resume(): void;
  /** Resolves when the loop has ended, after the signal was aborted. */
  readonly done: Promise<void>;
}

/** Starts polling one kind of object of one connection, again and again until the signal. */
export function startPoller(served: Served, noun: string, options: PollerOptions): Poller {
  const bell = createBell();
  const attempt = createAttempt(served, noun, options);
  let last: Promise<unknown> = Promise.resolve();
  let busy = false;
  const tracked = async (force: boolean): Promise<PollOutcome> => {
    busy = true;
    try {
      return await attempt(force);
    } finally {
      busy = false;
    }
  };
  const inTurn = (force: boolean): Promise<PollOutcome> => {
    const run = last.then(() => tracked(force));
    last = run;
    return run;
  };
  let resumed = false;
  const next = (): Promise<PollOutcome> => {
    const force = resumed;
    resumed = false;
    return inTurn(force);
  };
  const done = loop(served, noun, options, next, bell);
  return {
    connection: served.name,
    noun,
    get busy() {
      return busy;
    },
    now: () => inTurn(true),
    wake: () => bell.ring(),
    resume() {
      resumed = true;
      bell.ring();
    },
    done,
  };
}

async function loop(
  served: Served,
  noun: string,
  options: PollerOptions,
  poll: () => Promise<PollOutcome>,
  bell: ReturnType<typeof createBell>,
): Promise<void> {
  const { signal, states, intervalMs } = options;
  let failures = 0;
  while (!signal.aborted) {
    const wake = bell.next();
    if (states.parked(served.name) || options.pausing.paused(served.name)) {
      await pause(intervalMs, signal, wake);
      continue;
    }
    const outcome = await poll();
    if (outcome.outcome === 'failed') {
      // A source that asks us to wait has not failed: nothing is counted.
      if (outcome.error.kind !== 'throttled') failures++;
      await noteFailure(served.name, noun, outcome.error, failures, options);
      await pause(waitAfter(outcome.error, failures, options), signal, wake);
      continue;
    }
    if (outcome.outcome === 'polled' && states.get(served.name) !== 'connected')
      await states.set(served.name, 'connected', null);
    failures = 0;
    // Processes that share the work spread out by the jitter.
    const share = outcome.outcome === 'polled' ? 1 : 0.5 + Math.random() / 2;
    await pause(intervalMs * share, signal, wake);
  }
}

async function noteFailure(
  connection: string,
  noun: string,
  error: SyncError,
  failures: number,
  options: PollerOptions,
): Promise<void> {
  metrics.pollFailures.add(1, { connection, noun, kind: error.kind });
  const level = error.kind === 'throttled' || failures > 1 ? 'debug' : error.kind === 'defect' ? 'error' : 'warn';
  options.log[level]({ err: error, connection, noun, failures }, 'a poll failed');
  await options.states.failed(connection, error, failures);
}

function waitAfter(error: SyncError, failures: number, options: PollerOptions): number {
  const ownMs = backoffMs(Math.max(1, failures), { firstMs: 500, mostMs: options.backoffMsMax });
  // Never before the source's own wish, and not all at once after it.
  return error.retryAfterMs === undefined ? ownMs : error.retryAfterMs + backoffMs(0, { firstMs: 500, mostMs: 500 });
}

/** One attempt: lease, due, poll, release. Never throws. */
function createAttempt(served: Served, noun: string, options: PollerOptions): (force: boolean) => Promise<PollOutcome> {
  const { store, holder, leaseMs, log } = options;
  const name = `poll:${served.name}:${noun}`;
  const seen = createSeenStates();
  const since = firstSince(served.context.settings, Date.now());
  // Who polled last polls next, unless it is late: it knows which states of the overlap are published already.
  let mine = false;
  return async (force) => {
    let kept: KeptLease | null = null;
    try {
      if (options.signal.aborted) return { outcome: 'lost' };
      if (options.pausing.paused(served.name)) return { outcome: 'paused' };
      const patience = options.intervalMs * (mine ? 0.9 : 1.5);
      if (!force && !(await pollIsDue(store, served.name, noun, patience))) {
        mine = false;
        return { outcome: 'notDue' };
      }
      const token = await takeLease(store, { name, holder, ttlMs: leaseMs });
      if (token === null) return { outcome: 'elsewhere' };
      const untilPaused = options.pausing.signal(served.name);
      const ended = AbortSignal.any([options.signal, untilPaused]);
      kept = keepLease(store, { name, holder, token, ttlMs: leaseMs }, ended, log);
      const { sender, accepted } = options;
      const { signal } = kept;
      const result = await pollOnce({
        served,
        noun,
        token,
        firstSince: since,
        store,
        sender,
        seen,
        log,
        accepted,
        signal,
      });
      mine = true;
      return { outcome: 'polled', ...result };
    } catch (thrown) {
      if (thrown instanceof LeaseLost && options.pausing.paused(served.name)) return { outcome: 'paused' };
      if (thrown instanceof LeaseLost || options.signal.aborted) return { outcome: 'lost' };
      return { outcome: 'failed', error: asSyncError(thrown) };
    } finally {
      await kept?.release();
    }
  };
}
