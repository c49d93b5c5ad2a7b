import { describe, expect, it } from '@jest/globals';
import { type FetchedMessage, type FetchedPartition, hideAborted } from './aborted.js';

const record = (offset: number, producerId: string, inTransaction = true): FetchedMessage => ({
  offset: String(offset),
  key: Buffer.from(`k${offset}`),
  isControlRecord: false,
  batchContext: { producerId, inTransaction },
});
const marker = (offset: number, producerId: string, type: 0 | 1): FetchedMessage => ({
  ...record(offset, producerId),
  key: Buffer.from([0, 0, 0, type]),
  isControlRecord: true,
});
const seen = (partition: FetchedPartition) => {
  hideAborted(partition);
  return partition.messages.filter((m) => !m.isControlRecord).map((m) => Number(m.offset));
};
const abortedAt = (...pairs: [producerId: string, firstOffset: number][]) =>
  pairs.map(([producerId, firstOffset]) => ({ producerId, firstOffset: String(firstOffset) }));

describe('records of aborted transactions', () => {
  it('are hidden where transactions overlap and the broker lists them as they ended', () => {
    const messages = [
      record(0, 'a'),
      record(1, 'b'),
      record(2, 'c'),
      marker(3, 'b', 0),
      marker(4, 'a', 0),
      marker(5, 'c', 1),
    ];
    expect(seen({ abortedTransactions: abortedAt(['b', 1], ['a', 0]), messages })).toEqual([2]);
  });

  it('are hidden where a fetch starts inside two of them', () => {
    const messages = [record(12, 'b'), record(13, 'a'), record(14, 'c', false), marker(15, 'a', 0), marker(16, 'b', 0)];
    expect(seen({ abortedTransactions: abortedAt(['a', 3], ['b', 4]), messages })).toEqual([14]);
  });

  it("are told from the same producer's next transaction, which was committed", () => {
    const messages = [
      record(0, 'a'),
      marker(1, 'a', 0),
      record(2, 'a'),
      marker(3, 'a', 1),
      record(4, 'a'),
      marker(5, 'a', 0),
    ];
    expect(seen({ abortedTransactions: abortedAt(['a', 0], ['a', 4]), messages })).toEqual([2]);
  });

  it('leave everything else as it is', () => {
    const messages = [record(0, '-1', false), record(1, 'a'), marker(2, 'a', 1)];
    expect(seen({ abortedTransactions: [], messages: structuredClone(messages) as FetchedMessage[] })).toEqual([0, 1]);
    expect(seen({ abortedTransactions: null, messages })).toEqual([0, 1]);
  });
});
