import { describe, expect, it } from '@jest/globals';
import { murmur2, partitionOf } from './partition.js';

describe('partitionOf', () => {
  // The expected hashes are those of the Java client's own test (UtilsTest.testMurmur2).
  it.each([
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ])('hashes %s as the Java client does', (key, hash) => {
    expect(murmur2(Buffer.from(key))).toBe(hash);
  });

  it('never gives a partition outside the topic, and spreads keys', () => {
    const counts = new Map<number, number>();
    for (let i = 0; i < 6_000; i++) {
      const partition = partitionOf(`shop/${i}`, 6);
      counts.set(partition, (counts.get(partition) ?? 0) + 1);
    }
    expect([...counts.keys()].sort()).toEqual([0, 1, 2, 3, 4, 5]);
    for (const count of counts.values()) expect(count).toBeGreaterThan(800);
    expect(partitionOf('foobar', 7)).toBe((-790332482 & 0x7fffffff) % 7);
  });
});
