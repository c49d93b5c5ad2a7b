import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type BudgetAsk, type BudgetState, leaseMsOf, savedMax, stepBudget, viewBudget } from './budget.js';
import { type Priority, priorities } from './budget-allot.js';

const limit = { perSecond: 40, burst: 40 };
const ask = (holder: string, more: Partial<BudgetAsk> = {}): BudgetAsk => ({
  holder,
  service: `service-${holder}`,
  declared: limit,
  wants: {},
  ahead: 0,
  giveBack: 0,
  held: 0,
  ...more,
});
const wants = (priority: Priority, queued: number, next = 1) => ({ wants: { [priority]: { next, queued } } });

/** A budget with a hand-turned clock. */
function budget(declared = limit) {
  let state: BudgetState | null = null;
  let now = 1_000_000;
  return {
    pass: (ms: number) => {
      now += ms;
    },
    turn: (holder: string, more: Partial<BudgetAsk> = {}) => {
      const next = stepBudget(state, now, ask(holder, { declared, ...more }));
      state = next.state;
      return next.answer;
    },
    view: () => viewBudget(state as BudgetState, now),
  };
}

const total = (granted: Readonly<Record<Priority, number>>) => priorities.reduce((sum, p) => sum + granted[p], 0);

describe('the budget of a connection', () => {
  it('gives half of the bucket at once, and then what it gains', () => {
    const b = budget();
    expect(b.turn('a', wants('write', 100)).granted.write).toBe(20);
    expect(b.turn('a', wants('write', 80))).toMatchObject({ granted: { write: 0 }, waitMs: 25 });
    b.pass(500);
    expect(b.turn('a', wants('write', 80)).granted.write).toBe(20);
  });

  it('leaves to others what is due to them first', () => {
    const b = budget();
    b.turn('writer', wants('write', 20));
    b.turn('reader', wants('webhook', 3));
    b.pass(100);
    expect(b.turn('writer', wants('write', 20)).granted.write).toBe(1);
    expect(b.turn('reader', wants('webhook', 3)).granted.webhook).toBe(3);
  });

  it('gives equals the same, one request each in turn', () => {
    const b = budget();
    b.turn('z', wants('backfill', 20));
    b.turn('a', wants('write', 30));
    b.turn('b', wants('write', 30));
    const got = { a: 0, b: 0 };
    for (let n = 0; n < 40; n += 1)
      for (const who of ['a', 'b'] as const) {
        b.pass(50);
        got[who] += b.turn(who, wants('write', 30)).granted.write;
      }
    expect(got.a + got.b).toBeGreaterThanOrEqual(158);
    expect(Math.abs(got.a - got.b)).toBeLessThanOrEqual(3);
  });

  it('starts a request that costs more than it holds, once it is full, and pays it off', () => {
    const b = budget();
    expect(b.turn('a', wants('poll', 35, 35)).granted.poll).toBe(35);
    expect(b.turn('a', wants('poll', 35, 35))).toMatchObject({ granted: { poll: 0 } });
    for (let ms = 0; ms < 850; ms += 10) {
      b.pass(10);
      expect(b.turn('a', wants('poll', 35, 35)).granted.poll).toBe(0);
    }
    b.pass(50);
    expect(b.turn('a', wants('poll', 35, 35)).granted.poll).toBe(35);
  });

  it('forgets what a process wanted that does not come back, and what it held', () => {
    const b = budget();
    b.turn('gone', wants('webhook', 20));
    b.turn('gone', wants('webhook', 1_000));
    expect(b.view().waiting).toMatchObject([{ service: 'service-gone', priority: 'webhook', tokens: 1_000 }]);
    b.pass(500);
    expect(b.turn('a', wants('write', 20)).granted.write).toBeLessThanOrEqual(3);
    b.pass(1_200);
    expect(b.turn('a', wants('write', 20)).granted.write).toBe(20);
    // The provider says 30 are left: while the dead one's 20 may be on their way, only 10 of them count.
    expect(b.view().waiting).toEqual([]);
    b.pass(10_000);
    b.turn('a', { available: 15 });
    expect(b.view().available).toBe(15);
  });

  it("reckons with what is held when the provider's figure is lower than ours", () => {
    const b = budget();
    b.turn('a', wants('write', 10));
    b.turn('b', { available: 15 });
    expect(b.view().available).toBe(5);
    b.turn('b', { available: 1_000 });
    expect(b.view().available).toBe(5);
  });

  it('counts a long silence half: everyone may have gone on alone in it', () => {
    const slow = budget({ perSecond: 2, burst: 100 });
    slow.turn('a', wants('write', 50));
    slow.pass(12_000);
    expect(slow.turn('a', wants('write', 50)).granted.write).toBe(14);
  });

  it("takes the provider's limit for all, and keeps it", () => {
    const b = budget();
    b.turn('a');
    expect(b.turn('b', { limit: { perSecond: 4, burst: 8 } }).limit).toEqual({ perSecond: 4, burst: 8 });
    expect(b.turn('a', wants('write', 50))).toMatchObject({ granted: { write: 4 }, limit: { perSecond: 4 } });
    expect(b.view()).toMatchObject({ learned: true, perSecond: 4, burst: 8, sharers: 2 });
  });

  it('halves the rate at each refusal of a provider without figures, and wins it back', () => {
    const b = budget();
    expect(b.turn('a', { refused: true, pauseMs: 2_000 })).toMatchObject({ pausedMs: 2_000, limit: { perSecond: 20 } });
    b.pass(10);
    expect(b.turn('b', { refused: true }).limit.perSecond).toBeCloseTo(20, 1);
    expect(b.turn('b', wants('webhook', 1))).toMatchObject({ granted: { webhook: 0 } });
    b.pass(5_000);
    expect(b.turn('b', { refused: true }).limit.perSecond).toBeLessThan(11);
    b.pass(180_000);
    expect(b.turn('b').limit.perSecond).toBe(40);
  });

  it('does not take a refusal for news where the provider tells its figures', () => {
    const b = budget();
    b.turn('a', { limit });
    expect(b.turn('a', { refused: true }).limit.perSecond).toBe(40);
  });

  it('forgets who leaves', () => {
    const b = budget();
    b.turn('a');
    b.turn('b', wants('write', 1_000));
    b.turn('b', { leaving: true, giveBack: 20 });
    expect(b.view()).toMatchObject({ sharers: 1, waiting: [], available: 20 });
  });

  it('gives ahead only where nobody else waits', () => {
    const b = budget();
    expect(b.turn('a', { ...wants('write', 1), ahead: 6 }).granted.write).toBe(7);
    b.turn('b', wants('backfill', 100));
    expect(b.turn('a', { ...wants('write', 1), ahead: 6 }).granted.write).toBe(0);
    b.pass(100);
    expect(b.turn('a', { ...wants('write', 1), ahead: 6 }).granted.write).toBe(1);
  });
});

describe('whatever the processes do', () => {
  const move = fc.record({
    who: fc.nat(3),
    afterMs: fc.integer({ min: 0, max: 400 }),
    priority: fc.constantFrom(...priorities),
    next: fc.integer({ min: 1, max: 30 }),
    count: fc.integer({ min: 1, max: 60 }),
    ahead: fc.nat(40),
    usedShare: fc.double({ min: 0, max: 1, noNaN: true }),
    lateShare: fc.double({ min: 0, max: 1, noNaN: true }),
    travelShare: fc.double({ min: 0, max: 1, noNaN: true }),
    dies: fc.boolean(),
  });

  it('the provider never sees more than its bucket holds', () => {
    const limits = fc.record({
      perSecond: fc.integer({ min: 10, max: 500 }),
      burst: fc.integer({ min: 60, max: 2_000 }),
    });
    fc.assert(
      fc.property(limits, fc.array(move, { minLength: 5, maxLength: 80 }), (declared, moves) => {
        const b = budget(declared);
        const arrivals: { at: number; tokens: number }[] = [];
        const unused = new Map<number, number>();
        // Within a lease a token may be used late, and then travel for as long as a quarter of the bucket takes to fill.
        const travelMsMax = (250 * declared.burst) / declared.perSecond;
        let now = 0;
        for (const m of moves) {
          now += m.afterMs;
          b.pass(m.afterMs);
          const answer = b.turn(String(m.who), {
            ...wants(m.priority, m.next * m.count, m.next),
            ahead: m.ahead,
            giveBack: unused.get(m.who) ?? 0,
          });
          const granted = total(answer.granted);
          const used = Math.floor(granted * m.usedShare);
          unused.set(m.who, m.dies ? 0 : granted - used);
          const at = now + m.lateShare * answer.leaseMs + m.travelShare * travelMsMax;
          if (used > 0) arrivals.push({ at, tokens: used });
        }
        let level = declared.burst;
        let before = 0;
        for (const { at, tokens } of arrivals.sort((x, y) => x.at - y.at)) {
          level = Math.min(declared.burst, level + ((at - before) / 1000) * declared.perSecond) - tokens;
          before = at;
          expect(level).toBeGreaterThanOrEqual(-1e-6);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('nobody starves: each priority gets its share of what is given while it waits', () => {
    const costs = fc.record({
      webhook: fc.integer({ min: 1, max: 20 }),
      poll: fc.integer({ min: 1, max: 20 }),
      write: fc.integer({ min: 1, max: 20 }),
      backfill: fc.integer({ min: 1, max: 20 }),
    });
    fc.assert(
      fc.property(costs, fc.array(fc.nat(3), { minLength: 200, maxLength: 300 }), (next, order) => {
        const b = budget();
        const got = { webhook: 0, poll: 0, write: 0, backfill: 0 };
        const all = [0, 1, 2, 3];
        for (const first of order) {
          b.pass(100);
          // Everybody asks in each round, in any order.
          for (const n of [first, ...all.filter((x) => x !== first)]) {
            const p = priorities[n] as Priority;
            got[p] += b.turn(p, wants(p, 1_000, next[p])).granted[p];
          }
        }
        const sum = total(got);
        const least = { webhook: 0.6, poll: 0.1, write: 0.1, backfill: 0.035 };
        for (const p of priorities) expect(got[p]).toBeGreaterThanOrEqual(least[p] * sum - 3 * next[p]);
        // And nothing is left lying.
        expect(sum).toBeGreaterThanOrEqual(order.length * 4 * 0.9 - savedMax(limit));
      }),
      { numRuns: 20 },
    );
  });

  it('tokens age no longer than a quarter of the bucket takes to fill, or a second', () => {
    expect(leaseMsOf({ perSecond: 40, burst: 40 })).toBe(250);
    expect(leaseMsOf({ perSecond: 100, burst: 2_000 })).toBe(1_000);
  });
});
