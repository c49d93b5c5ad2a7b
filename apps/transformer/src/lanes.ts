import { asSyncError } from '@syncline/contracts';
import { type Batch, FencedError, type KafkaSettings, type Outcome, TransactionalPublisher } from '@syncline/messaging';
import { readProgress, type Store } from '@syncline/store';
import { type BatchPlace, KeyTaken, mapBatch, type Redo, sendEvents } from './batch.js';
import { decode, type Step } from './decode.js';
import type { Topology } from './topology.js';

/** After losing a fencing race while still owning the partition, wait this long before claiming the id again. */
const fencedMsMin = 15_000;

interface Lane {
  publisher: TransactionalPublisher;
  fencedAt: number | null;
  redo: Redo | null;
}

/** The source partitions this process owns, each with the transactional id that writes what comes out of it. */
export class Lanes {
  readonly #lanes = new Map<string, Lane>();

  constructor(
    private readonly store: Store,
    private readonly topology: Topology,
    private readonly kafka: KafkaSettings,
  ) {}

  /** Takes a partition over: fences whoever wrote for it before. */
  async assigned(topic: string, partition: number): Promise<void> {
    const key = `${topic}.${partition}`;
    await this.revoked(topic, partition);
    const publisher = new TransactionalPublisher(this.kafka, `transformer.${key}`);
    await publisher.connect();
    this.#lanes.set(key, { publisher, fencedAt: null, redo: null });
  }

  async revoked(topic: string, partition: number): Promise<void> {
    const key = `${topic}.${partition}`;
    const lane = this.#lanes.get(key);
    this.#lanes.delete(key);
    await lane?.publisher.close();
  }

  async close(): Promise<void> {
    await Promise.all([...this.#lanes.values()].map((lane) => lane.publisher.close()));
    this.#lanes.clear();
  }

  /** Maps one batch and publishes what came of it. A throw means: nothing of it counts, give it again as a takeover. */
  async run(batch: Batch): Promise<Outcome[]> {
    const lane = await this.#lane(batch);
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
    if (steps.length > 0) await this.#map(lane, batch, steps);
    return outcomes;
  }

  async #map(lane: Lane, batch: Batch, steps: readonly Step[]): Promise<void> {
    const { topic, partition, records } = batch;
    const first = records[0]?.offset ?? 0n;
    const next = (records.at(-1)?.offset ?? 0n) + 1n;
    const place = { topic, partition, from: first, next };
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#commit(lane, steps, place);
        break;
      } catch (thrown) {
        if (thrown instanceof FencedError) lane.fencedAt ??= Date.now();
        // Two partitions made the same record at once: nothing was sent, and the next look finds the other's.
        if (!(thrown instanceof KeyTaken) || attempt === 5) throw thrown;
      }
    }
    if (lane.redo) lane.redo = next < lane.redo.below ? { ...lane.redo, aside: [] } : null;
  }

  /** Maps in one PostgreSQL transaction and publishes inside its row locks: acknowledged by Kafka, then committed here, then there. */
  async #commit(lane: Lane, steps: readonly Step[], place: BatchPlace): Promise<void> {
    const tx = await this.store.begin();
    try {
      const { events } = await mapBatch(tx, this.topology, steps, place, lane.redo);
      if (events.length === 0) return await tx.commit();
      const kafka = await lane.publisher.begin();
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

  async #lane({ topic, partition, takeover }: Batch): Promise<Lane> {
    const key = `${topic}.${partition}`;
    const held = this.#lanes.get(key);
    if (!held || (held.fencedAt !== null && Date.now() - held.fencedAt >= fencedMsMin))
      await this.assigned(topic, partition);
    const lane = this.#lanes.get(key) as Lane;
    if (takeover) {
      const last = await readProgress(this.store, topic, partition);
      lane.redo = { below: last?.next ?? 0n, aside: last?.aside ?? [] };
    }
    return lane;
  }
}
