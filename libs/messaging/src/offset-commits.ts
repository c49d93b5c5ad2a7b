import type { BatchStrategyOptions } from './batch.js';
import { logTo } from './client.js';
import type { GroupConsumer } from './group-consumer.js';
import type { Lane } from './lane.js';

/**
 * Commits how far lanes are done, one request at a time. A failed commit is no failure: the records are given again, and whoever
 * gets them judges by version. (Let out of a kafkajs handler, the error would end the consumer.)
 */
export class OffsetCommits {
  underWay: Promise<void> | null = null;

  constructor(
    private readonly options: Pick<BatchStrategyOptions, 'kafka' | 'groupId'>,
    private readonly group: Pick<GroupConsumer, 'commit'>,
  ) {}

  /** Resolves when what is done now is committed, or could not be. */
  async commit(lanes: Iterable<Lane>): Promise<void> {
    await this.underWay;
    const moved = [...lanes].filter((lane) => lane.done !== null && lane.done !== lane.committed);
    if (moved.length === 0) return;
    const done = moved.map((lane) => lane.done!);
    const positions = moved.map(({ topic, partition }, i) => ({ topic, partition, offset: String(done[i]) }));
    this.underWay = this.group
      .commit(positions)
      .then(() => {
        moved.forEach((lane, i) => {
          lane.committed = done[i]!;
        });
      })
      .catch((error: unknown) => this.#log(error))
      .finally(() => {
        this.underWay = null;
      });
    await this.underWay;
  }

  #log(error: unknown): void {
    const reason = error instanceof Error ? `${error.name}: ${error.message}`.slice(0, 200) : 'unknown';
    const { kafka, groupId } = this.options;
    logTo(kafka)({ level: 'warn', msg: 'offsets were not committed', groupId, reason });
  }
}
