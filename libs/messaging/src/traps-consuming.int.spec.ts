import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Batch } from './batch.js';
import { FencedError } from './failure.js';
import { readTopic } from './read-topic.js';
import { type Bench, type OwnBroker, startOwnBroker } from './testing/own-broker.js';
import { collect, until } from './testing/wait.js';

// What was measured to kill, block or livelock a kafkajs consumer, on a broker of our own.

let broker: OwnBroker;
let bench: Bench;

beforeAll(async () => {
  broker = await startOwnBroker();
  bench = broker.bench;
}, 180_000);

afterEach(() => bench.end());

afterAll(() => broker.stop(), 60_000);

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Sends numbered records, about 100 a second, until told to stop. Only acknowledged ones count as sent. */
async function trickle(topic: string) {
  const producer = await bench.producer();
  const sent: number[] = [];
  let going = true;
  let waiting = 0;
  const done = (async () => {
    for (let n = 0; going; n++) {
      waiting++;
      void producer
        .send({ topic, key: `k${n}`, value: String(n), headers: {} })
        .then(
          () => sent.push(n),
          () => {},
        )
        .finally(() => waiting--);
      await sleep(10);
    }
    await until(() => waiting === 0);
  })();
  return {
    producer,
    sent,
    stop: () => {
      going = false;
      return done;
    },
  };
}

/** A handler that writes down what it was given. */
function recording() {
  const seen: number[] = [];
  const places: string[] = [];
  return {
    seen,
    handle: async ({ records }: Batch) => {
      for (const r of records) {
        seen.push(Number(r.value));
        places.push(`${r.partition}/${r.offset}`);
      }
    },
    /** How often a record of the log was given again: not what stands in the log twice. */
    givenAgain: () => places.length - new Set(places).size,
    has: (sent: readonly number[]) => {
      const all = new Set(seen);
      return sent.every((n) => all.has(n));
    },
    repeats: () => seen.length - new Set(seen).size,
  };
}

describe('consuming traps', () => {
  it('a broker paused for 12 s: the consumer lives on and misses nothing', async () => {
    const topic = await bench.topic(3);
    const { seen, handle, has, givenAgain } = recording();
    const work = bench.work({ topics: [topic] }, handle);
    const load = await trickle(topic);
    await until(() => seen.length > 50 && work.isReady());
    await broker.infra.kill('kafka', 'SIGSTOP');
    await sleep(12_000);
    expect(work.isReady()).toBe(false);
    expect(load.producer.isReady()).toBe(false);
    await broker.infra.kill('kafka', 'SIGCONT');
    await until(() => work.isReady() && load.producer.isReady(), 20_000);
    await load.stop();
    await until(() => has(load.sent), 10_000);
    expect(load.sent.length).toBeGreaterThan(200);
    // Only what was not yet committed when the broker stopped may come again.
    expect(givenAgain()).toBeLessThan(seen.length / 4);
  }, 70_000);

  it('a broker killed with -9 and started again: everything acknowledged is handled, with no manual step', async () => {
    const topic = await bench.topic(3);
    const { seen, handle, has } = recording();
    const work = bench.work({ topics: [topic] }, handle);
    const load = await trickle(topic);
    await until(() => seen.length > 50);
    await broker.infra.kill('kafka', 'SIGKILL');
    await sleep(500);
    await until(() => !load.producer.isReady(), 5_000);
    await broker.infra.restart('kafka');
    const before = load.sent.length;
    await until(() => load.sent.length > before + 100 && work.isReady(), 60_000);
    await load.stop();
    await until(() => has(load.sent), 30_000);
    expect((await collect(readTopic(bench.direct, topic))).length).toBeGreaterThanOrEqual(load.sent.length);
  }, 150_000);

  it('members that come and go: nothing is missed, and nothing is given twice', async () => {
    const topic = await bench.topic(6);
    const { seen, handle, has, repeats } = recording();
    const groupId = `g-${randomUUID()}`;
    const slowly = async (batch: Batch) => {
      await sleep(20);
      await handle(batch);
    };
    bench.work({ topics: [topic], groupId }, slowly);
    const load = await trickle(topic);
    await until(() => seen.length > 20);
    for (let round = 0; round < 4; round++) {
      const other = bench.work({ topics: [topic], groupId }, slowly);
      await sleep(1_200);
      await other.stop();
    }
    await load.stop();
    await until(() => has(load.sent));
    expect(load.sent.length).toBeGreaterThan(300);
    expect(repeats()).toBe(0);
  }, 60_000);

  it('a handler slower than the session keeps its partition: its records are given to nobody else', async () => {
    const topic = await bench.topic(2);
    const producer = await bench.producer();
    const groupId = `g-${randomUUID()}`;
    let calls = 0;
    let finished = 0;
    const slow = async ({ heartbeat }: Batch) => {
      calls++;
      for (let step = 0; step < 12; step++) {
        await sleep(1_000);
        await heartbeat();
      }
      finished++;
    };
    bench.work({ topics: [topic], groupId }, slow);
    await producer.send({ topic, key: 'a', value: '1', headers: {} });
    await until(() => finished === 1, 30_000);
    expect(calls).toBe(1);
  }, 40_000);

  it('a member that joins stops a long batch at its next heartbeat, and only the new owner goes on', async () => {
    const topic = await bench.topic(1);
    const producer = await bench.producer();
    const groupId = `g-${randomUUID()}`;
    const aborted: string[] = [];
    const long =
      (name: string) =>
      async ({ heartbeat }: Batch) => {
        try {
          for (let step = 0; step < 45; step++) {
            await sleep(100);
            await heartbeat();
          }
          aborted.push(`${name} ended`);
        } catch (error) {
          aborted.push(`${name} stopped`);
          throw error;
        }
      };
    const first = bench.work({ topics: [topic], groupId }, long('first'));
    await producer.send({ topic, key: 'a', value: '1', headers: {} });
    await until(() => first.isReady());
    await sleep(500);
    bench.work({ topics: [topic], groupId }, long('second'));
    await until(() => aborted.length >= 2, 30_000);
    expect(aborted[0]).toBe('first stopped');
    expect(aborted[1]).toMatch(/ended/);
    await sleep(1_500);
    expect(aborted).toHaveLength(2);
  }, 60_000);

  it('a fenced publisher: its partition is taken anew only after a session without a new owner', async () => {
    const topic = await bench.topic(1);
    const out = await bench.topic(1);
    const id = `tx-${randomUUID()}`;
    const calls: string[] = [];
    let publisher = bench.publisher(bench.direct, id);
    const producer = await bench.producer();
    let fencedAt = 0;
    let againAt = 0;
    bench.work(
      {
        topics: [topic],
        onAssigned: async () => {
          calls.push('assigned');
          publisher = bench.publisher(bench.direct, id);
          await publisher.connect();
        },
        onRevoked: async () => {
          calls.push('revoked');
          await publisher.close();
        },
      },
      async ({ records, takeover }) => {
        calls.push(takeover ? 'takeover' : 'batch');
        try {
          const tx = await publisher.begin();
          await tx.send(
            out,
            records.map((r) => ({ key: r.key, value: r.value, headers: {} })),
          );
          await tx.commit();
        } catch (error) {
          if (error instanceof FencedError) fencedAt = Date.now();
          throw error;
        }
        againAt = Date.now();
      },
    );
    await producer.send({ topic, key: 'a', value: '1', headers: {} });
    await until(() => againAt > 0);
    await bench.publisher(bench.direct, id).connect();
    await producer.send({ topic, key: 'a', value: '2', headers: {} });
    await until(() => againAt > fencedAt && fencedAt > 0, 25_000);
    expect(calls).toEqual(['assigned', 'takeover', 'batch', 'revoked', 'assigned', 'takeover']);
    expect(againAt - fencedAt).toBeGreaterThanOrEqual(10_000);
    expect((await collect(readTopic(bench.direct, out))).map((r) => String(r.value))).toEqual(['1', '2']);
  }, 60_000);
});
