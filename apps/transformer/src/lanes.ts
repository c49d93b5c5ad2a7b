import { randomUUID } from 'node:crypto';
import { asSyncError, SyncError } from '@syncline/contracts';
import {
  type Batch,
  FencedError,
  GroupCommit,
  type KafkaSettings,
  type Outcome,
  TransactionalPublisher,
} from '@syncline/messaging';
import { giveBack, giveTo, lockOwners, type Owner, type Place, readProgress, type Store } from '@syncline/store';
import { KeyTaken, mapBatch, type Redo, sendEvents } from './batch.js';
import { decode, type Step } from './decode.js';
import type { Topology } from './topology.js';

/** Transactions at the same time: one leaves the machine idle while it waits for Kafka, more than two only make them smaller. */
const transactions = 2;
/** Steps after which a transaction takes no further partition's batch. */
const stepsMax = 1_000;
/** At some hundred records a second a rest halves what PostgreSQL and Kafka do per record; a lone record never waits for it. */
const restMs = 10;

/** A source partition this process owns. */
interface Lane {
  redo: Redo | null;
  /** Nothing of it is under way, nor left open by a batch that failed. */
  settled: boolean;
}

interface Job {
  batch: Batch;
  lane: Lane;
  steps: readonly Step[];
}

/**
 * The source partitions this process owns, and the transactions that write what comes out of them. A transaction takes the
 * batches of all partitions at hand. Whom a partition belongs to is said by its row in PostgreSQL, which every batch of it
 * writes: whoever takes it over waits for the last owner's batch, ends that owner's Kafka transactions and publishes again
 * what they may not have published. A batch of somebody who lost the partition is never committed.
 */
export class Lanes {
  readonly #lanes = new Map<string, Lane>();
  readonly #owner: Owner;
  #publishers: readonly TransactionalPublisher[];
  readonly #claims: GroupCommit<Place>;
  readonly #batches: GroupCommit<Job>;

  constructor(
    private readonly store: Store,
    private readonly topology: Topology,
    private readonly kafka: KafkaSettings,
  ) {
    const instance = randomUUID();
    this.#owner = Array.from({ length: transactions }, (_, n) => `transformer.${instance}.${n}`);
    this.#publishers = this.#newPublishers();
    this.#claims = new GroupCommit({ places: 1, sizeMax: 1_000, size: () => 1 }, (of) => this.#claim(of));
    this.#batches = new GroupCommit(
      {
        places: transactions,
        sizeMax: stepsMax,
        restMs,
        size: ({ steps }) => steps.length,
        alone: ({ lane }) => lane.redo !== null,
      },
      (jobs, place) => this.#map(jobs, place),
    );
  }

  /** Takes a partition over: whoever had it before can commit nothing more for it, here or in Kafka. */
  async assigned(topic: string, partition: number): Promise<void> {
    await this.#claims.submit({ topic, partition });
    this.#lanes.set(`${topic}.${partition}`, { redo: null, settled: true });
  }

  /** Its last batch has ended. What is not or cannot be given back is taken, by fencing what may be open. */
  async revoked(topic: string, partition: number): Promise<void> {
    const lane = this.#lanes.get(`${topic}.${partition}`);
    this.#lanes.delete(`${topic}.${partition}`);
    if (!lane?.settled) return;
    await giveBack(this.store, this.#owner, { topic, partition }).catch(() => undefined);
  }

  async close(): Promise<void> {
    this.#lanes.clear();
    await Promise.all(this.#publishers.map((publisher) => publisher.close()));
  }

  /** Maps one batch and publishes what came of it. A throw means: nothing of it counts, give it again as a takeover. */
  async run(batch: Batch): Promise<Outcome[]> {
    const lane = await this.#laneOf(batch);
    const outcomes: Outcome[] = [];
    const steps: Step[] = [];
    for (const record of batch.records) {
      try {
        steps.push(...decode(record, this.topology));
        outcomes.push(null);
      } catch (thrown) {
        outcomes.push(asSyncError(thrown));
      }
    }
    if (steps.length > 0) await this.#batches.submit({ batch, lane, steps });
    return outcomes;
  }

  async #laneOf({ topic, partition, takeover }: Batch): Promise<Lane> {
    const lane = this.#lanes.get(`${topic}.${partition}`);
    const last = takeover && lane ? await readProgress(this.store, this.#owner, { topic, partition }) : null;
    if (!lane || (takeover && !last)) throw new FencedError(`of ${topic}/${partition}`);
    if (last) lane.redo = { below: last.next, aside: last.aside };
    return lane;
  }

  async #claim(of: readonly Place[]): Promise<void> {
    const publishers = this.#publishers;
    await this.store
      .transaction(async (tx) => {
        const before = await lockOwners(tx, of);
        const others = before.filter((id) => !this.#owner.includes(id));
        await Promise.all([...others.map((id) => this.#fence(id)), ...publishers.map((each) => each.connect())]);
        await giveTo(tx, this.#owner, of);
      })
      .catch((thrown) => {
        this.#replaceFenced(publishers, thrown);
        throw thrown;
      });
  }

  /** Ends what a process that is gone, or will be, has open: readers would wait for it until its time-out. */
  async #fence(transactionalId: string): Promise<void> {
    const publisher = new TransactionalPublisher(this.kafka, transactionalId);
    try {
      await publisher.connect();
    } finally {
      await publisher.close();
    }
  }

  async #map(jobs: readonly Job[], place: number): Promise<void> {
    for (const { lane } of jobs) lane.settled = false;
    const publishers = this.#publishers;
    try {
      // What failed may have been sent by any of them: no later state may be sent while an earlier one can still arrive.
      if (jobs[0]?.lane.redo) await Promise.all(publishers.map((each) => each.connect()));
      await this.#commitAnew(jobs, publishers[place] as TransactionalPublisher);
    } catch (thrown) {
      this.#replaceFenced(publishers, thrown);
      // Who owns a partition is said by PostgreSQL; losing the ids only means that somebody took one of ours.
      if (thrown instanceof FencedError) throw new SyncError('transient', thrown.message, { cause: thrown });
      throw thrown;
    }
    for (const { batch, lane } of jobs) {
      lane.settled = true;
      const next = nextOf(batch);
      if (lane.redo) lane.redo = next < lane.redo.below ? { ...lane.redo, aside: [] } : null;
    }
  }

  #newPublishers(): readonly TransactionalPublisher[] {
    return this.#owner.map((id) => new TransactionalPublisher(this.kafka, id));
  }

  /** Whoever takes a partition of ours over fences all our ids: where that shows at one, all are taken anew. */
  #replaceFenced(publishers: readonly TransactionalPublisher[], thrown: unknown): void {
    if (!(thrown instanceof FencedError) || publishers !== this.#publishers) return;
    this.#publishers = this.#newPublishers();
    for (const each of publishers) void each.close();
  }

  /** Two partitions that make the same record at once: one has sent nothing then, and its next look finds the other's. */
  async #commitAnew(jobs: readonly Job[], publisher: TransactionalPublisher): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#commit(jobs, publisher);
      } catch (thrown) {
        if (!(thrown instanceof KeyTaken) || attempt === 5) throw thrown;
      }
    }
  }

  /** Maps in one PostgreSQL transaction and publishes inside its row locks: acknowledged by Kafka, then committed here, then there. */
  async #commit(jobs: readonly Job[], publisher: TransactionalPublisher): Promise<void> {
    const steps = jobs.flatMap((job) => job.steps);
    const places = jobs.map(({ batch }) => ({ topic: batch.topic, partition: batch.partition, next: nextOf(batch) }));
    const tx = await this.store.begin();
    try {
      const { events } = await mapBatch(tx, this.topology, {
        steps,
        places,
        owner: this.#owner,
        redo: jobs[0]?.lane.redo ?? null,
      });
      if (events.length === 0) return await tx.commit();
      const kafka = await publisher.begin();
      try {
        await sendEvents(kafka, events);
        await tx.commit();
      } catch (thrown) {
        await kafka.abort();
        throw thrown;
      }
      await kafka.commit();
    } catch (thrown) {
      await tx.rollback();
      throw thrown;
    }
  }
}

const nextOf = ({ records }: Batch): bigint => (records.at(-1)?.offset ?? -1n) + 1n;
