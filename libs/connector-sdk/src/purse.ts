import { type BudgetAnswer, type BudgetAsk, type BudgetLimit, leaseMsOf, stepBudget } from './budget.js';
import { type Priority, priorities, type Want } from './budget-allot.js';
import { type BudgetKeeper, turnInTime } from './budget-keeper.js';
import type { Learned } from './learned.js';

/** Whose tokens a purse holds. */
export interface PurseOptions {
  readonly keeper: BudgetKeeper;
  readonly connection: string;
  /** Shown to operators as who waits. */
  readonly service: string;
  /** The connector's figures, in force until the provider tells its own. */
  readonly declared: BudgetLimit;
  readonly clock: () => number;
  /** What stands in line now. */
  readonly demand: () => Wants;
  /** Something came, or it is time to ask again: whoever waits may try. */
  readonly changed: () => void;
}

export type Wants = Partial<Record<Priority, Want>>;

/** Tries go on for this long before the process takes its own share; the budget reckons with that (see `stepBudget`). */
const patienceMs = 2_000;
const retryMs = 500;
const scarceMs = 20;
/** How long a process looks at its own spending to tell its rate. */
const rateMs = 250;
/** How often a process that asks for nothing shows that it is there. */
const presenceMs = 30_000;
/** How many share a connection, for a process that never heard. */
const sharersAssumed = 4;

/**
 * The tokens this process holds of a connection's budget: taken in small leases, so that a busy process asks some times a second
 * and not once a request. Where the keeper is away it goes on with half of its share of the last known limit, one request at a
 * time, and with no more than the other processes leave when they do the same.
 */
export class Purse {
  readonly #holder = crypto.randomUUID();
  #hand: Record<Priority, number> = { webhook: 0, poll: 0, write: 0, backfill: 0 };
  #handUntil = 0;
  #underWay = 0;
  #giveBack = 0;
  #told: Pick<BudgetAsk, 'limit' | 'available' | 'refused'> = {};
  #pausedByUs = 0;
  #urgent = false;
  #asking: Promise<void> | null = null;
  #askAt = 0;
  #askedFor: Wants = {};
  #limit: BudgetLimit;
  #leaseMs: number;
  #sharers = sharersAssumed;
  #recent = { from: 0, tokens: 0, rate: 0 };
  #awaySince: number | null = null;
  #alone = { tokens: 0, at: 0, spent: 0 };
  #waking: NodeJS.Timeout | undefined;
  #wakingAt = Number.POSITIVE_INFINITY;
  #flushing: NodeJS.Timeout | undefined;
  #presence: NodeJS.Timeout | undefined;
  #closed = false;
  /** Nothing may be sent before this time of the clock: the provider told another process so. */
  pausedUntil = 0;

  constructor(private readonly options: PurseOptions) {
    this.#limit = options.declared;
    this.#leaseMs = leaseMsOf(options.declared);
  }

  /** Spends tokens on a request that starts now; false where there are not enough. */
  take(priority: Priority, cost: number): boolean {
    const now = this.options.clock();
    if (this.#hand[priority] >= cost && now < this.#handUntil) this.#hand[priority] -= cost;
    else if (!this.#takeAlone(now, cost)) return false;
    this.#underWay += cost;
    this.#count(now, cost);
    return true;
  }

  /** A request has ended that was paid for like this, and the provider charged it like that. */
  settle(paid: number, charged: number): void {
    this.#underWay -= paid;
    this.#giveBack += paid - charged;
    this.#flushLater();
  }

  /** Passes on what an answer said. What changes matters for all at once goes out at once. */
  tell(learned: Pick<Learned, 'limit' | 'available' | 'pauseMs'> & { refused?: boolean }): void {
    const { limit, available, pauseMs = 0, refused } = learned;
    const changes = limit && (limit.perSecond !== this.#limit.perSecond || limit.burst !== this.#limit.burst);
    this.#told = {
      ...this.#told,
      ...(limit ? { limit } : {}),
      ...(available === undefined ? {} : { available }),
      ...(refused ? { refused } : {}),
    };
    this.#pausedByUs = Math.max(this.#pausedByUs, this.options.clock() + pauseMs);
    if (changes || pauseMs > 0 || refused) {
      this.#urgent = true;
      void this.#ask();
    } else this.#flushLater();
  }

  /** Asks for what stands in line, unless that was done a moment ago; `changed` is called when there is something new. */
  want(): void {
    if (this.#asking) return;
    const wants = this.options.demand();
    const news = priorities.some((p) => wants[p] && !this.#askedFor[p]);
    if (news || this.options.clock() >= this.#askAt) void this.#ask();
    else this.#wakeAt(this.#askAt);
  }

  /** When to come back, for a caller that cannot wait longer, in milliseconds. */
  get backInMs(): number {
    const now = this.options.clock();
    return Math.max(this.#askAt - now, this.pausedUntil - now, 1_000);
  }

  /** Gives everything back and leaves. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const timer of [this.#waking, this.#flushing, this.#presence]) clearTimeout(timer);
    await this.#asking;
    if (this.#presence !== undefined) await this.#ask(true);
  }

  #ask(leaving = false): Promise<void> {
    this.#asking ??= this.#exchange(leaving).finally(() => {
      this.#asking = null;
      if (this.#closed) return;
      // What came up while the last turn was under way did not go with it.
      if (this.#urgent && this.#awaySince === null) void this.#ask();
      this.options.changed();
    });
    return this.#asking;
  }

  async #exchange(leaving: boolean): Promise<void> {
    const { keeper, connection, clock } = this.options;
    const askedAt = clock();
    this.#showPresence();
    const ask = this.#emptied(askedAt, leaving);
    try {
      this.#receive(await turnInTime(keeper, connection, (state, now) => stepBudget(state, now, ask)), askedAt);
    } catch {
      // Whether the turn was taken is unknown: tokens given back twice would be too many, tokens lost come back with time.
      this.#giveBack += Math.min(0, ask.giveBack);
      const { limit, available, refused } = ask;
      this.#told = { ...(limit ? { limit } : {}), ...(available === undefined ? {} : { available }), ...this.#told };
      if (refused) this.#told = { ...this.#told, refused };
      this.#awaySince ??= askedAt;
      if (!leaving) this.#flushLater();
      this.#askAt = clock() + retryMs;
    }
  }

  /** All that is to be told, with the whole hand: what comes back for it has one age. */
  #emptied(now: number, leaving: boolean): BudgetAsk {
    const { service, declared } = this.options;
    const wants = leaving ? {} : this.options.demand();
    const inHand = priorities.reduce((sum, p) => sum + this.#hand[p], 0);
    const ask: BudgetAsk = {
      holder: this.#holder,
      service,
      declared,
      wants,
      ahead: (this.#recent.rate * this.#leaseMs) / 1000,
      giveBack: this.#giveBack + inHand - this.#alone.spent,
      held: this.#underWay,
      ...this.#told,
      ...(this.#pausedByUs > now ? { pauseMs: this.#pausedByUs - now } : {}),
      ...(leaving ? { leaving } : {}),
    };
    this.#hand = { webhook: 0, poll: 0, write: 0, backfill: 0 };
    this.#giveBack = 0;
    this.#alone.spent = 0;
    this.#told = {};
    this.#urgent = false;
    this.#askedFor = wants;
    return ask;
  }

  #receive(answer: BudgetAnswer, askedAt: number): void {
    const now = this.options.clock();
    this.#awaySince = null;
    this.#alone = { tokens: 0, at: now, spent: 0 };
    this.#hand = { ...answer.granted };
    this.#handUntil = askedAt + answer.leaseMs;
    this.#leaseMs = answer.leaseMs;
    this.#limit = answer.limit;
    this.#sharers = answer.sharers;
    this.#askAt = now + answer.waitMs;
    this.pausedUntil = answer.pausedMs > 0 ? now + answer.pausedMs : 0;
    if (priorities.some((p) => answer.granted[p] > 0)) {
      // Who was given all it wanted may ask again as soon as that is spent; where tokens are scarce they are taken by the handful.
      const short = priorities.some((p) => answer.granted[p] < (this.#askedFor[p]?.queued ?? 0));
      this.#askAt = short ? now + Math.max(answer.waitMs, scarceMs) : now;
      this.#flushLater();
    }
  }

  /** With the keeper away: half of an equal share, saved up for one request at most. */
  #takeAlone(now: number, cost: number): boolean {
    if (this.#awaySince === null || now < this.#awaySince + patienceMs) return false;
    const perMs = this.#limit.perSecond / 2 / Math.max(1, this.#sharers) / 1000;
    const alone = this.#alone;
    const from = Math.max(alone.at, this.#awaySince + patienceMs);
    alone.tokens = Math.min(cost, alone.tokens + (now - from) * perMs);
    alone.at = now;
    if (alone.tokens < cost) {
      this.#wakeAt(now + (cost - alone.tokens) / perMs);
      return false;
    }
    alone.tokens -= cost;
    alone.spent += cost;
    return true;
  }

  /** The rate at which this process spends: what it takes ahead. */
  #count(now: number, cost: number): void {
    const recent = this.#recent;
    const passed = now - recent.from;
    if (passed > rateMs)
      this.#recent = { from: now, tokens: cost, rate: passed > 8 * rateMs ? 0 : (recent.tokens / passed) * 1000 };
    else recent.tokens += cost;
  }

  /** Calls `changed` then, or earlier where that was wanted already. */
  #wakeAt(at: number): void {
    if (this.#wakingAt <= at) return;
    clearTimeout(this.#waking);
    this.#wakingAt = at;
    const wake = (): void => {
      this.#wakingAt = Number.POSITIVE_INFINITY;
      this.options.changed();
    };
    this.#waking = setTimeout(wake, Math.max(1, Math.ceil(at - this.options.clock())));
  }

  /** What is left when a lease ends goes back, and what was learned goes out, without anybody's asking. */
  #flushLater(): void {
    if (this.#closed) return;
    clearTimeout(this.#flushing);
    this.#flushing = setTimeout(() => {
      const left = priorities.some((p) => this.#hand[p] > 0) || this.#giveBack !== 0;
      if (left || Object.keys(this.#told).length > 0) void this.#ask();
    }, this.#leaseMs);
    this.#flushing.unref();
  }

  #showPresence(): void {
    if (this.#presence !== undefined || this.#closed) return;
    this.#presence = setInterval(() => void this.#ask(), presenceMs);
    this.#presence.unref();
  }
}
