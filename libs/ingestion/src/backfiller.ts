import { asSyncError, type SyncError } from '@syncline/contracts';
import type { Logger } from '@syncline/runtime';
import {
  type BackfillRow,
  claimBackfill,
  endBackfill,
  readBackfills,
  type Store,
  saveBackfill,
  takeLease,
} from '@syncline/store';
import { runBackfill } from './backfill.js';
import { backoffMs, createBell, pause } from './backoff.js';
import type { Served } from './connection.js';
import { gentle } from './gentle.js';
import { type KeptLease, keepLease } from './kept-lease.js';
import type { Pausing } from './pausing.js';
import { LeaseLost } from './poll.js';
import type { Sender } from './publish.js';
import type { ConnectionStates } from './state.js';

/** Refusals in a row after which a backfill has failed: what passes by itself is waited out however often it comes. */
const refusalsMax = 3;
const isPassing = ({ kind }: SyncError): boolean => ['transient', 'throttled', 'unauthorized'].includes(kind);

export interface BackfillerOptions {
  connections: readonly Served[];
  store: Store;
  sender: Sender;
  log: Logger;
  states: ConnectionStates;
  pausing: Pausing;
  holder: string;
  /** Share of a connection's requests per second. */
  share: number;
  leaseMs: number;
  backoffMsMax: number;
  /** Pause between looks for backfills that another process left. */
  lookMs: number;
  accepted(connection: string, receivedAt: number): void;
  signal: AbortSignal;
}

/** Works on the backfills of this process's connections. */
export interface Backfiller {
  /** Looks now: there is a new one. */
  wake(): void;
  readonly done: Promise<void>;
}

/**
 * Starts working on every backfill that is not done, one process at a time each: those asked for here, and those that a
 * process which is gone left behind, from where they were.
 */
export function startBackfiller(options: BackfillerOptions): Backfiller {
  const { connections, store, log, signal, lookMs } = options;
  const bell = createBell();
  const byName = new Map(connections.map((c) => [c.name, c]));
  // One pace per connection, however many of its nouns are read.
  const paces = new Map(
    connections.map((c) => {
      const perSecond = c.connector.limits.perSecond * options.share;
      return [c.name, gentle(c.at('backfill'), perSecond, signal, () => options.pausing.paused(c.name))];
    }),
  );
  const working = new Map<number, Promise<void>>();
  const look = async () => {
    for (const row of await readBackfills(store, [...byName.keys()])) {
      const served = byName.get(row.connection);
      if (row.state !== 'running' || working.has(row.id) || !served) continue;
      const work = persist(row, served, paces.get(row.connection)!, options).finally(() => working.delete(row.id));
      working.set(row.id, work);
    }
  };
  const loop = async () => {
    while (!signal.aborted) {
      const woken = bell.next();
      await look().catch((err) => log.debug({ err }, 'backfills cannot be looked for now'));
      await pause(lookMs, signal, woken);
    }
    await Promise.all(working.values());
  };
  return { wake: () => bell.ring(), done: loop() };
}

/** Works on one backfill until it has ended, was cancelled or is another process's. Never throws. */
async function persist(
  row: BackfillRow,
  served: Served,
  context: Served['context'],
  options: BackfillerOptions,
): Promise<void> {
  const { signal, states, log } = options;
  let pausedAt = performance.now();
  let refusals = 0;
  for (let failures = 0; !signal.aborted; ) {
    const so = { refusals, pausedAt };
    const failure = states.parked(served.name) ? 'parked' : await attempt(row, served, context, options, so);
    if (failure === 'ended') return;
    if (failure === 'parked') {
      await pause(options.lookMs, signal);
      continue;
    }
    const { error, moved } = failure;
    pausedAt = performance.now();
    // A source that asks us to wait has not failed.
    if (error.kind !== 'throttled') failures = moved ? 1 : failures + 1;
    refusals = isPassing(error) || moved ? 0 : refusals + 1;
    log[error.kind === 'throttled' ? 'debug' : 'warn'](
      { err: error, connection: row.connection, noun: row.noun, failures },
      'a backfill was interrupted',
    );
    await states.failed(served.name, error, 0);
    const ownMs = backoffMs(Math.max(1, failures), { firstMs: 500, mostMs: options.backoffMsMax });
    await pause((error.retryAfterMs ?? 0) + ownMs, signal);
  }
}

type Attempted = 'ended' | { error: SyncError; moved: boolean };

async function attempt(
  { id }: BackfillRow,
  served: Served,
  context: Served['context'],
  options: BackfillerOptions,
  so: { refusals: number; pausedAt: number },
): Promise<Attempted> {
  const { store, holder, leaseMs: ttlMs, log } = options;
  const name = `backfill:${id}`;
  let token: number | null = null;
  let kept: KeptLease | null = null;
  let row: BackfillRow | null = null;
  let before = 0;
  try {
    token = await takeLease(store, { name, holder, ttlMs });
    if (token === null) return 'ended';
    kept = keepLease(store, { name, holder, token, ttlMs }, options.signal, log);
    row = await claimBackfill(store, id, token);
    if (row === null) return 'ended';
    before = row.found + row.missing;
    row.activeMs += performance.now() - so.pausedAt;
    const { sender, accepted } = options;
    await runBackfill({ row, token, served, context, store, sender, accepted, log, signal: kept.signal });
    const { connection, noun, found, published, missing, dryRun } = row;
    log.info({ connection, noun, found, published, missing, dryRun }, 'a backfill is done');
    return 'ended';
  } catch (thrown) {
    if (thrown instanceof LeaseLost || kept?.signal.aborted) return 'ended';
    const error = asSyncError(thrown);
    const moved = row !== null && row.found + row.missing > before;
    const forGood = !isPassing(error) && so.refusals + 1 >= refusalsMax;
    if (row && token !== null && (await note(store, row, token, error, forGood))) return 'ended';
    return { error, moved };
  } finally {
    await kept?.release();
  }
}

/** Writes down why a backfill does not go on; true where that ended it. */
async function note(
  store: Store,
  row: BackfillRow,
  token: number,
  error: SyncError,
  forGood: boolean,
): Promise<boolean> {
  try {
    if (forGood) return await endBackfill(store, row.id, token, 'failed', error.message);
    return !(await saveBackfill(store, row.id, token, { ...row, reason: error.message }));
  } catch {
    return false; // said again at the next failure, when the store is back
  }
}
