import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Catch, Controller, type ExceptionFilter, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern } from '@nestjs/microservices';
import { deadLetterTopic, headerText, invalidTopic, SyncError } from '@syncline/contracts';
import { testInfra } from '@syncline/infra';
import { throwError } from 'rxjs';
import type { Batch } from './batch.js';
import { KafkaBatchStrategy } from './batch-strategy.js';
import type { KafkaSettings } from './client.js';
import { groupLag } from './lag.js';
import { MicroBatchProducer } from './micro-batch-producer.js';
import { readTopic } from './read-topic.js';
import { Bench } from './testing/own-broker.js';
import { collect, until } from './testing/wait.js';
import { checkTopics, migrateTopics } from './topics.js';

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

const send = (t: string, from: number, to: number, key = (i: number) => `k${i}`) =>
  Promise.all(
    Array.from({ length: to - from }, (_, i) =>
      producer.send({ topic: t, key: key(from + i), value: String(from + i), headers: { n: String(from + i) } }),
    ),
  );

describe('consuming', () => {
  it('hands over everything that was sent, in order by partition, and commits it', async () => {
    const t = await bench.topic();
    await send(t, 0, 2_000);
    const seen: number[] = [];
    const groupId = `g-${randomUUID()}`;
    const w = bench.work({ topics: [t], groupId, maxBatchRecords: 100 }, async (batch) => {
      expect(batch.records.length).toBeLessThanOrEqual(100);
      for (const r of batch.records) seen.push(Number(r.value));
    });
    await until(() => seen.length >= 2_000);
    await send(t, 2_000, 2_100);
    await until(() => seen.length >= 2_100);
    expect(w.isReady()).toBe(true);
    expect([...seen].sort((a, b) => a - b)).toEqual(Array.from({ length: 2_100 }, (_, i) => i));
    expect(await w.lag()).toEqual([{ topic: t, lagRecords: 0, lagSeconds: 0 }]);
    await w.stop();
    expect(await groupLag(kafka, groupId, [t])).toEqual([{ topic: t, lagRecords: 0, lagSeconds: 0 }]);
  });

  it('keeps no lag behind transaction markers', async () => {
    const t = await bench.topic(1);
    const publisher = bench.publisher();
    const groupId = `g-${randomUUID()}`;
    let seen = 0;
    const w = bench.work({ topics: [t], groupId }, async (batch) => {
      seen += batch.records.length;
    });
    for (let i = 0; i < 5; i++) {
      const tx = await publisher.begin();
      await tx.send(t, [{ key: 'a', value: String(i), headers: {} }]);
      if (i % 2) await tx.abort();
      else await tx.commit();
    }
    await until(() => seen === 3);
    // Nothing but an aborted record and its marker: kafkajs calls no handler for them.
    const aborted = await publisher.begin();
    await aborted.send(t, [{ key: 'a', value: 'never', headers: {} }]);
    await aborted.abort();
    await until(async () => (await w.lag())[0]!.lagRecords === 0);
    await w.stop();
    expect((await groupLag(kafka, groupId, [t]))[0]!.lagRecords).toBe(0);
    expect((await collect(readTopic(kafka, t))).map((r) => String(r.value))).toEqual(['0', '2', '4']);
  });

  it('gives a failed batch again, unchanged and marked, while other partitions go on', async () => {
    const t = await bench.topic(2);
    const batches: { partition: number; takeover: boolean; values: string[] }[] = [];
    let failures = 0;
    bench.work({ topics: [t], partitionsConcurrent: 1 }, async ({ partition, takeover, records }) => {
      batches.push({ partition, takeover, values: records.map((r) => String(r.value)) });
      if (partition === 0 && failures < 4) {
        failures++;
        throw failures % 2 ? new SyncError('transient', 'later') : new TypeError('a bug');
      }
    });
    await send(t, 0, 40);
    await until(() => batches.flatMap((b) => (b.partition === 1 ? b.values : [])).length > 10);
    await until(() => failures === 4 && batches.filter((b) => b.partition === 0).length >= 5);
    const failing = batches.filter((b) => b.partition === 0);
    for (const again of failing.slice(0, 5)) expect(again.values).toEqual(failing[0]!.values);
    expect(failing.slice(0, 5).map((b) => b.takeover)).toEqual([true, true, true, true, true]);
    await send(t, 40, 80);
    const later = () => batches.filter((b) => b.partition === 0 && b.values.some((v) => Number(v) >= 40));
    await until(() => later().length > 0);
    expect(later()[0]!.takeover).toBe(false);
  });

  it('puts records that failed for good where they belong before their offset moves', async () => {
    const t = await bench.topic(1);
    const groupId = `g-${randomUUID()}`;
    const topics = [deadLetterTopic(groupId), invalidTopic(groupId)];
    const failureOf: Record<string, SyncError> = {
      '3': new SyncError('unmappable', 'no total', { path: 'total_price' }),
      '5': new SyncError('rejected', 'the target said no'),
      '7': new SyncError('defect', 'unexpected TypeError'),
      '9': new SyncError('superseded', 'older'),
    };
    const w = bench.work({ topics: [t], groupId }, async ({ records }) =>
      records.map((r) => failureOf[String(r.value)] ?? null),
    );
    await send(t, 0, 12);
    await until(() => w.isReady());
    // The failure topics are missing at first: the offset waits for them.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect((await groupLag(kafka, groupId, [t]))[0]!.lagRecords).toBe(12);
    await migrateTopics(
      kafka,
      topics.map((name) => ({ name, partitions: 1, config: {} })),
    );
    await until(async () => (await w.lag())[0]!.lagRecords === 0);
    const dead = await collect(readTopic(kafka, topics[0]!));
    const invalid = await collect(readTopic(kafka, topics[1]!));
    expect(dead.map((r) => String(r.value)).sort()).toEqual(['5', '7']);
    expect(invalid).toHaveLength(1);
    const one = invalid[0]!;
    expect([one.key, String(one.value), headerText(one.headers, 'n')]).toEqual(['k3', '3', '3']);
    const said = (name: string) => headerText(one.headers, name);
    expect(said('sync-failure-kind')).toBe('unmappable');
    expect(said('sync-failure-reason')).toBe('no total');
    expect(said('sync-failure-path')).toBe('total_price');
    expect(said('sync-source-topic')).toBe(t);
    expect(said('sync-source-partition')).toBe('0');
    expect(said('sync-source-offset')).toBe('3');
  });

  it('pauses and resumes topics, with bounded memory and a lag that shows it', async () => {
    const t = await bench.topic(1);
    let seen = 0;
    const w = bench.work({ topics: [t], maxBatchRecords: 50 }, async ({ records }) => {
      seen += records.length;
    });
    await send(t, 0, 10);
    await until(() => seen === 10);
    w.pause();
    await send(t, 10, 500);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(seen).toBe(10);
    const [lag] = await w.lag();
    expect(lag!.lagRecords).toBe(490);
    expect(lag!.lagSeconds).toBeGreaterThan(0.5);
    expect(lag!.lagSeconds).toBeLessThan(10);
    w.resume();
    await until(() => seen === 500);
    await until(async () => (await w.lag())[0]!.lagRecords === 0);
  });

  it('tells the lag of another group in records and seconds', async () => {
    const t = await bench.topic(2);
    await send(t, 0, 10);
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    const [lag] = await groupLag(kafka, `g-${randomUUID()}`, [t]);
    expect(lag!.lagRecords).toBe(10);
    expect(lag!.lagSeconds).toBeGreaterThanOrEqual(2.9);
    expect(lag!.lagSeconds).toBeLessThan(6);
  });
});

describe('as a Nest transport', () => {
  it('calls the event pattern of each topic with the batch, and sees what it throws', async () => {
    const [a, b] = [await bench.topic(1), await bench.topic(1)];
    const seen: string[] = [];
    let thrown = 0;
    class Handlers {
      async both({ topic, records, takeover }: Batch) {
        if (topic === b && thrown++ === 0) throw new SyncError('throttled', 'wait', { retryAfterMs: 300 });
        seen.push(...records.map((r) => `${topic}:${r.value}:${takeover}`));
      }
    }
    const both = Object.getOwnPropertyDescriptor(Handlers.prototype, 'both')!;
    EventPattern(a)(Handlers.prototype, 'both', both);
    EventPattern([a, b])(Handlers.prototype, 'both', both);
    Controller()(Handlers);
    class Rethrow implements ExceptionFilter {
      catch(error: unknown) {
        return throwError(() => error);
      }
    }
    Catch()(Rethrow);
    class App {}
    Module({ controllers: [Handlers] })(App);
    const strategy = new KafkaBatchStrategy({ kafka, groupId: `g-${randomUUID()}`, topics: [a, b] });
    const app = await NestFactory.createMicroservice(App, { strategy, logger: false });
    app.useGlobalFilters(new Rethrow());
    await app.listen();
    try {
      await send(a, 1, 2);
      const sentAt = Date.now();
      await send(b, 2, 3);
      await until(() => seen.length === 2);
      expect(seen.sort()).toEqual([`${a}:1:true`, `${b}:2:true`].sort());
      expect(thrown).toBe(2);
      expect(Date.now() - sentAt).toBeGreaterThanOrEqual(300);
    } finally {
      await app.close();
    }
    expect(strategy.isReady()).toBe(false);
  });

  it('refuses to listen without a handler for a topic', async () => {
    const strategy = new KafkaBatchStrategy({ kafka, groupId: 'g', topics: ['nobody.reads'] });
    const answer = await new Promise((resolve) => strategy.listen(resolve));
    expect(String(answer)).toMatch(/no handler for topic nobody\.reads/);
  });
});

describe('topics', () => {
  it('are made, grown and set right, never shrunk; other settings stay', async () => {
    const name = `t-${randomUUID()}`;
    const spec = { name, partitions: 2, config: { 'cleanup.policy': 'compact', 'retention.ms': '1000' } };
    expect(await checkTopics(kafka, [spec])).toEqual([`Topic ${name} is missing: run "syncline migrate".`]);
    expect(await migrateTopics(kafka, [spec])).toEqual({ created: [name], changed: [] });
    expect(await checkTopics(kafka, [spec])).toEqual([]);
    expect(await migrateTopics(kafka, [spec])).toEqual({ created: [], changed: [] });
    const next = { name, partitions: 3, config: { 'retention.ms': '2000' } };
    expect(await checkTopics(kafka, [next])).toEqual([
      `Topic ${name} needs 3 partitions instead of 2, retention.ms=2000: run "syncline migrate".`,
    ]);
    expect(await migrateTopics(kafka, [next])).toEqual({ created: [], changed: [name] });
    expect(
      await checkTopics(kafka, [{ ...next, config: { 'cleanup.policy': 'compact', 'retention.ms': '2000' } }]),
    ).toEqual([]);
    await expect(migrateTopics(kafka, [spec])).rejects.toThrow(/has 3 partitions, more than the 2 declared/);
    expect(await checkTopics(kafka, [spec])).toEqual([expect.stringMatching(/cannot take partitions away/)]);
  });

  it('a broker that is not there is a sentence, not an exception', async () => {
    const nobody = { ...kafka, brokers: ['127.0.0.1:1'] };
    expect(await checkTopics(nobody, [])).toEqual([
      'Kafka at 127.0.0.1:1 does not answer: start it, or correct KAFKA_BROKERS.',
    ]);
  });
});
