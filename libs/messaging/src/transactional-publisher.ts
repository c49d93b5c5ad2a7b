import { header } from '@syncline/contracts';
import { inject, inSpan, SpanKind } from '@syncline/runtime';
import type { Message, Producer, Transaction } from 'kafkajs';
import { createKafka, type KafkaSettings } from './client.js';
import { FencedError, hasType, isFencing, pause, produceFailure, within } from './failure.js';
import { measuredSend } from './measure.js';
import { takeSend } from './micro-batch-producer.js';
import { namedPartition, partitionCount, partitionOf } from './partition.js';
import { type OutboundMessage, sizeOf } from './record.js';

/** Begin, send and commit each end within this, one way or the other. */
const stepMsMax = 5_000;
const transactionMsMax = 20_000;
// One try: kafkajs loses count of a send to several brokers that it tries again. What fails is aborted and given again.
const timing = {
  requestTimeout: 1_000,
  connectionTimeout: 1_000,
  retry: { retries: 0, initialRetryTime: 3 },
} as const;

// The predecessor's transaction, or our own last one, is still being ended by the coordinator; or it is just starting up.
const waitFor = [
  'CONCURRENT_TRANSACTIONS',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'GROUP_LOAD_IN_PROGRESS',
  'NOT_COORDINATOR_FOR_GROUP',
];

/** One transaction. After an error of any step it is over: begin another one. */
export interface OpenTransaction {
  /** Resolves when every record is acknowledged by all in-sync replicas; readers see them after `commit`. */
  send(topic: string, messages: readonly OutboundMessage[]): Promise<void>;
  /** Makes all of it visible at once. A failure leaves the outcome unknown. */
  commit(): Promise<void>;
  /** Never throws: what cannot be aborted now is aborted by the next `begin`, or by its time-out. */
  abort(): Promise<void>;
}

/**
 * The producer of canonical topics: transactions under one fixed transactional id, one at a time. Every error throws the
 * producer away; the next `begin` connects a new one under the same id, and from then on the broker refuses whatever of the old
 * one is still on its way. That is what keeps an older state of a record from landing behind a newer one.
 */
export class TransactionalPublisher {
  #producer: Producer | null = null;
  #connecting: Promise<void> | null = null;
  #open = false;
  #closed = false;
  #fenced: FencedError | null = null;

  constructor(
    private readonly kafka: KafkaSettings,
    readonly transactionalId: string,
  ) {}

  /** Whether another producer has taken the id: this publisher is of no use any more. */
  get fenced(): boolean {
    return this.#fenced !== null;
  }

  /** Takes the id over: from here on its predecessor is fenced and its open transaction aborted. Bounded to about 5 s. */
  async connect(): Promise<void> {
    this.#usable();
    if (this.#producer) return;
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = null;
    });
    await this.#connecting;
  }

  async #connect(): Promise<void> {
    const producer = createKafka(this.kafka, timing).producer({
      transactionalId: this.transactionalId,
      transactionTimeout: transactionMsMax,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner: namedPartition,
    });
    const work = this.#takeOver(producer);
    try {
      await within(stepMsMax, `taking over ${this.transactionalId}`, work);
    } catch (error) {
      discard(producer, work);
      throw this.#failure(error, `taking over ${this.transactionalId}`);
    }
    if (this.#closed) {
      discard(producer, work);
      this.#usable();
    }
    this.#producer = producer;
  }

  /** kafkajs asks for the id with the first transaction; an empty one ends without a request. */
  async #takeOver(producer: Producer): Promise<void> {
    await producer.connect();
    const first = await patiently(() => producer.transaction());
    await first.abort();
  }

  /** Throws FencedError, a transient SyncError, or an Error when the last transaction was not ended. */
  async begin(): Promise<OpenTransaction> {
    this.#usable();
    if (this.#open) throw new Error(`${this.transactionalId}: the last transaction is still open`);
    this.#open = true;
    try {
      await this.connect();
      const producer = this.#producer!;
      const transaction = await producer.transaction();
      return this.#opened(producer, transaction);
    } catch (error) {
      this.#open = false;
      throw this.#failure(error, `taking over ${this.transactionalId}`);
    }
  }

  /** Ends the connection. An open transaction is left to its successor or its time-out. */
  async close(): Promise<void> {
    this.#closed = true;
    const producer = this.#producer;
    this.#producer = null;
    if (producer) await within(2_000, 'closing a producer', producer.disconnect()).catch(() => {});
  }

  #opened(producer: Producer, transaction: Transaction): OpenTransaction {
    let over = false;
    const step = async (name: string, run: () => Promise<void>, ends: boolean) => {
      if (over) throw new Error(`${this.transactionalId}: this transaction has ended`);
      over = ends;
      const work = run();
      try {
        await within(stepMsMax, name, work);
      } catch (error) {
        over = true;
        if (this.#producer === producer) this.#producer = null;
        discard(producer, work);
        this.#open = false;
        throw this.#failure(error, name);
      }
      if (ends) this.#open = false;
    };
    return {
      send: (topic, messages) => step(`a send to ${topic}`, () => this.#send(transaction, topic, messages), false),
      commit: () => step('a commit', () => transaction.commit(), true),
      abort: async () => {
        if (!over) await step('an abort', () => transaction.abort(), true).catch(() => {});
      },
    };
  }

  async #send(transaction: Transaction, topic: string, messages: readonly OutboundMessage[]): Promise<void> {
    if (messages.length === 0) return;
    const partitions = await partitionCount(this.kafka, topic);
    const byPartition = new Map<number, { message: Message; bytes: number }[]>();
    for (const each of messages) {
      const partition = partitionOf(each.key, partitions);
      const headers = each.headers[header.traceparent]
        ? each.headers
        : inject({ ...each.headers } as Record<string, string>);
      const message = { key: each.key, value: each.value, headers, partition };
      const waiting = byPartition.get(partition);
      if (waiting) waiting.push({ message, bytes: sizeOf(each) });
      else byPartition.set(partition, [{ message, bytes: sizeOf(each) }]);
    }
    const attributes = {
      'messaging.system.name': 'kafka',
      'messaging.operation.name': 'send',
      'messaging.operation.type': 'send',
      'messaging.destination.name': topic,
      'messaging.batch.message_count': messages.length,
    };
    await inSpan(`send ${topic}`, { kind: SpanKind.PRODUCER, attributes }, async () => {
      for (const lists = [...byPartition.values()]; lists.some((waiting) => waiting.length > 0); ) {
        const together = lists.flatMap((waiting) => takeSend(waiting).map((each) => each.message));
        // Refused while the last transaction is being ended, and before anything is written: asking again is safe.
        const send = () => transaction.send({ topic, messages: together, acks: -1, timeout: timing.requestTimeout });
        await measuredSend(topic, together.length, () => patiently(send));
      }
    });
  }

  #usable(): void {
    if (this.#fenced) throw this.#fenced;
    if (this.#closed) throw new Error(`${this.transactionalId}: the publisher is closed`);
  }

  #failure(error: unknown, where: string): Error {
    if (error instanceof FencedError) return error;
    if (isFencing(error)) {
      this.#fenced = new FencedError(this.transactionalId, error);
      return this.#fenced;
    }
    return produceFailure(error, where);
  }
}

/** Asks again while the coordinator says that it is still busy with an earlier transaction; the step's bound ends it. */
async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  const end = Date.now() + stepMsMax;
  for (let waitMs = 2; ; waitMs = Math.min(waitMs * 2, 200)) {
    try {
      return await ask();
    } catch (error) {
      if (!hasType(error, ...waitFor) || Date.now() + waitMs > end) throw error;
      await pause(waitMs);
    }
  }
}

/** Ends a producer for good. What it still tries may connect again, so it is ended once more after that. */
function discard(producer: Producer, work: Promise<unknown>): void {
  const end = () => producer.disconnect().catch(() => {});
  void end();
  void work.then(end, end);
}
