import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { SyncError } from '@syncline/contracts';
import type { KafkaSettings } from './client.js';
import type { MicroBatchProducer } from './micro-batch-producer.js';
import { readTopic } from './read-topic.js';
import type { InboundRecord } from './record.js';
import { type Bench, type OwnBroker, startOwnBroker } from './testing/own-broker.js';
import type { TcpProxy } from './testing/tcp-proxy.js';
import { collect, until } from './testing/wait.js';

// What kafkajs 2.2.4 was measured to do wrong when it produces, with a proxy between it and the broker.

let broker: OwnBroker;
let bench: Bench;
let proxy: TcpProxy;
let direct: KafkaSettings;
let proxied: KafkaSettings;

beforeAll(async () => {
  broker = await startOwnBroker();
  ({ bench, proxy, proxied } = broker);
  direct = bench.direct;
}, 180_000);

afterEach(async () => {
  proxy.heal();
  proxy.release();
  proxy.latencyMs = 0;
  await bench.end();
});

afterAll(() => broker.stop(), 60_000);

const text = (r: InboundRecord) => String(r.value);
const record = (key: string, value: string) => ({ key, value, headers: {} });

/** Sends numbered records; returns which were acknowledged and which were not. */
async function sendAll(producer: MicroBatchProducer, t: string, from: number, count: number) {
  const acknowledged: string[] = [];
  const failed: unknown[] = [];
  const numbers = Array.from({ length: count }, (_, i) => String(from + i));
  const send = (n: string) =>
    producer.send({ topic: t, ...record(`k${n}`, n) }).then(
      () => acknowledged.push(n),
      (error) => failed.push(error),
    );
  const all = Promise.all(numbers.map(send));
  return { all, acknowledged, failed };
}

describe('producing traps', () => {
  it('half-open until retries are exhausted, then healed: what was acknowledged is there', async () => {
    const t = await bench.topic(2);
    const producer = await bench.producer(proxied);
    const kept: string[] = [];
    for (let round = 0; round < 2; round++) {
      const before = await sendAll(producer, t, round * 100, 10);
      await before.all;
      proxy.swallow('down');
      const startedAt = Date.now();
      const during = await sendAll(producer, t, round * 100 + 20, 5);
      await during.all;
      expect(Date.now() - startedAt).toBeLessThan(6_000);
      expect(during.acknowledged).toEqual([]);
      for (const error of during.failed) expect(error).toMatchObject({ kind: 'transient', outcomeUnknown: true });
      proxy.heal();
      const after = await sendAll(producer, t, round * 100 + 40, 20);
      await after.all;
      expect(after.failed).toEqual([]);
      kept.push(...before.acknowledged, ...after.acknowledged);
    }
    const there = new Set((await collect(readTopic(direct, t))).map(text));
    expect(kept.filter((n) => !there.has(n))).toEqual([]);
    expect(kept).toHaveLength(60);
  }, 40_000);

  it('connections reset with 20 sends in flight: what was acknowledged is there', async () => {
    const t = await bench.topic(6);
    const producer = await bench.producer(proxied);
    const kept: string[] = [];
    let failures = 0;
    let next = 0;
    const end = Date.now() + 6_000;
    const sender = async () => {
      while (Date.now() < end) {
        const n = String(next++);
        await producer.send({ topic: t, ...record(`k${n}`, n) }).then(
          () => kept.push(n),
          () => failures++,
        );
      }
    };
    const nemesis = async () => {
      while (Date.now() < end) {
        await new Promise((resolve) => setTimeout(resolve, 20 + Math.random() * 80));
        proxy.reset();
      }
    };
    // Answers are on their way most of the time.
    proxy.latencyMs = 2;
    await Promise.all([nemesis(), ...Array.from({ length: 20 }, sender)]);
    const there = new Set((await collect(readTopic(direct, t))).map(text));
    expect(kept.filter((n) => !there.has(n))).toEqual([]);
    expect(kept.length).toBeGreaterThan(500);
    expect(failures).toBeLessThan(kept.length / 2);
  }, 60_000);

  it('a request released late lands behind a newer one of a plain producer: the trap is real', async () => {
    const t = await bench.topic(1);
    const producer = await bench.producer(proxied);
    await producer.send({ topic: t, ...record('k', '0') });
    proxy.hold();
    await producer.send({ topic: t, ...record('k', '1') });
    await producer.send({ topic: t, ...record('k', '2') });
    expect(proxy.release()).toBeGreaterThan(0);
    await until(async () => (await collect(readTopic(direct, t))).length === 4);
    expect((await collect(readTopic(direct, t))).map(text)).toEqual(['0', '1', '2', '1']);
  }, 40_000);

  it('a request released late never lands behind a newer one of a transactional publisher', async () => {
    const t = await bench.topic(1, { 'cleanup.policy': 'compact' });
    const publisher = bench.publisher(proxied);
    const publish = async (value: string) => {
      const tx = await publisher.begin();
      await tx.send(t, [record('k', value)]);
      await tx.commit();
    };
    await publish('0');
    for (let round = 1; round <= 3; round++) {
      const stale = await publisher.begin();
      // In rounds two and three the transaction is known to the broker when the request is held.
      if (round > 1) await stale.send(t, [record('k', `${round} opened`)]);
      proxy.hold();
      const lost = round < 3 ? stale.send(t, [record('k', `${round} stale`)]) : stale.commit();
      await expect(lost).rejects.toMatchObject({ kind: 'transient', outcomeUnknown: true });
      await publish(`${round} newer`);
      expect(proxy.release()).toBeGreaterThan(0);
      await new Promise((resolve) => setTimeout(resolve, 700));
    }
    await publish('last');
    const seen = (await collect(readTopic(direct, t))).map(text);
    expect(seen).toEqual(['0', '1 newer', '2 newer', '3 newer', 'last']);
  }, 60_000);

  it('random hangs and resets: transactions lose nothing, repeat nothing, invert nothing', async () => {
    const t = await bench.topic(3, { 'cleanup.policy': 'compact' });
    const publisher = bench.publisher(proxied);
    const committed = new Set<number>();
    let unknown = 0;
    const end = Date.now() + 9_000;
    let revision = 0;
    for (let n = 0; Date.now() < end; n++) {
      const fault = n % 12;
      const inTime = setTimeout(() => (fault === 5 ? proxy.hold() : fault === 9 ? proxy.reset() : undefined), n % 7);
      revision++;
      try {
        const tx = await publisher.begin();
        await tx.send(t, [record(`k${revision % 5}`, String(revision))]);
        await tx.commit();
        committed.add(revision);
      } catch (error) {
        expect(error).toBeInstanceOf(SyncError);
        unknown++;
      }
      clearTimeout(inTime);
      if (n % 5 === 0) proxy.release();
    }
    proxy.release();
    const last = await publisher.begin();
    await last.commit();
    const byKey = new Map<string, number[]>();
    for (const r of await collect(readTopic(direct, t)))
      byKey.set(r.key, [...(byKey.get(r.key) ?? []), Number(text(r))]);
    const seen = [...byKey.values()].flat();
    expect([...committed].filter((r) => !seen.includes(r))).toEqual([]);
    expect(new Set(seen).size).toBe(seen.length);
    for (const revisions of byKey.values()) expect(revisions).toEqual([...revisions].sort((a, b) => a - b));
    expect(unknown).toBeGreaterThan(0);
    expect(committed.size).toBeGreaterThan(20);
  }, 60_000);
});
