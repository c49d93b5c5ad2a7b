import type { Message, Producer } from 'kafkajs';
import { createKafka, type KafkaSettings } from './client.js';
import { isRetriable, within } from './failure.js';
import { namedPartition } from './partition.js';

const probeMs = 2_000;
// One try here: the caller tries again over another connection, which kafkajs would not.
const timing = {
  requestTimeout: 2_000,
  connectionTimeout: 1_000,
  retry: { retries: 0, initialRetryTime: 50 },
} as const;

interface Connected {
  producer: Producer;
  ready: Promise<void>;
  users: number;
  discarded: boolean;
}

/**
 * A plain producer whose connection is replaced after every failure that a retry may cure. kafkajs keeps using a connection on
 * which requests time out, for as long as the kernel believes in it (a quarter of an hour).
 */
export class PlainClient {
  closed = false;
  #current: Connected | null = null;
  #healthy = false;
  #heardAt = 0;
  #prober: NodeJS.Timeout | undefined;

  constructor(private readonly kafka: KafkaSettings) {}

  async open(): Promise<void> {
    this.#prober ??= setInterval(() => void this.#probe(), probeMs).unref();
    await this.#connected().ready.then(
      () => this.#heard(true),
      () => this.#heard(false),
    );
  }

  isReady(): boolean {
    return !this.closed && this.#healthy;
  }

  async send(topic: string, messages: Message[]): Promise<void> {
    const connected = this.#connected();
    connected.users++;
    try {
      await connected.ready;
      await connected.producer.send({ topic, messages, acks: -1, timeout: timing.requestTimeout });
      this.#heard(true);
    } catch (error) {
      if (isRetriable(error)) {
        this.#discard(connected);
        this.#heard(false);
      }
      throw error;
    } finally {
      connected.users--;
      this.#endUnused(connected);
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    clearInterval(this.#prober);
    const last = this.#current;
    this.#current = null;
    if (last) await within(3_000, 'closing a producer', last.producer.disconnect()).catch(() => {});
  }

  #connected(): Connected {
    if (this.#current) return this.#current;
    const producer = createKafka(this.kafka, timing).producer({
      createPartitioner: namedPartition,
      allowAutoTopicCreation: false,
    });
    const connected: Connected = { producer, ready: producer.connect(), users: 0, discarded: false };
    connected.ready.catch(() => {
      this.#discard(connected);
      this.#endUnused(connected);
    });
    this.#current = connected;
    return connected;
  }

  #discard(connected: Connected): void {
    connected.discarded = true;
    if (this.#current === connected) this.#current = null;
  }

  /** Only when no other partition's request is still under way on it: those may yet be answered. */
  #endUnused(connected: Connected): void {
    if (connected.discarded && connected.users === 0) void connected.producer.disconnect().catch(() => {});
  }

  #heard(healthy: boolean): void {
    this.#healthy = healthy;
    this.#heardAt = Date.now();
  }

  /** Asks the broker over a connection of its own when nothing was sent lately: a paused broker still accepts connections. */
  async #probe(): Promise<void> {
    if (this.closed || (this.#healthy && Date.now() - this.#heardAt < probeMs)) return;
    const admin = createKafka(this.kafka, { ...timing, requestTimeout: 1_000 }).admin();
    try {
      await within(1_800, 'a probe of Kafka', admin.connect());
      this.#heard(true);
    } catch {
      this.#heard(false);
    } finally {
      void admin.disconnect().catch(() => {});
    }
  }
}
