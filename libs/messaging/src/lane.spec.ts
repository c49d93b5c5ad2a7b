import { describe, expect, it } from '@jest/globals';
import type { KafkaMessage } from 'kafkajs';
import { Lane } from './lane.js';
import { takeSend } from './micro-batch-producer.js';

const fetched = (...offsets: number[]): KafkaMessage[] =>
  offsets.map((offset) => ({
    offset: String(offset),
    key: Buffer.from(`k${offset}`),
    value: Buffer.alloc(10),
    timestamp: '1000',
    attributes: 0,
    headers: {},
  }));

const offsetsOf = (records: readonly { offset: bigint }[]) => records.map((r) => Number(r.offset));

describe('Lane', () => {
  it('merges what was fetched meanwhile and splits what is too much', () => {
    const lane = new Lane('t', 0);
    lane.push(fetched(0, 1), '1', '7');
    lane.push(fetched(2, 3, 4), '4', '7');
    expect(offsetsOf(lane.take(4))).toEqual([0, 1, 2, 3]);
    lane.push(fetched(5, 6), '6', '7');
    lane.finish();
    expect(lane.done).toBe(4n);
    expect(offsetsOf(lane.take(4))).toEqual([4, 5, 6]);
    lane.finish();
    expect(lane.done).toBe(7n);
    expect([lane.hasWork, lane.bytes, lane.waiting]).toEqual([false, 0, 0]);
  });

  it('gives a failed batch again, unchanged, whatever came since', () => {
    const lane = new Lane('t', 0);
    lane.push(fetched(0, 1), '1', '2');
    const first = lane.take(10);
    lane.push(fetched(2), '2', '3');
    expect(lane.take(10)).toBe(first);
    expect(lane.done).toBeNull();
    expect(lane.oldest?.offset).toBe(0n);
    lane.finish();
    expect(offsetsOf(lane.take(10))).toEqual([2]);
  });

  it('is done up to what no reader sees only when everything before is done', () => {
    const lane = new Lane('t', 0);
    lane.push(fetched(0, 1), '2', '3');
    lane.push([], '3', '4');
    lane.take(1);
    lane.finish();
    expect(lane.done).toBe(1n);
    lane.take(1);
    lane.finish();
    expect(lane.done).toBe(4n);
    lane.push([], '9', '10');
    expect(lane.done).toBe(10n);
    const fresh = new Lane('t', 1);
    fresh.push([], '4', '5');
    expect(fresh.done).toBe(5n);
  });

  it('keeps its order over many records and small takes', () => {
    const lane = new Lane('t', 0);
    const seen: number[] = [];
    for (let i = 0; i < 30; i++) {
      lane.push(fetched(...Array.from({ length: 500 }, (_, n) => i * 500 + n)), String(i * 500 + 499), '15000');
      while (lane.waiting > 300) {
        seen.push(...offsetsOf(lane.take(7)));
        lane.finish();
      }
    }
    while (lane.hasWork) {
      seen.push(...offsetsOf(lane.take(1_000)));
      lane.finish();
    }
    expect(seen).toEqual(Array.from({ length: 15_000 }, (_, n) => n));
    expect(lane.bytes).toBe(0);
  });
});

describe('the records of one send', () => {
  const waiting = (...sizes: number[]) => sizes.map((bytes, id) => ({ bytes, id }));

  it('are as many as a record batch of the broker takes', () => {
    const queue = waiting(400_000, 400_000, 400_000, 10);
    expect(takeSend(queue).map((w) => w.id)).toEqual([0, 1]);
    expect(takeSend(queue).map((w) => w.id)).toEqual([2, 3]);
    expect(takeSend(queue)).toEqual([]);
  });

  it('are at most 500', () => {
    const queue = waiting(...Array.from({ length: 1_200 }, () => 10));
    expect([takeSend(queue).length, takeSend(queue).length, takeSend(queue).length]).toEqual([500, 500, 200]);
  });

  it('are one where it is larger than a batch', () => {
    const queue = waiting(2_000_000, 10);
    expect(takeSend(queue)).toHaveLength(1);
    expect(takeSend(queue)).toHaveLength(1);
  });
});
