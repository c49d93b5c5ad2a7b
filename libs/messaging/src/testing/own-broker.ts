import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Infra, startInfra } from '@syncline/infra';
import type { BatchHandler, BatchStrategyOptions } from '../batch.js';
import type { KafkaSettings } from '../client.js';
import { GroupWork } from '../group-work.js';
import { MicroBatchProducer } from '../micro-batch-producer.js';
import { migrateTopics } from '../topics.js';
import { TransactionalPublisher } from '../transactional-publisher.js';
import { TcpProxy } from './tcp-proxy.js';

/** Makes topics and clients with names of their own, and ends the clients. */
export class Bench {
  readonly #closing: (() => Promise<void>)[] = [];

  constructor(readonly direct: KafkaSettings) {}

  async topic(partitions = 3, config: Record<string, string> = {}): Promise<string> {
    const name = `t-${randomUUID()}`;
    await migrateTopics(this.direct, [{ name, partitions, config }]);
    return name;
  }

  async producer(kafka = this.direct): Promise<MicroBatchProducer> {
    const producer = new MicroBatchProducer(kafka);
    this.#closing.push(() => producer.disconnect());
    await producer.connect();
    return producer;
  }

  publisher(kafka = this.direct, id = `tx-${randomUUID()}`): TransactionalPublisher {
    const publisher = new TransactionalPublisher(kafka, id);
    this.#closing.push(() => publisher.close());
    return publisher;
  }

  work(options: Partial<BatchStrategyOptions> & { topics: string[] }, handle: BatchHandler): GroupWork {
    const work = new GroupWork({ kafka: this.direct, groupId: `g-${randomUUID()}`, ...options }, handle);
    this.#closing.push(() => work.stop());
    work.start();
    return work;
  }

  /** Ends every client made since the last call. */
  async end(): Promise<void> {
    await Promise.all(this.#closing.splice(0).map((close) => close()));
  }
}

/** A broker that nobody else uses, to be paused, killed and reached through a proxy. */
export interface OwnBroker {
  infra: Infra;
  proxy: TcpProxy;
  /** Settings that lead through the proxy. */
  proxied: KafkaSettings;
  bench: Bench;
  stop(): Promise<void>;
}

export async function startOwnBroker(): Promise<OwnBroker> {
  process.env.INFRA = 'native';
  const stateDir = mkdtempSync(join(tmpdir(), 'syncline-messaging-'));
  const proxy = await TcpProxy.listen();
  const infra = await startInfra({ stateDir, extraListener: { name: 'PROXIED', advertisedPorts: [proxy.port] } });
  proxy.target = infra.extraListenerPorts![0]!;
  const log = () => {};
  return {
    infra,
    proxy,
    proxied: { brokers: [`127.0.0.1:${proxy.port}`], clientId: 'traps', log },
    bench: new Bench({ brokers: [...infra.kafkaBrokers], clientId: 'traps', log }),
    stop: async () => {
      await proxy.close();
      await infra.stop();
      rmSync(stateDir, { recursive: true, force: true });
    },
  };
}
