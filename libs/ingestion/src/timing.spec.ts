import { describe, expect, it } from '@jest/globals';
import { backoffMs, createBell, pause } from './backoff.js';
import { overlapMs } from './poll.js';
import { createRate } from './rate.js';
import { createSeenStates } from './seen.js';
import { firstSince } from './since.js';

const day = 86_400_000;

describe('firstSince', () => {
  const now = Date.parse('2026-11-23T12:00:00Z');
  it.each([
    [{ since: '60d' }, now - 60 * day],
    [{ since: '12h' }, now - day / 2],
    [{ since: '90m' }, now - 5_400_000],
    [{ since: '30s' }, now - 30_000],
    [{ since: 1_000 }, now - 1_000],
    [{ since: '2026-01-01T00:00:00Z' }, Date.parse('2026-01-01T00:00:00Z')],
    [{}, now - 60 * day],
  ])('%j', (settings, expected) => expect(firstSince(settings, now)).toBe(expected));
});

describe('backoff', () => {
  it('grows, is capped, and is jittered over its whole range', () => {
    const at = (failures: number, random: number) =>
      backoffMs(failures, { firstMs: 500, mostMs: 60_000, random: () => random });
    expect([at(0, 1), at(1, 1), at(4, 1), at(20, 1), at(2_000, 1)]).toEqual([500, 1_000, 8_000, 60_000, 60_000]);
    expect([at(4, 0), at(4, 0.5)]).toEqual([0, 4_000]);
  });

  it('pauses end early by the bell or by the signal', async () => {
    const bell = createBell();
    const stop = new AbortController();
    const paused = Promise.all([pause(60_000, new AbortController().signal, bell.next()), pause(60_000, stop.signal)]);
    bell.ring();
    stop.abort();
    await expect(paused).resolves.toBeDefined();
  });

  it('overlaps at least two minutes, and twice the settling time', () => {
    expect([overlapMs(0), overlapMs(10_000), overlapMs(300_000)]).toEqual([120_000, 120_000, 600_000]);
  });
});

describe('the rate of a connection', () => {
  it('lets a burst of twice the rate pass, then the rate', () => {
    const rate = createRate(10);
    const taken = (at: number, asked: number) =>
      Array.from({ length: asked }, () => rate.take(at)).filter(Boolean).length;
    expect(taken(1_000_000, 50)).toBe(20);
    expect(taken(1_000_500, 50)).toBe(5);
    expect(taken(1_000_400, 50)).toBe(0); // a clock that steps back gives nothing away
    expect(taken(1_060_000, 50)).toBe(20);
  });
});

describe('states a poll has seen', () => {
  const item = (version: string, body = '{}') => ({ noun: 'order', aggregateId: '1', externalId: '1', version, body });
  const at = Date.parse('2026-11-23T12:00:00Z');
  const version = '2026-11-23T12:00:00Z';

  it('counts a state only when it was read safely after the second of its version', () => {
    const seen = createSeenStates();
    seen.add(item(version), at + 900);
    expect(seen.has(item(version))).toBe(false);
    seen.add(item(version), at + 2_500);
    expect(seen.has(item(version))).toBe(true);
    expect(seen.has(item(version, '{"changed":true}'))).toBe(false);
    expect(seen.has(item('2026-11-23T12:00:01Z'))).toBe(false);
  });

  it('takes milliseconds as times and other versions as they are, and forgets the oldest', () => {
    const seen = createSeenStates(2);
    seen.add(item(String(at)), at + 100);
    expect(seen.has(item(String(at)))).toBe(false);
    seen.add(item('rev-9'), at);
    expect(seen.has(item('rev-9'))).toBe(true);
    for (const externalId of ['2', '3']) seen.add({ ...item('x'), externalId }, at);
    expect(seen.has(item('rev-9'))).toBe(false);
  });
});
