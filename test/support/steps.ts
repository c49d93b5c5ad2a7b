const lookEveryMs = 20;
const patienceMs = 15_000;

/** How long something took to be seen after its cause. */
export interface Step {
  readonly what: string;
  readonly tookMs: number;
  readonly allowedMs: number;
}

/** Runs causes and waits for their effects; keeps how long each took. */
export interface Steps {
  readonly all: readonly Step[];
  /**
   * Does something and waits until it is seen. Times begin before the cause is sent. Throws when it took longer than `allowedMs`,
   * with the time it did take.
   */
  step<T>(what: string, allowedMs: number, cause: () => Promise<T>, seen: (made: T) => Promise<boolean>): Promise<T>;
  /** One line a step, for people. */
  table(): string;
}

/** `explain` adds to the message of a step that was not seen at all. */
export function createSteps(explain: () => Promise<string>): Steps {
  const all: Step[] = [];
  return {
    all,
    async step(what, allowedMs, cause, seen) {
      const startMs = performance.now();
      const made = await cause();
      while (!(await seen(made))) {
        if (performance.now() - startMs > allowedMs + patienceMs)
          throw new Error(`${what}: not seen within ${allowedMs + patienceMs} ms\n${await explain()}`);
        await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
      }
      const tookMs = Math.round(performance.now() - startMs);
      all.push({ what, tookMs, allowedMs });
      if (tookMs > allowedMs) throw new Error(`${what}: took ${tookMs} ms, allowed are ${allowedMs}`);
      return made;
    },
    table() {
      const width = Math.max(...all.map(({ what }) => what.length));
      return all.map(({ what, tookMs, allowedMs }) => `${what.padEnd(width)}  ${tookMs} ms of ${allowedMs}`).join('\n');
    },
  };
}
