import type { KafkaMessage } from 'kafkajs';
import { type InboundRecord, inbound } from './record.js';

/**
 * One assigned partition from its assignment to its loss: the records fetched but not yet handled, and how far it is done.
 * A lane works on one batch at a time; what is fetched meanwhile waits here and makes the next batch bigger.
 */
export class Lane {
  readonly controller = new AbortController();
  /** Set when the lane may not start another batch. */
  closed = false;
  /** onAssigned has been awaited. */
  prepared = false;
  /** A batch is being handled. */
  busy = false;
  /** Waits its turn for a free place. */
  queued = false;
  /** Fetching is paused because enough waits here. */
  held = false;
  /** A failed batch waits before it is tried again. */
  resting = false;
  takeover = true;
  failures = 0;
  highWatermark = 0n;
  /** The offset to go on from: everything before is done. Unknown before the first record. */
  done: bigint | null = null;
  committed: bigint | null = null;
  #records: InboundRecord[] = [];
  #head = 0;
  #bytes = 0;
  /** The offset after everything fetched, including what no reader sees. */
  #received: bigint | null = null;
  #current: InboundRecord[] | null = null;

  constructor(
    readonly topic: string,
    readonly partition: number,
  ) {}

  /** Bytes of values that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  get waiting(): number {
    return this.#records.length - this.#head;
  }

  /** The record to be handled next, or being handled. */
  get oldest(): InboundRecord | undefined {
    return this.#current?.[0] ?? this.#records[this.#head];
  }

  get hasWork(): boolean {
    return this.#current !== null || this.waiting > 0;
  }

  /** Takes what was fetched; `lastOffset` may be beyond the last record, where markers or aborted records follow it. */
  push(messages: readonly KafkaMessage[], lastOffset: string, highWatermark: string): void {
    for (const message of messages) {
      const record = inbound(this.topic, this.partition, message);
      this.#records.push(record);
      this.#bytes += record.value?.length ?? 0;
    }
    this.#received = BigInt(lastOffset) + 1n;
    this.highWatermark = BigInt(highWatermark);
    this.#settle();
  }

  /** The batch to handle: the one that failed, unchanged, or the next one. */
  take(max: number): InboundRecord[] {
    if (this.#current) return this.#current;
    const batch = this.#records.slice(this.#head, this.#head + max);
    this.#head += batch.length;
    for (const record of batch) this.#bytes -= record.value?.length ?? 0;
    if (this.#head >= 4_096 || this.#head === this.#records.length) {
      this.#records.splice(0, this.#head);
      this.#head = 0;
    }
    this.#current = batch;
    return batch;
  }

  /** The taken batch is done for good. */
  finish(): void {
    const last = this.#current?.at(-1);
    this.#current = null;
    if (last) this.done = last.offset + 1n;
    this.takeover = false;
    this.failures = 0;
    this.#settle();
  }

  /** Everything fetched is done: so are the markers behind it, else the lag would stay at one for ever. */
  #settle(): void {
    if (!this.hasWork && this.#received !== null) this.done = this.#received;
  }

  /** Ends the lane: nothing more is started, and what runs is told to stop unless it may finish. */
  close(abort: boolean): void {
    this.closed = true;
    if (abort) this.controller.abort();
  }
}
