import { describe, expect, it } from '@jest/globals';
import { type BudgetState, viewBudget } from './budget.js';
import { type Priority, priorities } from './budget-allot.js';
import { type BudgetKeeper, ownBudgets } from './budget-keeper.js';
import type { RequestLimits } from './connector.js';
import { learnedFromCost } from './graphql.js';
import type { HttpReply, HttpRequest } from './http.js';
import { createPacing } from './pacing.js';

const list: HttpRequest = { method: 'GET', path: '/things', safe: true };
const one: HttpRequest = { method: 'GET', path: '/things/1', safe: true };
const signal = new AbortController().signal;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const reply = (more: Partial<HttpReply> = {}): HttpReply => ({
  status: 200,
  headers: {},
  json: {},
  text: '{}',
  answeredAt: Date.now(),
  elapsedMs: 1,
  ...more,
});

/** Budgets whose states a test can look at. */
function watched() {
  const own = ownBudgets();
  const states = new Map<string, BudgetState>();
  const keeper: BudgetKeeper = {
    turn: (connection, step) =>
      own.turn(connection, (state, now) => {
        const next = step(state, now);
        states.set(connection, next.state);
        return next;
      }),
  };
  const view = (connection = 'shop') => viewBudget(states.get(connection) as BudgetState, performance.now());
  return { keeper, view };
}

function paced(limits: RequestLimits, keeper: BudgetKeeper = ownBudgets()) {
  const pacing = createPacing(limits, { connection: 'shop', service: 'test', keeper, signal });
  const at: { what: string; ms: number }[] = [];
  const begunAt = performance.now();
  const send = (what: string, asked = one, priority: Priority = 'write', answer: HttpReply = reply()) =>
    pacing.send(priority, asked, async () => {
      at.push({ what, ms: performance.now() - begunAt });
      return answer;
    });
  return { send, at, close: () => pacing.close() };
}

describe('pacing', () => {
  it('starts what waits by its priority, whatever came first', async () => {
    const { send, at, close } = paced({ perSecond: 40, burst: 2, concurrency: 1 });
    await send('first');
    await Promise.all([...priorities].reverse().map((p) => send(p, one, p)));
    expect(at.map((a) => a.what)).toEqual(['first', ...priorities]);
    await close();
  });

  it('keeps some requests within a limit of their own, and the others out of it', async () => {
    const narrower = { name: 'lists', perSecond: 20, burst: 1, of: (r: HttpRequest) => r.path === '/things' };
    const { send, at, close } = paced({ perSecond: 1_000, burst: 100, concurrency: 8, narrower });
    await Promise.all([...[1, 2, 3, 4].map(() => send('list', list)), ...[1, 2, 3, 4].map(() => send('one'))]);
    const lists = at.filter((a) => a.what === 'list');
    expect(lists.at(-1)!.ms).toBeGreaterThanOrEqual(145);
    expect(Math.max(...at.filter((a) => a.what === 'one').map((a) => a.ms))).toBeLessThan(100);
    await close();
  });

  it('learns what an operation costs, pays that next time, and gets back what it did not use', async () => {
    const { keeper, view } = watched();
    const limits = { perSecond: 1, burst: 1_000, concurrency: 8, costFirst: 10, learn: learnedFromCost };
    const throttleStatus = { maximumAvailable: 1_000, currentlyAvailable: 990, restoreRate: 1 };
    const asked = { ...one, json: { operationName: 'orders' } };
    const pacing = createPacing(limits, { connection: 'shop', keeper, signal });
    const left: number[] = [];
    const ask = (actualQueryCost: number) =>
      pacing.send('poll', asked, async () => {
        left.push(view().available);
        return reply({ json: { extensions: { cost: { requestedQueryCost: 200, actualQueryCost, throttleStatus } } } });
      });
    await ask(30);
    await ask(50);
    await ask(0);
    await pacing.close();
    // Half of 1,000 less the guess of 10; what it really cost was 30; then 200 each time, of which 50 and nothing were used.
    const tens = [...left, view().available].map((n) => Math.round(n / 10) * 10);
    expect(tens).toEqual([490, 270, 220, 420]);
  });

  it('tells all who share the budget to rest after a 429, and to go slower', async () => {
    const { keeper, view } = watched();
    const limits = { perSecond: 100, burst: 100, concurrency: 4 };
    const [a, b] = [paced(limits, keeper), paced(limits, keeper)];
    await b.send('before');
    await a.send('refused', one, 'write', reply({ status: 429, headers: { 'retry-after': '30' } }));
    await pause(10);
    expect(view().pausedMs).toBeGreaterThan(29_000);
    expect(view().perSecond).toBeLessThan(51);
    await pause(300); // what the other had in hand is a lease old by then
    await expect(b.send('after')).rejects.toMatchObject({ kind: 'throttled' });
    expect(b.at.map((x) => x.what)).toEqual(['before']);
    await Promise.all([a.close(), b.close()]);
  });

  it('goes on alone with half of its share where the budget cannot be reached, and shares again afterwards', async () => {
    const own = ownBudgets();
    let away = false;
    const keeper: BudgetKeeper = {
      turn: async (c, step) => (away ? Promise.reject(new Error('away')) : own.turn(c, step)),
    };
    const limits = { perSecond: 40, burst: 40, concurrency: 2 };
    const [a, b] = [paced(limits, keeper), paced(limits, keeper)];
    await Promise.all([a.send('x'), b.send('x')]);
    await a.send('x'); // hears of the other
    away = true;
    await pause(300);
    const from = performance.now();
    for (let n = 0; n < 21; n += 1) await a.send('alone');
    const tookMs = performance.now() - from;
    // Two seconds of patience, then 10 a second: half of a half of 40.
    expect(tookMs).toBeGreaterThanOrEqual(3_900);
    expect(tookMs).toBeLessThan(5_500);
    away = false;
    await pause(600);
    const back = performance.now();
    for (let n = 0; n < 10; n += 1) await a.send('again');
    expect(performance.now() - back).toBeLessThan(700);
    await Promise.all([a.close(), b.close()]);
  });
});
