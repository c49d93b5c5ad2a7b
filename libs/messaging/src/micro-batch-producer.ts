import { context, trace } from '@opentelemetry/api';
import { header, SyncError } from '@syncline/contracts';
import { type Context, inject, inSpan, type Link, SpanKind } from '@syncline/runtime';
import type { Message } from 'kafkajs';
import type { KafkaSettings } from './client.js';
import { isRetriable, produceFailure, within } from './failure.js';
import { measuredSend } from './measure.js';
import { knownPartitionCount, partitionCount, partitionOf } from './partition.js';
import { PlainClient } from './plain-client.js';
import { type OutboundMessage, sendBytesMax, sendRecordsMax, sizeOf } from './record.js';

export interface MicroBatchOptions {
  /** How long one message may take, waiting included, before it is refused. Default 4,500 ms: providers wait 5 s for an answer. */
  timeoutMs?: number;
  /** Records that may wait for the broker; more are refused as throttled. Default 20,000. */
  waitingMax?: number;
  /** Their bytes. Default 64 MiB. */
  waitingBytesMax?: number;
}

/** A message and the topic it goes to. */
export interface TopicMessage extends OutboundMessage {
  topic: string;
}

interface Waiting {
  message: Message;
  bytes: number;
  since: number;
  from: Context;
  resolve: () => void;
  reject: (error: SyncError) => void;
}

/** What waits for one partition. One request at a time, so that records keep their order. */
interface Lane {
  topic: string;
  partition: number;
  waiting: Waiting[];
  busy: boolean;
}

/** The records of the next send: as many as fit one record batch of the broker. Removes them from `waiting`. */
export function takeSend<T extends { bytes: number }>(waiting: T[]): T[] {
  let bytes = 0;
  let count = 0;
  while (count < waiting.length && count < sendRecordsMax) {
    bytes += waiting[count]!.bytes;
    if (count > 0 && bytes > sendBytesMax) break;
    count++;
  }
  return waiting.splice(0, count);
}

/**
 * The producer of raw, failure and receipt topics: plain, acks=all, one partition per request. It is not idempotent on
 * purpose (an idempotent one acknowledges records that it lost); consumers judge repeats by version. What callers send while a
 * request of the same partition is under way goes together in the next one, so nothing waits when nothing is under way.
 */
export class MicroBatchProducer {
  readonly #client: PlainClient;
  readonly #lanes = new Map<string, Lane[]>();
  readonly #limits: Required<MicroBatchOptions>;
  #waiting = 0;
  #waitingBytes = 0;
  #sweeper: NodeJS.Timeout | undefined;
  #flushing: Lane[] = [];

  constructor(
    private readonly kafka: KafkaSettings,
    options: MicroBatchOptions = {},
  ) {
    this.#limits = { timeoutMs: 4_500, waitingMax: 20_000, waitingBytesMax: 64 << 20, ...options };
    this.#client = new PlainClient(kafka);
  }

  /** Connects, and keeps watching the broker for `isReady`. Does not throw when no broker answers: later sends connect. */
  async connect(): Promise<void> {
    await this.#client.open();
  }

  /** Whether the broker answered when last heard of, at most 2 s ago. */
  isReady(): boolean {
    return this.#client.isReady();
  }

  /**
   * Resolves when all in-sync replicas have the record. Rejects with a SyncError: `transient` (outcomeUnknown where it was
   * sent), `throttled` when too much waits already, `rejected` when the broker refuses the record itself.
   */
  send(message: TopicMessage): Promise<void> {
    if (this.#client.closed) return Promise.reject(new SyncError('transient', 'the producer is closed'));
    const bytes = sizeOf(message);
    if (this.#waiting >= this.#limits.waitingMax || this.#waitingBytes + bytes > this.#limits.waitingBytesMax)
      return Promise.reject(new SyncError('throttled', 'too many records wait for Kafka', { retryAfterMs: 1_000 }));
    const from = context.active();
    const partitions = knownPartitionCount(this.kafka, message.topic);
    if (partitions !== undefined) return this.#enqueue(message, bytes, partitions, from);
    return partitionCount(this.kafka, message.topic).then(
      (count) => this.#enqueue(message, bytes, count, from),
      (error: unknown) => {
        throw new SyncError('transient', `Kafka gave no layout of ${message.topic}`, { cause: error });
      },
    );
  }

  #enqueue(message: TopicMessage, bytes: number, partitions: number, from: Context): Promise<void> {
    const lane = this.#lane(message.topic, partitionOf(message.key, partitions));
    const headers = message.headers[header.traceparent]
      ? message.headers
      : inject(Object.assign({}, message.headers) as Record<string, string>, from);
    const outgoing = { key: message.key, value: message.value, headers, partition: lane.partition };
    return new Promise((resolve, reject) => {
      lane.waiting.push({ message: outgoing, bytes, since: Date.now(), from, resolve, reject });
      this.#waiting++;
      this.#waitingBytes += bytes;
      this.#sweeper ??= setInterval(() => this.#sweep(), 250).unref();
      if (!lane.busy && lane.waiting.length === 1) this.#flushSoon(lane);
    });
  }

  #lane(topic: string, partition: number): Lane {
    const lanes = this.#lanes.get(topic) ?? [];
    this.#lanes.set(topic, lanes);
    lanes[partition] ??= { topic, partition, waiting: [], busy: false };
    return lanes[partition];
  }

  /** After the present callbacks: what one of them sends in a row goes together. */
  #flushSoon(lane: Lane): void {
    if (this.#flushing.push(lane) > 1) return;
    process.nextTick(() => {
      const lanes = this.#flushing;
      this.#flushing = [];
      for (const each of lanes) if (!each.busy) void this.#drain(each);
    });
  }

  async #drain(lane: Lane): Promise<void> {
    lane.busy = true;
    while (lane.waiting.length > 0) {
      const sending = takeSend(lane.waiting);
      const failure = await this.#sendTogether(lane, sending);
      this.#waiting -= sending.length;
      for (const each of sending) {
        this.#waitingBytes -= each.bytes;
        if (failure) each.reject(failure);
        else each.resolve();
      }
    }
    lane.busy = false;
  }

  async #sendTogether(lane: Lane, sending: Waiting[]): Promise<SyncError | null> {
    const { topic } = lane;
    const first = sending[0]!;
    const left = Math.max(500, this.#limits.timeoutMs - (Date.now() - first.since));
    const messages = sending.map((each) => each.message);
    const options = {
      kind: SpanKind.PRODUCER,
      parent: first.from,
      links: linksOf(sending),
      attributes: {
        'messaging.system.name': 'kafka',
        'messaging.operation.name': 'send',
        'messaging.operation.type': 'send',
        'messaging.destination.name': topic,
        'messaging.destination.partition.id': String(lane.partition),
        'messaging.batch.message_count': sending.length,
      },
    };
    try {
      await inSpan(`send ${topic}`, options, () =>
        measuredSend(topic, messages.length, () => within(left, `a send to ${topic}`, this.#twice(topic, messages))),
      );
      return null;
    } catch (error) {
      return produceFailure(error, `a send to ${topic}`);
    }
  }

  /** A second try goes over a new connection: after a time-out kafkajs keeps writing into the dead one. */
  async #twice(topic: string, messages: Message[]): Promise<void> {
    try {
      await this.#client.send(topic, messages);
    } catch (error) {
      if (!isRetriable(error)) throw error;
      await this.#client.send(topic, messages);
    }
  }

  /** Refuses what has waited too long behind a broker that does not answer. It was never sent. */
  #sweep(): void {
    if (this.#waiting === 0) {
      clearInterval(this.#sweeper);
      this.#sweeper = undefined;
      return;
    }
    const before = Date.now() - this.#limits.timeoutMs;
    for (const lanes of this.#lanes.values()) {
      for (const lane of lanes) {
        while (lane?.waiting[0] && lane.waiting[0].since < before) {
          const late = lane.waiting.shift()!;
          this.#waiting--;
          this.#waitingBytes -= late.bytes;
          late.reject(new SyncError('transient', `Kafka took no record for ${lane.topic} in time`));
        }
      }
    }
  }

  /** Sends what waits (bounded by the time-out of a message), then closes. */
  async disconnect(): Promise<void> {
    const end = Date.now() + this.#limits.timeoutMs;
    while (this.#waiting > 0 && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 10));
    clearInterval(this.#sweeper);
    await this.#client.close();
  }
}

/** The other callers' spans, so that each finds the send its record went with. Few are enough to look around. */
function linksOf(sending: Waiting[]): Link[] {
  const links: Link[] = [];
  for (let i = 1; i < sending.length && links.length < 32; i++) {
    const span = trace.getSpanContext(sending[i]!.from);
    if (span) links.push({ context: span });
  }
  return links;
}
