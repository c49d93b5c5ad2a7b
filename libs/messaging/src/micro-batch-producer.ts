import { context, trace } from '@opentelemetry/api';
import { header, SyncError } from '@syncline/contracts';
import { type Context, inject, inSpan, type Link, SpanKind } from '@syncline/runtime';
import type { Message } from 'kafkajs';
import type { KafkaSettings } from './client.js';
import { isRetriable, pause, produceFailure, within } from './failure.js';
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

/** Requests at the same time. */
const requestsMax = 2;
/** After a request its place rests for so long, unless much waits: the next one carries more, and a busy broker is asked less. */
const restMs = 8;

/** What waits for one partition. One request at a time, so that records keep their order. */
interface Lane {
  topic: string;
  partition: number;
  waiting: Waiting[];
  busy: boolean;
}

/** What of a partition goes with a request. */
interface Part {
  lane: Lane;
  sending: Waiting[];
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
 * The producer of raw, failure and receipt topics: plain, acks=all. It is not idempotent on purpose (an idempotent one
 * acknowledges records that it lost), and what fails is sent again as a whole; consumers judge repeats by version. What callers
 * send while requests are under way goes together in the next one, so nothing waits when nothing is under way, and a busy
 * broker is asked less often for more.
 */
export class MicroBatchProducer {
  readonly #client: PlainClient;
  readonly #lanes = new Map<string, Lane[]>();
  readonly #limits: Required<MicroBatchOptions>;
  #waiting = 0;
  #waitingBytes = 0;
  #sweeper: NodeJS.Timeout | undefined;
  /** Partitions that have something to send and no request under way. */
  #due: Lane[] = [];
  #requests = 0;

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
    if (this.#due.push(lane) > 1 || this.#requests >= requestsMax) return;
    process.nextTick(() => this.#start());
  }

  #start(): void {
    while (this.#requests < requestsMax && this.#due.length > 0) {
      const { topic } = this.#due[0]!;
      const lanes = this.#due.filter((lane) => lane.topic === topic);
      this.#due = this.#due.filter((lane) => lane.topic !== topic);
      void this.#request(topic, lanes);
    }
  }

  /** Sends what waits for some partitions of a topic. */
  async #request(topic: string, lanes: readonly Lane[]): Promise<void> {
    this.#requests++;
    const parts = lanes.map((lane) => ({ lane, sending: takeSend(lane.waiting) })).filter((p) => p.sending.length > 0);
    for (const { lane } of parts) lane.busy = true;
    const failure = parts.length === 0 ? null : await this.#sendTogether(topic, parts);
    for (const part of parts) {
      // One partition's record was refused for itself: the others' are not to blame.
      const apart = failure?.kind === 'rejected' && parts.length > 1;
      this.#ended(part, apart ? await this.#sendTogether(topic, [part]) : failure);
    }
    if (this.#waitingBytes < sendBytesMax && !this.#client.closed) await pause(restMs);
    this.#requests--;
    this.#start();
  }

  #ended({ lane, sending }: Part, failure: SyncError | null): void {
    this.#waiting -= sending.length;
    for (const each of sending) {
      this.#waitingBytes -= each.bytes;
      if (failure) each.reject(failure);
      else each.resolve();
    }
    lane.busy = false;
    if (lane.waiting.length > 0) this.#due.push(lane);
  }

  async #sendTogether(topic: string, parts: readonly Part[]): Promise<SyncError | null> {
    const sending = parts.flatMap((part) => part.sending);
    const since = Math.min(...sending.map((each) => each.since));
    const left = Math.max(500, this.#limits.timeoutMs - (Date.now() - since));
    const messages = sending.map((each) => each.message);
    const options = {
      kind: SpanKind.PRODUCER,
      parent: sending[0]!.from,
      links: linksOf(sending),
      attributes: {
        'messaging.system.name': 'kafka',
        'messaging.operation.name': 'send',
        'messaging.operation.type': 'send',
        'messaging.destination.name': topic,
        ...(parts.length === 1 ? { 'messaging.destination.partition.id': String(parts[0]!.lane.partition) } : {}),
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
