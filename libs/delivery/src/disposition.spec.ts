import { describe, expect, it } from '@jest/globals';
import { type FailureKind, failureKinds, SyncError } from '@syncline/contracts';
import { disposition, knownNotDone, dispositionLimits as limits } from './disposition.js';

const of = (kind: FailureKind, attempts = 1, conflicts = 0, retryAfterMs?: number) =>
  disposition({ kind, retryAfterMs }, attempts, conflicts, limits, () => 1);

describe('what becomes of a failed delivery', () => {
  it('knows every kind of failure', () => {
    for (const kind of failureKinds) expect(of(kind)).toHaveProperty('do');
  });
  it('backs off after failures that pass, up to a bound, then gives up', () => {
    expect([1, 2, 3].map((n) => of('transient', n))).toEqual(
      [1_000, 2_000, 4_000].map((afterMs) => ({ do: 'retry', afterMs, counted: true })),
    );
    expect(of('transient', limits.attemptsMax - 1)).toMatchObject({ afterMs: limits.retryDelayMsMax });
    expect(of('transient', limits.attemptsMax)).toEqual({ do: 'dead', topic: 'dead-letter' });
  });
  it('spreads retries over the whole of the delay, but not before the target said', () => {
    const early = disposition({ kind: 'transient', retryAfterMs: undefined }, 5, 0, limits, () => 0.25);
    expect(early).toMatchObject({ afterMs: 4_000 });
    expect(disposition({ kind: 'transient', retryAfterMs: 9_000 }, 5, 0, limits, () => 0.25)).toMatchObject({
      afterMs: 9_000,
    });
  });
  it('holds the whole connection when throttled, counting nothing', () => {
    expect(of('throttled', 50, 0, 7_000)).toEqual({ do: 'hold', afterMs: 7_000 });
    expect(of('throttled')).toEqual({ do: 'hold', afterMs: limits.throttledMsDefault });
  });
  it('parks the connection without credentials', () => expect(of('unauthorized', 99)).toEqual({ do: 'park' }));
  it('decides again after a conflict, a bounded number of times', () => {
    expect(of('conflict', 1, limits.conflictsMax - 1)).toEqual({ do: 'again' });
    expect(of('conflict', 1, limits.conflictsMax)).toMatchObject({ do: 'retry' });
    expect(of('conflict', limits.attemptsMax, limits.conflictsMax)).toMatchObject({ do: 'dead' });
  });
  it('gives up at once what was refused or cannot be understood', () => {
    expect(of('rejected')).toEqual({ do: 'dead', topic: 'dead-letter' });
    expect(of('unmappable')).toEqual({ do: 'dead', topic: 'invalid' });
  });
  it('tries a defect three times', () =>
    expect([1, 2, 3].map((n) => of('defect', n).do)).toEqual(['retry', 'retry', 'dead']));
  it('is done with what is superseded', () => expect(of('superseded')).toEqual({ do: 'superseded' }));
});

describe('whether a failed request changed nothing', () => {
  it('takes the connector at its word', () => {
    expect(knownNotDone(new SyncError('rejected', 'no'))).toBe(true);
    expect(knownNotDone(new SyncError('transient', 'refused'))).toBe(true);
    expect(knownNotDone(new SyncError('transient', 'timed out', { outcomeUnknown: true }))).toBe(false);
  });
  it('does not know where our own code broke after the request', () => {
    expect(knownNotDone(new SyncError('defect', 'broke'))).toBe(false);
    expect(knownNotDone(new SyncError('unmappable', 'answer makes no sense'))).toBe(false);
  });
});
