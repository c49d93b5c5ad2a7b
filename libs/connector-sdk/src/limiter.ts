import { SyncError } from '@syncline/contracts';
import { type Priority, priorities } from './budget-allot.js';
import { type BudgetKeeper, ownBudgets } from './budget-keeper.js';
import type { Learned } from './learned.js';
import { Purse, type Wants } from './purse.js';

/** A connection's budget of requests: tokens by priority, a bound on requests under way, and pauses the provider asked for. */
export interface Limiter {
  /**
   * Resolves when a request may start; every acquire that resolved needs one `release`. Throws
   * `throttled` with the time to come back where the wait would be long, `transient` when the signal ends it.
   */
  acquire(signal: AbortSignal, request?: { priority?: Priority; cost?: number }): Promise<void>;
  /** The request has ended: the cost it was acquired with, and what the provider charged for it where it tells. */
  release(cost?: number, charged?: number): void;
  /** Nothing starts for this long: the provider said so. `refused` where it gave that for an answer to a request. */
  pause(forMs: number, refused?: boolean): void;
  /** What an answer said of the budget, for all who share it. */
  learn(learned: Learned): void;
  /** Gives back what was not used. */
  close(): Promise<void>;
}

export interface LimiterOptions {
  /** Where the budget is kept that all processes share (default: this limiter has one of its own). */
  readonly keeper?: BudgetKeeper | undefined;
  readonly connection?: string;
  /** Who asks, for operators. */
  readonly service?: string | undefined;
  readonly clock?: () => number;
}

/** How long a request may stand in line before its caller is told to come back later, in milliseconds. */
const waitMsMax = 10_000;
/** Requests that may stand in line at once. */
const waitersMax = 1_000;

interface Waiter {
  readonly priority: Priority;
  readonly cost: number;
  readonly start: () => void;
  readonly refuse: (error: SyncError) => void;
}

const throttled = (retryAfterMs: number): SyncError =>
  new SyncError('throttled', "the connection's request budget is spent for now", {
    retryAfterMs: Math.max(100, Math.ceil(retryAfterMs)),
  });

const stopping = (): SyncError => new SyncError('transient', 'the service is stopping');

/** Requests in line, each priority in its own order of arrival. */
function createLine() {
  const lines: Record<Priority, Waiter[]> = { webhook: [], poll: [], write: [], backfill: [] };
  return {
    add: (waiter: Waiter): void => void lines[waiter.priority].push(waiter),
    drop: (waiter: Waiter): void => {
      const line = lines[waiter.priority];
      const place = line.indexOf(waiter);
      if (place >= 0) line.splice(place, 1);
    },
    first: (priority: Priority): Waiter | undefined => lines[priority][0],
    all: (): Waiter[] => priorities.flatMap((p) => lines[p]),
    /** What the first so many of them cost. */
    wants: (most: number): Wants => {
      const wants: Wants = {};
      let room = most;
      for (const p of priorities) {
        const some = lines[p].slice(0, Math.max(0, room));
        room -= some.length;
        const [first] = some;
        if (first) wants[p] = { next: first.cost, queued: some.reduce((sum, w) => sum + w.cost, 0) };
      }
      return wants;
    },
  };
}

/** Stands in line until it is this one's turn. Throws where that takes too long, or the signal ends it. */
function stand(
  line: ReturnType<typeof createLine>,
  signal: AbortSignal,
  request: Pick<Waiter, 'priority' | 'cost'>,
  backInMs: () => number,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const leave = (): void => {
      clearTimeout(patience);
      signal.removeEventListener('abort', onAbort);
      line.drop(waiter);
    };
    const refuse = (error: SyncError): void => {
      leave();
      reject(error);
    };
    const start = (): void => {
      leave();
      resolve();
    };
    const onAbort = (): void => refuse(stopping());
    const patience = setTimeout(() => refuse(throttled(backInMs())), waitMsMax);
    const waiter: Waiter = { ...request, start, refuse };
    signal.addEventListener('abort', onAbort, { once: true });
    line.add(waiter);
  });
}

/**
 * Keeps one connection within its budget and `concurrency` (of this process). Waits are bounded: a request that stood in line
 * for ten seconds is refused as `throttled` with the time to come back, so nothing is held longer.
 */
export function createLimiter(
  limits: { perSecond: number; burst: number; concurrency: number },
  { keeper, connection = '', service = '', clock = () => performance.now() }: LimiterOptions = {},
): Limiter {
  const line = createLine();
  let pausedUntil = 0;
  let active = 0;
  let timer: NodeJS.Timeout | undefined;

  const pump = (): void => {
    clearTimeout(timer);
    const now = clock();
    pausedUntil = Math.max(pausedUntil, purse.pausedUntil);
    const waiting = line.all();
    if (waiting.length === 0) return;
    if (now < pausedUntil) {
      if (pausedUntil - now > waitMsMax) for (const w of waiting) w.refuse(throttled(pausedUntil - now));
      else timer = setTimeout(pump, Math.ceil(pausedUntil - now));
      return;
    }
    for (const p of priorities)
      for (let w = line.first(p); w && active < limits.concurrency && purse.take(p, w.cost); w = line.first(p)) {
        active += 1;
        w.start();
      }
    if (active < limits.concurrency && line.all().length > 0) purse.want();
  };
  const purse = new Purse({
    keeper: keeper ?? ownBudgets(clock),
    connection,
    service,
    declared: { perSecond: limits.perSecond, burst: limits.burst },
    clock,
    demand: () => (clock() < pausedUntil ? {} : line.wants(limits.concurrency - active)),
    changed: pump,
  });

  const acquire: Limiter['acquire'] = async (signal, { priority = 'write', cost = 1 } = {}) => {
    if (signal.aborted) throw stopping();
    const pausedMs = Math.max(pausedUntil, purse.pausedUntil) - clock();
    if (pausedMs > waitMsMax) throw throttled(pausedMs);
    if (line.all().length >= waitersMax) throw throttled(purse.backInMs);
    const started = stand(line, signal, { priority, cost }, () => purse.backInMs);
    pump();
    await started;
  };

  return {
    acquire,
    release: (cost = 1, charged = cost) => {
      active -= 1;
      purse.settle(cost, charged);
      pump();
    },
    pause: (forMs, refused = false) => {
      pausedUntil = Math.max(pausedUntil, clock() + forMs);
      purse.tell({ pauseMs: forMs, refused });
      pump();
    },
    learn: (learned) => {
      if (learned.pauseMs) pausedUntil = Math.max(pausedUntil, clock() + learned.pauseMs);
      purse.tell(learned);
      pump();
    },
    close: () => {
      clearTimeout(timer);
      return purse.close();
    },
  };
}
