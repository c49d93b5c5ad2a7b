import { allot, type Grants, type Priority, priorities, type Want } from './budget-allot.js';

/** A provider's bucket: what it gains a second, and what it holds when full. Units are requests, or the provider's points. */
export interface BudgetLimit {
  readonly perSecond: number;
  readonly burst: number;
}

interface Holder {
  readonly service: string;
  readonly seenAt: number;
  /** Tokens in hand and in requests under way, which the provider may not have counted yet; meaningless after `heldUntil`. */
  readonly held: number;
  readonly heldUntil: number;
  readonly wants: Readonly<Partial<Record<Priority, Want & { since: number; until: number }>>>;
}

/** A connection's budget as all its processes share it. Times are milliseconds of the keeper's one clock. */
export interface BudgetState {
  readonly limit: BudgetLimit;
  /** True where the limit is the provider's own word, not the connector's guess. */
  readonly learned: boolean;
  /** Share of the limit in force: halved by each refusal of a provider that tells no figures. */
  readonly factor: number;
  readonly cutAt: number;
  /** Tokens there are to give. Below zero where a request cost more than the bucket holds. */
  readonly level: number;
  readonly at: number;
  readonly pausedUntil: number;
  /** What lower priorities have waiting for them in tokens, so that none starves. */
  readonly credit: Readonly<Record<Priority, number>>;
  readonly holders: Readonly<Record<string, Holder>>;
}

/** What a process tells the budget, and wants of it. */
export interface BudgetAsk {
  readonly holder: string;
  readonly service: string;
  /** The connector's figures, in force until the provider tells its own. */
  readonly declared: BudgetLimit;
  readonly wants: Readonly<Partial<Record<Priority, Want>>>;
  /** How much the process would take beyond what stands in line, where nobody else waits. */
  readonly ahead: number;
  /** Tokens that were not used; below zero where requests cost more than was taken for them. */
  readonly giveBack: number;
  /** Tokens of requests under way. */
  readonly held: number;
  /** What the provider said of its bucket since the last time. */
  readonly limit?: BudgetLimit;
  readonly available?: number;
  readonly pauseMs?: number;
  /** The provider refused a request for its rate. */
  readonly refused?: boolean;
  /** The process ends. */
  readonly leaving?: boolean;
}

export interface BudgetAnswer {
  readonly granted: Grants;
  /** For how long the tokens may be used, and when to ask again for what was not granted. */
  readonly leaseMs: number;
  readonly waitMs: number;
  readonly pausedMs: number;
  /** The limit in force and how many processes share it: what a process may go on with alone. */
  readonly limit: BudgetLimit;
  readonly sharers: number;
}

/** A wait that nobody came back for is forgotten this long after its time: its process is gone. */
const graceMs = 1_000;
/** A request may be under way for so long after its token's lease. */
const underWayMs = 5_000;
/** A process that says nothing is counted among those that share for this long. */
const presenceMsMax = 180_000;
/** After this long without any word the database may have been away, and every process on its own half share. */
const silenceMs = 2_000;
const waitMsMin = 10;
const waitMsMax = 500;
const factorMin = 1 / 16;
const recoveryMs = 180_000;

const none: Grants = { webhook: 0, poll: 0, write: 0, backfill: 0 };
const clamp = (value: number, min: number, max: number): number => Math.min(max, Math.max(min, value));

/**
 * How much may be saved up, in tokens. Half of what the provider's bucket holds stays unused: a token that is used late (up to
 * `leaseMs`) and a request that travels slowly arrive with those that came after them, and must not be too many then.
 */
export const savedMax = (limit: BudgetLimit): number => Math.max(1, limit.burst / 2);

/** How long granted tokens may be used, in milliseconds: a quarter of the bucket is gained in that time. */
export const leaseMsOf = (limit: BudgetLimit): number => clamp((250 * limit.burst) / limit.perSecond, 25, 1_000);

/** The limit in force at a time: after a refusal it is won back within three minutes. */
function inForce(state: BudgetState, now: number): BudgetLimit {
  const factor = Math.min(1, state.factor + Math.max(0, now - state.cutAt) / recoveryMs);
  return { perSecond: state.limit.perSecond * factor, burst: state.limit.burst };
}

function fresh(declared: BudgetLimit, now: number): BudgetState {
  const level = savedMax(declared);
  return {
    limit: declared,
    learned: false,
    factor: 1,
    cutAt: now - recoveryMs,
    level,
    at: now,
    pausedUntil: 0,
    credit: none,
    holders: {},
  };
}

/** The level after the time that passed. A long silence counts half: in an outage of the keeper the other half was spent. */
function refilled(state: BudgetState, now: number): number {
  const limit = inForce(state, now);
  const passed = Math.max(0, now - state.at);
  const counted = Math.min(passed, silenceMs) + Math.max(0, passed - silenceMs) / 2;
  return Math.min(savedMax(state.limit), state.level + (counted / 1000) * limit.perSecond);
}

/** Only those who are still there: processes, and among what they wait for what they can still come back for. */
function present(holders: BudgetState['holders'], now: number): Record<string, Holder> {
  const kept = Object.entries(holders).filter(([, h]) => h.seenAt > now - presenceMsMax);
  return Object.fromEntries(
    kept.map(([name, h]) => {
      const wants = Object.entries(h.wants).filter(([, w]) => w.until > now);
      return [name, { ...h, held: h.heldUntil > now ? h.held : 0, wants: Object.fromEntries(wants) }];
    }),
  );
}

/** Takes in what the provider said through this process. */
function told(state: BudgetState, ask: BudgetAsk, now: number): BudgetState {
  const limit = ask.limit ?? (state.learned ? state.limit : ask.declared);
  const learned = state.learned || ask.limit !== undefined;
  let level = Math.min(savedMax(limit), state.level + ask.giveBack);
  if (ask.available !== undefined) {
    // What others hold may or may not be counted in the provider's figure; only the lower reading is safe.
    const held = Object.entries(state.holders).reduce((sum, [name, h]) => sum + (name === ask.holder ? 0 : h.held), 0);
    level = Math.min(level, ask.available - held - ask.held);
  }
  if (ask.refused || (ask.pauseMs ?? 0) > 0) level = Math.min(level, 0);
  const pausedUntil = Math.max(state.pausedUntil, now + (ask.pauseMs ?? 0));
  const before = Math.min(1, state.factor + Math.max(0, now - state.cutAt) / recoveryMs);
  // Requests that were under way together are refused together: that is one refusal.
  const cut = ask.refused && !learned && now - state.cutAt > 1_000;
  const factor = learned ? 1 : cut ? Math.max(factorMin, before / 2) : state.factor;
  return { ...state, limit, learned, level, pausedUntil, factor, cutAt: cut ? now : state.cutAt };
}

/**
 * One turn of a process with its connection's budget: tells what it learned and gave back, and takes what is due to it now.
 * Pure; whoever keeps the state runs turns one after the other. Tokens due to others, by priority and by the time they have
 * waited, are left for them.
 */
export function stepBudget(
  state: BudgetState | null,
  now: number,
  ask: BudgetAsk,
): { state: BudgetState; answer: BudgetAnswer } {
  const before = state ?? fresh(ask.declared, now);
  const at = Math.max(before.at, now);
  const s = told({ ...before, level: refilled(before, now), at, holders: present(before.holders, now) }, ask, now);
  const limit = inForce(s, now);
  const leaseMs = leaseMsOf(limit);
  const pausedMs = Math.max(0, s.pausedUntil - now);
  const own = s.holders[ask.holder];
  const wants = Object.entries(ask.wants).map(
    ([p, w]) => [p, { ...w, since: own?.wants[p as Priority]?.since ?? now, until: now + graceMs }] as const,
  );
  const me = { service: ask.service, seenAt: now, held: 0, heldUntil: 0, wants: Object.fromEntries(wants) };
  const holders: Record<string, Holder> = { ...s.holders, [ask.holder]: me };
  const due =
    pausedMs > 0 || ask.leaving
      ? { granted: none, credit: s.credit, lacking: 0 }
      : allot({ level: s.level, full: savedMax(s.limit), credit: s.credit, holders }, ask.holder, {
          ahead: ask.ahead,
          horizon: (limit.perSecond * waitMsMax) / 1000,
        });
  const granted = priorities.reduce((sum, p) => sum + due.granted[p], 0);
  const waitMs =
    pausedMs > 0 ? Math.min(pausedMs, 2_000) : clamp((due.lacking / limit.perSecond) * 1000, waitMsMin, waitMsMax);
  const left = wants.flatMap(([p, w]) => {
    const queued = w.queued - due.granted[p as Priority];
    // Who was given something goes to the end of the line.
    const since = queued < w.queued ? now : w.since;
    return queued > 0 ? [[p, { ...w, queued, since, until: now + waitMs + graceMs }]] : [];
  });
  const held = ask.held + granted;
  if (ask.leaving) delete holders[ask.holder];
  else holders[ask.holder] = { ...me, held, heldUntil: now + leaseMs + underWayMs, wants: Object.fromEntries(left) };
  return {
    state: { ...s, level: s.level - granted, credit: due.credit, holders },
    answer: { granted: due.granted, leaseMs, waitMs, pausedMs, limit, sharers: Object.keys(holders).length },
  };
}

/** A connection's budget as an operator sees it. */
export interface BudgetView {
  available: number;
  perSecond: number;
  burst: number;
  /** True where the limit is the provider's own word. */
  learned: boolean;
  pausedMs: number;
  /** Who waits for how many tokens, for how long. */
  waiting: { service: string; priority: Priority; tokens: number; forMs: number }[];
  /** Processes that share it. */
  sharers: number;
}

/** What there is to say of a budget now. */
export function viewBudget(state: BudgetState, now: number): BudgetView {
  const holders = Object.values(present(state.holders, now));
  const waiting = holders.flatMap((h) =>
    priorities.flatMap((priority) => {
      const want = h.wants[priority];
      return want ? [{ service: h.service, priority, tokens: want.queued, forMs: Math.max(0, now - want.since) }] : [];
    }),
  );
  return {
    available: Math.max(0, Math.floor(refilled(state, now))),
    ...inForce(state, now),
    learned: state.learned,
    pausedMs: Math.max(0, state.pausedUntil - now),
    waiting,
    sharers: holders.length,
  };
}
