import { describe, expect, it } from '@jest/globals';
import { deadLetterTopic, type FailureKind, failureKinds, invalidTopic, SyncError } from '@syncline/contracts';
import kafkajs from 'kafkajs';
import { backoffMs, FencedError, isFencing, isRetriable, pause, produceFailure, within } from './failure.js';
import { failureHeaders, routeOf } from './failure-routing.js';

// Their published types leave out arguments that the classes take.
const {
  KafkaJSConnectionError,
  KafkaJSGroupCoordinatorNotFound,
  KafkaJSNonRetriableError,
  KafkaJSNumberOfRetriesExceeded,
  KafkaJSProtocolError,
} = kafkajs as unknown as Record<string, new (e: unknown, options?: object) => Error & { retriable: boolean }>;

const protocol = (type: string, code: number, retriable: boolean, message = type) =>
  new KafkaJSProtocolError!(Object.assign(new Error(message), { type, code, retriable }));
const wrapped = (cause: Error) => new KafkaJSNonRetriableError!(cause, { cause });

describe('retriability', () => {
  it('is judged along the causes: an outage claims not to be retriable', () => {
    const refused = new KafkaJSConnectionError!('Connection error', { broker: 'b:1', code: 'ECONNREFUSED' });
    expect(wrapped(refused).retriable).toBe(false);
    expect(isRetriable(wrapped(refused))).toBe(true);
    expect(isRetriable(wrapped(wrapped(protocol('NOT_LEADER_FOR_PARTITION', 6, true))))).toBe(true);
    expect(isRetriable(new KafkaJSGroupCoordinatorNotFound!('no coordinator'))).toBe(true);
    const exceeded = new KafkaJSNumberOfRetriesExceeded!(new Error('x'), { retryCount: 1, retryTime: 1 });
    expect(isRetriable(exceeded)).toBe(true);
    expect(isRetriable(Object.assign(new Error('reset'), { code: 'ECONNRESET' }))).toBe(true);
  });

  it('is denied where the broker refuses the record or the caller is wrong', () => {
    expect(isRetriable(wrapped(protocol('MESSAGE_TOO_LARGE', 10, false)))).toBe(false);
    expect(isRetriable(new TypeError('a bug'))).toBe(false);
    expect(isRetriable(null)).toBe(false);
  });

  it('survives a cause that leads back to itself', () => {
    const loop = new Error('loop');
    loop.cause = loop;
    expect(isRetriable(loop)).toBe(false);
  });
});

describe('fencing', () => {
  it('is seen behind any number of wrappers, also by the code kafkajs does not know', () => {
    expect(isFencing(wrapped(protocol('INVALID_PRODUCER_EPOCH', 47, false)))).toBe(true);
    expect(isFencing(wrapped(protocol('KAFKAJS_UNKNOWN_ERROR_CODE', -99, false, 'Unknown error code 90')))).toBe(true);
    expect(isFencing(new SyncError('defect', 'x', { cause: new FencedError('id') }))).toBe(true);
  });

  it('is nothing else', () => {
    expect(isFencing(protocol('KAFKAJS_UNKNOWN_ERROR_CODE', -99, false, 'Unknown error code 901'))).toBe(false);
    expect(isFencing(protocol('CONCURRENT_TRANSACTIONS', 51, true))).toBe(false);
    expect(isFencing(undefined)).toBe(false);
  });
});

describe('what a failed send means', () => {
  it('is an unknown outcome, except where the broker refused the record', () => {
    expect(produceFailure(new Error('x'), 'a send')).toMatchObject({ kind: 'transient', outcomeUnknown: true });
    const tooLarge = produceFailure(wrapped(protocol('MESSAGE_TOO_LARGE', 10, false)), 'a send');
    expect(tooLarge).toMatchObject({ kind: 'rejected', outcomeUnknown: false });
  });
});

describe('time', () => {
  it('within: bounds a step, gives its result, and drops its late failure', async () => {
    await expect(within(1_000, 'a step', Promise.resolve(7))).resolves.toBe(7);
    const late = new Promise((_, reject) => setTimeout(() => reject(new Error('late')), 30));
    await expect(within(5, 'a step', late)).rejects.toThrow('a step took longer than 5 ms');
    await pause(50);
  });

  it('pause: ends with its signal', async () => {
    const controller = new AbortController();
    const startedAt = Date.now();
    setTimeout(() => controller.abort(), 10);
    await pause(5_000, controller.signal);
    await pause(5_000, controller.signal);
    expect(Date.now() - startedAt).toBeLessThan(1_000);
  });

  it('backoff: full jitter under a doubling bound and a limit', () => {
    for (let attempt = 0; attempt < 40; attempt++) {
      const ms = backoffMs(attempt, 100, 10_000);
      expect(ms).toBeGreaterThanOrEqual(0);
      expect(ms).toBeLessThanOrEqual(Math.min(10_000, 100 * 2 ** attempt));
    }
  });
});

describe('where records of an outcome go', () => {
  const expected: Record<FailureKind, string | null | undefined> = {
    unmappable: invalidTopic('g'),
    rejected: deadLetterTopic('g'),
    defect: deadLetterTopic('g'),
    superseded: null,
    transient: undefined,
    throttled: undefined,
    unauthorized: undefined,
    conflict: undefined,
  };

  it.each([...failureKinds])('%s', (kind) => {
    expect(routeOf(new SyncError(kind, 'x'), 'g')).toBe(expected[kind]);
  });

  it('done goes nowhere', () => {
    expect(routeOf(null, 'g')).toBeNull();
  });

  it('the reason is kept short', () => {
    const record = { topic: 't', partition: 1, offset: 9n, key: '', value: null, headers: {}, timestamp: 0 };
    const headers = failureHeaders(record, new SyncError('rejected', 'x'.repeat(5_000)));
    expect(headers['sync-failure-reason']).toHaveLength(1_000);
    expect(headers).not.toHaveProperty('sync-failure-path');
    expect(headers['sync-source-offset']).toBe('9');
  });
});
