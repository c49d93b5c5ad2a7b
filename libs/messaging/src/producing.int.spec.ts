import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { testInfra } from '@syncline/infra';
import type { KafkaSettings } from './client.js';
import { FencedError } from './failure.js';
import { MicroBatchProducer } from './micro-batch-producer.js';
import { partitionOf } from './partition.js';
import { readTopic } from './read-topic.js';
import { Bench } from './testing/own-broker.js';
import { collect, until } from './testing/wait.js';
import { TransactionalPublisher } from './transactional-publisher.js';

let kafka: KafkaSettings;
let bench: Bench;
let producer: MicroBatchProducer;

beforeAll(async () => {
  const { kafkaBrokers } = await testInfra();
  kafka = { brokers: [...kafkaBrokers], clientId: 'messaging-test', log: () => {} };
  bench = new Bench(kafka);
  producer = new MicroBatchProducer(kafka);
  await producer.connect();
}, 180_000);

afterEach(() => bench.end());

afterAll(() => producer.disconnect());

const record = (key: string, value: string | Buffer | null) => ({ key, value, headers: {} });

describe('MicroBatchProducer', () => {
  it('keeps key, value, headers, tombstones and the order of a key', async () => {
    const topic = await bench.topic(3);
    const keys = ['a', 'b', 'shop/1', 'ключ'];
    const sends = Array.from({ length: 400 }, (_, i) => producer.send({ topic, ...record(keys[i % 4]!, String(i)) }));
    await Promise.all(sends);
    const bytes = Buffer.from([0, 255, 128, 10]);
    await producer.send({
      topic,
      key: 'bytes',
      value: bytes,
      headers: { ce_id: 'ä', raw: Buffer.from([1, 2]), many: ['x', 'y'] },
    });
    await producer.send({ topic, ...record('gone', null) });
    const seen = await collect(readTopic(kafka, topic));
    expect(seen).toHaveLength(402);
    for (const key of keys) {
      const values = seen.filter((r) => r.key === key).map((r) => Number(r.value));
      expect(values).toEqual([...values].sort((a, b) => a - b));
      expect(new Set(seen.filter((r) => r.key === key).map((r) => r.partition))).toEqual(
        new Set([partitionOf(key, 3)]),
      );
    }
    const odd = seen.find((r) => r.key === 'bytes')!;
    expect(odd.value).toEqual(bytes);
    expect(odd.headers).toMatchObject({
      ce_id: Buffer.from('ä'),
      raw: Buffer.from([1, 2]),
      many: [Buffer.from('x'), Buffer.from('y')],
    });
    expect(Math.abs(Date.now() - odd.timestamp)).toBeLessThan(60_000);
    expect(seen.find((r) => r.key === 'gone')!.value).toBeNull();
  });

  it('takes 5,000 messages a second of concurrent callers, and a lone one without a wait', async () => {
    const topic = await bench.topic(6);
    const value = Buffer.alloc(1_000, 'x');
    await producer.send({ topic, ...record('warm', value) });
    let next = 0;
    const caller = async () => {
      while (next < 15_000) await producer.send({ topic, ...record(`k${next++}`, value) });
    };
    const startedAt = performance.now();
    await Promise.all(Array.from({ length: 300 }, caller));
    const perSecond = 15_000 / ((performance.now() - startedAt) / 1_000);
    const waits: number[] = [];
    for (let i = 0; i < 50; i++) {
      const sentAt = performance.now();
      await producer.send({ topic, ...record(`one${i}`, value) });
      waits.push(performance.now() - sentAt);
    }
    expect(perSecond).toBeGreaterThan(5_000);
    expect(waits.sort((a, b) => a - b)[10]!).toBeLessThan(8);
  });

  it('refuses what the broker would not take, and the next record goes on', async () => {
    const topic = await bench.topic(1);
    await expect(producer.send({ topic, ...record('big', Buffer.alloc(3_000_000)) })).rejects.toMatchObject({
      kind: 'rejected',
    });
    await producer.send({ topic, ...record('ok', Buffer.alloc(1_048_576)) });
    expect(producer.isReady()).toBe(true);
  });

  it('refuses more than its bound of waiting records, in time, and a missing topic', async () => {
    const small = new MicroBatchProducer({ ...kafka, brokers: ['127.0.0.1:1'] }, { waitingMax: 1 });
    await small.connect();
    expect(small.isReady()).toBe(false);
    await expect(small.send({ topic: 'any', ...record('a', '1') })).rejects.toMatchObject({ kind: 'transient' });
    await small.disconnect();
    const startedAt = Date.now();
    await expect(producer.send({ topic: `missing-${randomUUID()}`, ...record('a', '1') })).rejects.toMatchObject({
      kind: 'transient',
    });
    expect(Date.now() - startedAt).toBeLessThan(5_000);
    const bounded = new MicroBatchProducer(kafka, { waitingMax: 10 });
    await bounded.connect();
    const topic = await bench.topic(1);
    await bounded.send({ topic, ...record('a', '0') });
    const results = await Promise.allSettled(
      Array.from({ length: 30 }, (_, i) => bounded.send({ topic, ...record('a', String(i)) })),
    );
    const refused = results.filter((r) => r.status === 'rejected');
    expect(refused).toHaveLength(20);
    expect(refused[0]!.reason).toMatchObject({ kind: 'throttled', retryAfterMs: 1_000 });
    await bounded.disconnect();
  });
});

describe('TransactionalPublisher', () => {
  it('keeps readers from what was aborted, also where transactions of several publishers overlap', async () => {
    const topic = await bench.topic(1);
    const publishers = ['a', 'b', 'c'].map((name) => new TransactionalPublisher(kafka, `${topic}.${name}`));
    const open = [];
    for (const [i, publisher] of publishers.entries()) {
      await publisher.connect();
      open.push(await publisher.begin());
      await open[i]!.send(topic, [record('k', `${i} of the first round`)]);
    }
    const [a, b, c] = open;
    // They end in another order than they began: the broker lists them as they ended.
    await b!.abort();
    await a!.abort();
    await c!.commit();
    const last = await publishers[0]!.begin();
    await last.send(topic, [record('k', 'the last')]);
    await last.commit();
    const values = async () => (await collect(readTopic(kafka, topic))).map((r) => String(r.value));
    await until(async () => (await values()).includes('the last'));
    expect(await values()).toEqual(['2 of the first round', 'the last']);
    await Promise.all(publishers.map((publisher) => publisher.close()));
  });

  it('shows a transaction as a whole or not at all, one after the other', async () => {
    const topic = await bench.topic(3);
    const publisher = bench.publisher();
    for (let i = 0; i < 6; i++) {
      const tx = await publisher.begin();
      await tx.send(
        topic,
        Array.from({ length: 700 }, (_, n) => record(`k${n % 7}`, `${i}`)),
      );
      await tx.send(topic, [record('last', `${i}`)]);
      if (i % 3 === 2) await tx.abort();
      else await tx.commit();
      await expect(tx.send(topic, [record('late', '')])).rejects.toThrow(/has ended/);
    }
    const seen = await collect(readTopic(kafka, topic));
    expect(seen).toHaveLength(4 * 701);
    expect(seen.filter((r) => r.key === 'last').map((r) => String(r.value))).toEqual(['0', '1', '3', '4']);
  });

  it('takes the id over from a predecessor that died in a transaction, and fences it', async () => {
    const topic = await bench.topic(1);
    const id = `tx-${randomUUID()}`;
    const old = bench.publisher(kafka, id);
    const left = await old.begin();
    await left.send(topic, [record('k', 'left')]);
    const successor = bench.publisher(kafka, id);
    const startedAt = Date.now();
    await successor.connect();
    expect(Date.now() - startedAt).toBeLessThan(5_000);
    const tx = await successor.begin();
    await tx.send(topic, [record('k', 'new')]);
    await tx.commit();
    await expect(left.send(topic, [record('k', 'zombie')])).rejects.toBeInstanceOf(FencedError);
    await expect(old.begin()).rejects.toBeInstanceOf(FencedError);
    expect((await collect(readTopic(kafka, topic))).map((r) => String(r.value))).toEqual(['new']);
    const next = await successor.begin();
    await next.abort();
  });

  it('fences a commit too, and refuses a second open transaction', async () => {
    const topic = await bench.topic(1);
    const id = `tx-${randomUUID()}`;
    const old = bench.publisher(kafka, id);
    const left = await old.begin();
    await expect(old.begin()).rejects.toThrow(/still open/);
    await left.send(topic, [record('k', 'left')]);
    await bench.publisher(kafka, id).connect();
    await expect(left.commit()).rejects.toMatchObject({ kind: 'fenced' });
    expect(await collect(readTopic(kafka, topic))).toEqual([]);
  });

  it('is transient, and bounded in time, when no broker answers', async () => {
    const nobody = bench.publisher({ ...kafka, brokers: ['127.0.0.1:1'] });
    const startedAt = Date.now();
    await expect(nobody.begin()).rejects.toMatchObject({ kind: 'transient', outcomeUnknown: true });
    expect(Date.now() - startedAt).toBeLessThan(5_500);
  });
});
