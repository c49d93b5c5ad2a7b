import { describe, expect, it } from '@jest/globals';
import { learnedFromCost } from './graphql.js';
import { learnedFromHeaders } from './learned.js';

const answeredAt = Date.UTC(2026, 0, 1);
const from = (headers: Record<string, string>) => learnedFromHeaders({ headers, answeredAt });

describe('what an answer says of the budget', () => {
  it.each([
    ['nothing', {}, {}],
    [
      'what is left',
      { 'x-ratelimit-limit': '40', 'x-ratelimit-remaining': '7', 'x-ratelimit-reset': '12' },
      { available: 7 },
    ],
    [
      'a window in the limit',
      { 'ratelimit-limit': '100, 100;w=10', 'ratelimit-remaining': '99' },
      { limit: { perSecond: 8, burst: 20 }, available: 99 },
    ],
    [
      'a window in the policy',
      { 'ratelimit-limit': '10', 'ratelimit-policy': '10;w=1' },
      { limit: { perSecond: 8, burst: 2 } },
    ],
    [
      'seconds until a new window',
      { 'ratelimit-remaining': '0', 'ratelimit-reset': '2' },
      { available: 0, pauseMs: 2_000 },
    ],
    [
      'the moment of a new window',
      { 'x-rate-limit-remaining': '0', 'x-rate-limit-reset': String(answeredAt / 1000 + 3) },
      { available: 0, pauseMs: 3_000 },
    ],
    [
      'the moment in milliseconds',
      { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(answeredAt + 4_000) },
      { available: 0, pauseMs: 4_000 },
    ],
    [
      'a moment that is past',
      { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(answeredAt / 1000 - 3) },
      { available: 0 },
    ],
    ['words', { 'x-ratelimit-limit': 'many', 'x-ratelimit-remaining': '-1' }, {}],
  ])('reads headers that say %s', (_, headers, learned) => {
    expect(from(headers)).toEqual(learned);
  });

  it('never lets more than the limit into a window, wherever it begins', () => {
    const { limit } = from({ 'ratelimit-limit': '100;w=10' });
    expect(limit!.burst + limit!.perSecond * 10).toBeLessThanOrEqual(100);
  });

  const cost = (actual: number | null, currentlyAvailable: number) => ({
    json: {
      extensions: {
        cost: {
          requestedQueryCost: 70,
          actualQueryCost: actual,
          throttleStatus: { maximumAvailable: 1_000, currentlyAvailable, restoreRate: 50 },
        },
      },
    },
  });

  it('reads a cost bucket', () => {
    expect(learnedFromCost(cost(12, 900))).toEqual({
      limit: { perSecond: 50, burst: 1_000 },
      available: 900,
      cost: { asked: 70, actual: 12 },
    });
    expect(learnedFromCost(cost(null, 20))).toMatchObject({ cost: { asked: 70, actual: 0 }, pauseMs: 1_000 });
    expect(learnedFromCost({ json: { data: {} } })).toEqual({});
    expect(learnedFromCost({ json: null })).toEqual({});
  });
});
