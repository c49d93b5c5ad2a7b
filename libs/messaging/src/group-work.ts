import { asSyncError } from '@syncline/contracts';
import type { KafkaMessage } from 'kafkajs';
import type { Batch, BatchHandler, BatchStrategyOptions } from './batch.js';
import { logTo } from './client.js';
import { backoffMs, isFencing, pause, within } from './failure.js';
import { FailureRouting, routeOf } from './failure-routing.js';
import { GroupConsumer, type GroupEvents, sessionMs } from './group-consumer.js';
import { lagBehind, type TopicLag } from './lag.js';
import { Lane } from './lane.js';
import { measuredBatch } from './measure.js';
import { OffsetCommits } from './offset-commits.js';
import { Ownership } from './ownership.js';

/** A lane fetches no more while so many bytes of values wait in it. */
const waitingBytesMax = 3 << 20;
/** How long a running batch may take to end by itself, then how long to obey the abort. Within a session, and within a stop. */
const graceMs = { end: 3_000, abort: 3_000 };
/** Fetching waits for a free place for so long, so that heartbeats go on. */
const roomMsMax = 50;
const retryMsMax = 10_000;

/** What a group's member does with its partitions: hands out batches, a few partitions at a time, and commits what is done. */
export class GroupWork implements GroupEvents {
  readonly #group: GroupConsumer;
  readonly #routing: FailureRouting;
  readonly #ownership: Ownership;
  readonly #commits: OffsetCommits;
  readonly #paused = new Set<string>();
  readonly #concurrent: number;
  readonly #recordsMax: number;
  #lanes = new Map<string, Lane>();
  #queue: Lane[] = [];
  #active = 0;
  #roomWaiters: (() => void)[] = [];
  #committer: NodeJS.Timeout | undefined;
  #stopping = false;

  constructor(
    private readonly options: BatchStrategyOptions,
    private readonly handle: BatchHandler,
  ) {
    const { kafka, groupId, topics } = options;
    this.#concurrent = options.partitionsConcurrent ?? 3;
    this.#recordsMax = options.maxBatchRecords ?? 1_000;
    this.#group = new GroupConsumer({ kafka, groupId, topics, fromBeginning: options.fromBeginning ?? true }, this);
    this.#routing = new FailureRouting(kafka, groupId);
    this.#ownership = new Ownership(options);
    this.#commits = new OffsetCommits(options, this.#group);
  }

  start(): void {
    this.#committer = setInterval(
      () => void (this.#commits.underWay ?? this.#commit()),
      this.options.commitIntervalMs ?? 1_000,
    ).unref();
    this.#group.start();
  }

  /** Lets running batches end, commits them and leaves the group: nothing that ended is given to anyone again. Under 15 s. */
  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    for (const lane of this.#lanes.values()) this.#group.pause(lane.topic, lane.partition);
    await this.#endLanes(true);
    clearInterval(this.#committer);
    await this.#group.stop();
    await within(3_000, 'giving partitions back', this.#ownership.releaseAll()).catch(() => {});
    await this.#routing.close();
  }

  isReady(): boolean {
    return !this.#stopping && this.#group.isReady();
  }

  /** Starts no more batches of these topics (all when absent). What is fetched waits, within its bound. */
  pause(topics: readonly string[] = this.options.topics): void {
    for (const topic of topics) this.#paused.add(topic);
  }

  resume(topics: readonly string[] = this.options.topics): void {
    for (const topic of topics) this.#paused.delete(topic);
    for (const lane of this.#lanes.values()) this.#offer(lane);
  }

  /** Of the partitions this member owns. */
  lag(): Promise<TopicLag[]> {
    const { kafka, groupId, topics } = this.options;
    return lagBehind(kafka, groupId, topics, (topic, partition) => {
      const lane = this.#lanes.get(`${topic}/${partition}`);
      return lane ? { next: lane.done, oldestAt: lane.oldest?.timestamp } : null;
    });
  }

  joined(assignment: Record<string, number[]>, memberId: string): void {
    if (this.#stopping) return;
    const lanes = new Map<string, Lane>();
    for (const [topic, partitions] of Object.entries(assignment))
      for (const partition of partitions) lanes.set(`${topic}/${partition}`, new Lane(topic, partition));
    this.#lanes = lanes;
    this.#ownership.changed([...lanes.values()], memberId, (lane) => {
      lane.prepared = true;
      this.#offer(lane);
    });
    // A pause of the last generation is remembered by kafkajs.
    for (const lane of lanes.values()) this.#group.resume(lane.topic, lane.partition);
  }

  async leaving(orderly: boolean): Promise<void> {
    await this.#endLanes(orderly);
  }

  fetched(topic: string, partition: number, messages: KafkaMessage[], last: string, high: string): boolean {
    const lane = this.#lanes.get(`${topic}/${partition}`);
    if (!lane || lane.closed) return false;
    lane.push(messages, last, high);
    if (!lane.held && (lane.waiting >= this.#recordsMax || lane.bytes >= waitingBytesMax)) {
      lane.held = true;
      this.#group.pause(topic, partition);
    }
    this.#offer(lane);
    return true;
  }

  skipped(topic: string, partition: number, last: string, high: string): void {
    const lane = this.#lanes.get(`${topic}/${partition}`);
    if (lane && !lane.closed) lane.push([], last, high);
  }

  get #full(): boolean {
    return this.#active >= this.#concurrent;
  }

  /** While every place is taken, more fetching would only move the waiting here, in smaller pieces. */
  room(): Promise<void> {
    if (!this.#full) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, roomMsMax);
      this.#roomWaiters.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #offer(lane: Lane): void {
    if (lane.closed || lane.queued || lane.busy || !lane.prepared || lane.resting || !lane.hasWork) return;
    if (this.#paused.has(lane.topic)) return;
    lane.queued = true;
    this.#queue.push(lane);
    this.#fill();
  }

  #fill(): void {
    while (!this.#full || this.options.together) {
      const lane = this.#queue.shift();
      if (!lane) break;
      lane.queued = false;
      if (lane.closed || this.#paused.has(lane.topic)) continue;
      lane.busy = true;
      this.#active++;
      void this.#ownership.inTurn(lane, () => this.#work(lane));
    }
    if (!this.#full) for (const go of this.#roomWaiters.splice(0)) go();
  }

  async #work(lane: Lane): Promise<void> {
    try {
      await this.#batch(lane);
    } catch (error) {
      this.#failed(lane, error);
    }
    lane.busy = false;
    this.#active--;
    if (lane.held && !lane.closed && lane.waiting < this.#recordsMax / 2 && lane.bytes < waitingBytesMax / 2) {
      lane.held = false;
      this.#group.resume(lane.topic, lane.partition);
    }
    this.#offer(lane);
    this.#fill();
  }

  async #batch(lane: Lane): Promise<void> {
    const { topic, partition, highWatermark, takeover } = lane;
    const { signal } = lane.controller;
    const records = lane.take(this.#recordsMax);
    const heartbeat = async () => signal.throwIfAborted();
    const batch: Batch = { topic, partition, records, highWatermark, takeover, heartbeat, signal };
    const handle = async () => (await this.handle(batch)) ?? undefined;
    const outcomes = await measuredBatch(this.options.groupId, topic, records.length, handle);
    if (outcomes) {
      if (outcomes.length !== records.length)
        throw new Error(`the handler of ${topic} gave ${outcomes.length} outcomes for ${records.length} records`);
      const unended = outcomes.find((o) => routeOf(o, this.options.groupId) === undefined);
      if (unended) throw unended;
      if (!(await this.#routing.route(records, outcomes, signal))) return;
    }
    lane.finish();
  }

  #failed(lane: Lane, error: unknown): void {
    if (lane.closed) return;
    const failure = asSyncError(error);
    lane.takeover = true;
    lane.failures++;
    logTo(this.options.kafka)({
      level: 'warn',
      msg: 'a batch failed and will be tried again',
      groupId: this.options.groupId,
      topic: lane.topic,
      partition: lane.partition,
      attempt: lane.failures,
      reason: `${failure.kind}: ${failure.message}`,
    });
    if (isFencing(error)) {
      lane.prepared = false;
      this.#ownership.renew(lane, sessionMs, () => {
        lane.prepared = true;
        this.#offer(lane);
      });
      return;
    }
    lane.resting = true;
    const asked = Math.min(failure.retryAfterMs ?? 0, retryMsMax);
    const restMs = Math.max(asked, backoffMs(lane.failures, 50, retryMsMax));
    void pause(restMs, lane.controller.signal).then(() => {
      lane.resting = false;
      this.#offer(lane);
    });
  }

  /** Starts nothing new; running batches end, by themselves or told to; what is done is committed. */
  async #endLanes(orderly: boolean): Promise<void> {
    const lanes = [...this.#lanes.values()];
    for (const lane of lanes) lane.close(!orderly);
    const ended = () => Promise.all(lanes.map((lane) => (lane.busy ? this.#ownership.settled(lane) : undefined)));
    if (orderly) await within(graceMs.end, 'running batches', ended()).catch(() => {});
    for (const lane of lanes) lane.close(true);
    await within(graceMs.abort, 'aborted batches', ended()).catch(() => {});
    if (lanes.length > 0) await this.#commit();
    this.#lanes = new Map();
  }

  #commit(): Promise<void> {
    return this.#commits.commit(this.#lanes.values());
  }
}
