import { createRequire } from 'node:module';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import type { Message } from 'kafkajs';
import { crc32c } from './crc32c.js';
import { encodeProduce, type ProduceArguments } from './produce-request.js';

type TheirRequest = (args: ProduceArguments) => { encode(): Promise<{ buffer: Buffer }> };
const theirs = createRequire(import.meta.url)('kafkajs/src/protocol/requests/produce/v7/request') as TheirRequest;

afterEach(() => {
  jest.useRealTimers();
});

const messages: Message[] = [
  { key: 'a', value: 'text', headers: {} },
  { key: Buffer.from([0, 255]), value: Buffer.alloc(70_000, 7), headers: { n: '1', raw: Buffer.from([1, 2, 3]) } },
  { key: 'ключ', value: 'größer 🙂', headers: { 'sync-kind': 'é', many: ['x', Buffer.from('y'), ''] } },
  { key: 'gone', value: null },
  { key: null, value: '', headers: { empty: '' } },
  ...Array.from({ length: 300 }, (_, i) => ({ key: `k${i}`, value: 'v'.repeat(i * 3), headers: { i: String(i) } })),
];

describe('a produce request', () => {
  it.each([
    ['plain', {}],
    ['transactional', { transactionalId: 'transformer.raw.0', producerId: '4000000001', producerEpoch: 12 }],
  ])('is the same, byte by byte, as the one of kafkajs: %s', async (_, producer) => {
    jest.useFakeTimers({ now: 1_795_000_000_123 });
    const request: ProduceArguments = {
      acks: -1,
      timeout: 1_000,
      compression: 0,
      ...producer,
      topicData: [
        { topic: 'canonical.order', partitions: [{ partition: 5, firstSequence: 77, messages }] },
        { topic: 'ü', partitions: [{ partition: 0, firstSequence: 0, messages: messages.slice(0, 2) }] },
      ],
    };
    const { buffer } = await theirs(request).encode();
    expect(encodeProduce(request).equals(buffer)).toBe(true);
  });
});

describe('crc32c', () => {
  // Check values of RFC 3720, B.4, and of the polynomial's catalogue.
  it('gives the published sums', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
    expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
    expect(crc32c(Buffer.alloc(32, 0xff))).toBe(0x62a8ab43);
    expect(crc32c(Buffer.from('xx123456789x'), 2, 11)).toBe(0xe3069283);
  });
});
