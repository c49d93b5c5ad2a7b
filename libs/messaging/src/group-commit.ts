import { pause } from './failure.js';

/** How work is put together. */
export interface GroupCommitOptions<J> {
  /** Groups at the same time. */
  places: number;
  /** A group takes no more work once it is this big. At least one piece always goes. */
  sizeMax: number;
  size(job: J): number;
  /** After a group its place rests so long, in milliseconds, unless a full group waits: the next one is bigger. Default 0. */
  restMs?: number;
  /** Work that goes by itself. */
  alone?(job: J): boolean;
}

interface Waiting<J> {
  job: J;
  resolve(): void;
  reject(error: unknown): void;
}

/**
 * Group commit: work of several partitions shares one transaction. A piece that comes while a place is free goes at once; what
 * comes while every place is taken, or rests, waits and goes together. So an idle system waits for nothing, and a busy one pays
 * for a transaction once for many.
 */
export class GroupCommit<J> {
  readonly #waiting: Waiting<J>[] = [];
  readonly #free: number[];

  constructor(
    private readonly options: GroupCommitOptions<J>,
    /** `place` counts from 0: no two groups at the same time have the same. */
    private readonly run: (jobs: readonly J[], place: number) => Promise<void>,
  ) {
    this.#free = Array.from({ length: options.places }, (_, i) => i).reverse();
  }

  /** Resolves when the group the work went in is done; rejects, like all of its group, when that failed. */
  submit(job: J): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ job, resolve, reject });
      this.#start();
    });
  }

  #start(): void {
    while (this.#waiting.length > 0) {
      const place = this.#free.pop();
      if (place === undefined) return;
      void this.#serve(place, this.#take());
    }
  }

  async #serve(place: number, group: readonly Waiting<J>[]): Promise<void> {
    try {
      await this.run(
        group.map(({ job }) => job),
        place,
      );
      for (const one of group) one.resolve();
    } catch (error) {
      for (const one of group) one.reject(error);
    }
    const { restMs = 0, size, sizeMax } = this.options;
    const waits = this.#waiting.reduce((total, { job }) => total + size(job), 0);
    if (restMs > 0 && waits < sizeMax) await pause(restMs);
    this.#free.push(place);
    this.#start();
  }

  #take(): Waiting<J>[] {
    const { sizeMax, size, alone = () => false } = this.options;
    const [first, ...others] = this.#waiting.splice(0);
    const group = [first as Waiting<J>];
    let total = size(group[0]!.job);
    for (const one of others) {
      const fits = total < sizeMax && !alone(group[0]!.job) && !alone(one.job);
      if (fits) total += size(one.job);
      (fits ? group : this.#waiting).push(one);
    }
    return group;
  }
}
