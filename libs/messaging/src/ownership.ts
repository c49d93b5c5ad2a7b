import type { BatchStrategyOptions } from './batch.js';
import { logTo } from './client.js';
import { backoffMs, pause } from './failure.js';
import type { Lane } from './lane.js';

type Where = Pick<Lane, 'topic' | 'partition'>;
const keyOf = ({ topic, partition }: Where): string => `${topic}/${partition}`;

/**
 * Which partitions are prepared (onAssigned) and to be given back (onRevoked). All that happens to one partition happens one
 * after the other, across generations: a batch that outlives its assignment is never overtaken by one of the next.
 */
export class Ownership {
  readonly #turns = new Map<string, Promise<void>>();
  readonly #held = new Map<string, Where>();
  #memberId = '';

  constructor(private readonly options: BatchStrategyOptions) {}

  /** Does this when everything else of the partition has ended. Never rejects. */
  inTurn(where: Where, work: () => Promise<void>): Promise<void> {
    const key = keyOf(where);
    const before = this.#turns.get(key);
    const turn = (before ? before.then(work) : work()).catch((error: unknown) => this.#log(where, error));
    this.#turns.set(key, turn);
    return turn;
  }

  settled(where: Where): Promise<void> {
    return this.#turns.get(keyOf(where)) ?? Promise.resolve();
  }

  /**
   * A new generation. A partition that stays with the same member is kept as it is; one that went, or that another member may
   * have had since this one's session ended, is given back.
   */
  changed(lanes: readonly Lane[], memberId: string, prepared: (lane: Lane) => void): void {
    const sameSession = memberId === this.#memberId;
    this.#memberId = memberId;
    const now = new Map(lanes.map((lane) => [keyOf(lane), lane]));
    for (const [key, where] of this.#held) {
      if (!sameSession || !now.has(key)) void this.#release(where);
    }
    for (const lane of lanes) void this.inTurn(lane, () => this.#prepare(lane, prepared));
  }

  /**
   * After fencing. Either the partition has gone to another member, then the group says so before a session's time is over and
   * the lane is closed; or the id was lost without that (a transaction that outlived its time-out), then it is taken anew.
   */
  renew(lane: Lane, waitMs: number, prepared: () => void): void {
    void this.#release(lane);
    void pause(waitMs, lane.controller.signal).then(() => this.inTurn(lane, () => this.#prepare(lane, prepared)));
  }

  async releaseAll(): Promise<void> {
    await Promise.all([...this.#held.values()].map((where) => this.#release(where)));
  }

  #release(where: Where): Promise<void> {
    return this.inTurn(where, async () => {
      if (!this.#held.delete(keyOf(where))) return;
      await this.options.onRevoked?.(where.topic, where.partition);
    });
  }

  async #prepare(lane: Lane, prepared: (lane: Lane) => void): Promise<void> {
    const { topic, partition } = lane;
    for (let attempt = 0; !lane.closed; attempt++) {
      if (this.#held.has(keyOf(lane)) || !this.options.onAssigned) break;
      this.#held.set(keyOf(lane), { topic, partition });
      try {
        await this.options.onAssigned(topic, partition);
      } catch (error) {
        this.#held.delete(keyOf(lane));
        this.#log(lane, error);
        await pause(backoffMs(attempt, 100, 5_000), lane.controller.signal);
      }
    }
    if (lane.closed) return;
    this.#held.set(keyOf(lane), { topic, partition });
    prepared(lane);
  }

  #log({ topic, partition }: Where, error: unknown): void {
    const { kafka, groupId } = this.options;
    const name = error instanceof Error ? error.name : typeof error;
    logTo(kafka)({
      level: 'warn',
      msg: 'taking or giving back a partition failed',
      groupId,
      topic,
      partition,
      reason: name,
    });
  }
}
