import { type Consumer, type KafkaMessage, type PartitionAssigner, PartitionAssigners } from 'kafkajs';
import { createKafka, type KafkaSettings, logTo, patientRetry } from './client.js';
import { backoffMs, pause, within } from './failure.js';

export const sessionMs = 10_000;
const rebalanceMs = 15_000;
const partitionsFetchedMax = 64;
/** Fetching idles for this long at most, so a rebalance or a stop begins within it. */
const fetchMsMax = 100;
/** A consumer that has neither fetched nor sent a heartbeat for so long will not recover: it is replaced. */
const silenceMsMax = { joined: 15_000, joining: 45_000 };

/** What a consumer's life brings. */
export interface GroupEvents {
  /** A new generation: this member now owns these partitions, and no others. `memberId` is the same while its session lives. */
  joined(assignment: Record<string, number[]>, memberId: string): void;
  /** Awaited before this member joins again. `orderly`: the session lives, so running work may end and be committed. */
  leaving(orderly: boolean): Promise<void>;
  fetched(
    topic: string,
    partition: number,
    messages: KafkaMessage[],
    lastOffset: string,
    highWatermark: string,
  ): boolean;
  /** Fetched, but nothing in it is for readers: transaction markers, aborted or compacted records. */
  skipped(topic: string, partition: number, lastOffset: string, highWatermark: string): void;
  /** Resolves when more records can be worked on. */
  room(): Promise<void>;
}

export interface GroupOptions {
  kafka: KafkaSettings;
  groupId: string;
  topics: string[];
  fromBeginning: boolean;
}

export interface Position {
  topic: string;
  partition: number;
  offset: string;
}

/**
 * A kafkajs consumer that is built anew whenever it dies. kafkajs only fetches, beats and rejoins here: records are handed over
 * at once, so no slow handler ever stops the heartbeat, and every offset is committed by us.
 */
export class GroupConsumer {
  #consumer: Consumer | null = null;
  #generation = 0;
  #joined = false;
  #orderly = false;
  #activeAt = Date.now();
  #joinedAt = 0;
  /** Consumers built since the last one that held for a while. */
  #attempts = 0;
  #stopped = new AbortController();
  #watch: NodeJS.Timeout | undefined;

  constructor(
    private readonly options: GroupOptions,
    private readonly events: GroupEvents,
  ) {}

  start(): void {
    this.#watch = setInterval(() => this.#checkSilence(), 1_000).unref();
    void this.#build();
  }

  /** Member of the group, and heard from the broker within the last 5 s. */
  isReady(): boolean {
    return this.#joined && Date.now() - this.#activeAt < 5_000;
  }

  /** Bounded; throws what kafkajs throws: the caller decides that a failed commit is no failure. */
  async commit(positions: Position[]): Promise<void> {
    const consumer = this.#consumer;
    if (!consumer) throw new Error('not connected');
    await within(3_000, 'an offset commit', consumer.commitOffsets(positions));
  }

  pause(topic: string, partition: number): void {
    if (this.#joined) this.#consumer?.pause([{ topic, partitions: [partition] }]);
  }

  resume(topic: string, partition: number): void {
    if (this.#joined) this.#consumer?.resume([{ topic, partitions: [partition] }]);
  }

  /** Leaves the group, so that others take over at once. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    clearInterval(this.#watch);
    this.#generation++;
    this.#joined = false;
    const consumer = this.#consumer;
    this.#consumer = null;
    if (consumer) await within(3_000, 'leaving the group', consumer.disconnect()).catch(() => {});
  }

  async #build(): Promise<void> {
    const generation = ++this.#generation;
    const { signal } = this.#stopped;
    if (this.#attempts++ > 0) await pause(backoffMs(this.#attempts, 200, 5_000), signal);
    if (signal.aborted || generation !== this.#generation) return;
    this.#active();
    const consumer = this.#create(generation);
    this.#consumer = consumer;
    try {
      await consumer.connect();
      await consumer.subscribe({ topics: this.options.topics, fromBeginning: this.options.fromBeginning });
      await consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        // All that one fetch brought is handed over at once; the next fetch waits until there is room for all of it.
        partitionsConsumedConcurrently: partitionsFetchedMax,
        eachBatch: async ({ batch, resolveOffset }) => {
          if (generation !== this.#generation) return;
          this.#active();
          const { topic, partition, messages } = batch;
          const last = messages.at(-1);
          if (!last || !this.events.fetched(topic, partition, messages, batch.lastOffset(), batch.highWatermark))
            return;
          resolveOffset(last.offset);
          await this.events.room();
        },
      });
    } catch (error) {
      this.#replace(generation, error);
    }
  }

  #create(generation: number): Consumer {
    const current = () => generation === this.#generation;
    const { kafka, groupId } = this.options;
    const retry = { ...patientRetry, restartOnFailure: async () => false };
    const timing = { requestTimeout: 10_000, connectionTimeout: 2_000, retry: patientRetry };
    const consumer = createKafka(kafka, timing).consumer({
      groupId,
      sessionTimeout: sessionMs,
      rebalanceTimeout: rebalanceMs,
      heartbeatInterval: 1_000,
      maxWaitTimeInMs: fetchMsMax,
      minBytes: 1,
      readUncommitted: false,
      allowAutoTopicCreation: false,
      retry,
      partitionAssigners: [beforeEachJoin(() => this.#leaving(generation))],
    });
    const { events } = consumer;
    consumer.on(events.CRASH, ({ payload }) => this.#replace(generation, payload.error));
    consumer.on(events.REBALANCING, () => {
      if (current()) this.#orderly = true;
    });
    consumer.on(events.FETCH, () => current() && this.#active());
    consumer.on(events.HEARTBEAT, () => current() && this.#active());
    consumer.on(events.GROUP_JOIN, ({ payload }) => {
      if (!current()) return;
      this.#joined = true;
      this.#joinedAt = Date.now();
      this.#active();
      this.events.joined(payload.memberAssignment as unknown as Record<string, number[]>, payload.memberId);
    });
    consumer.on(events.END_BATCH_PROCESS, ({ payload }) => {
      if (current() && payload.batchSize === 0)
        this.events.skipped(payload.topic, payload.partition, payload.lastOffset, payload.highWatermark);
    });
    return consumer;
  }

  async #leaving(generation: number): Promise<void> {
    if (generation !== this.#generation) return;
    const orderly = this.#orderly;
    this.#orderly = false;
    // Offsets can still be committed, but nothing fetched or paused until the next assignment.
    this.#joined = false;
    await this.events.leaving(orderly);
    this.#active();
  }

  /** The old consumer is ended behind our back: on a dead connection that takes as long as its requests do. */
  #replace(generation: number, error: unknown): void {
    if (generation !== this.#generation || this.#stopped.signal.aborted) return;
    logTo(this.options.kafka)({
      level: 'warn',
      msg: 'kafka consumer is replaced',
      groupId: this.options.groupId,
      reason: error instanceof Error ? `${error.name}: ${error.message}`.slice(0, 300) : 'unknown',
    });
    const old = this.#consumer;
    this.#consumer = null;
    this.#joined = false;
    this.#generation++;
    void old?.disconnect().catch(() => {});
    void this.events.leaving(false).then(() => this.#build());
  }

  #active(): void {
    this.#activeAt = Date.now();
  }

  #checkSilence(): void {
    const now = Date.now();
    const silentMs = now - this.#activeAt;
    if (this.#joined && now - this.#joinedAt > sessionMs) this.#attempts = 0;
    if (this.#consumer && silentMs > (this.#joined ? silenceMsMax.joined : silenceMsMax.joining))
      this.#replace(this.#generation, new Error(`silent for ${silentMs} ms`));
  }
}

/**
 * kafkajs joins a new generation at once and tells of it without waiting. Its one way in: before every join it looks for the
 * group's coordinator, on the cluster object that it hands to partition assigners.
 */
function beforeEachJoin(prepare: () => Promise<void>): PartitionAssigner {
  return (config) => {
    const { cluster } = config;
    const find = cluster.findGroupCoordinator.bind(cluster);
    cluster.findGroupCoordinator = async (group) => {
      await prepare();
      return find(group);
    };
    return PartitionAssigners.roundRobin(config);
  };
}
