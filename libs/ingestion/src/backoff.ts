/** Growing pauses with full jitter: the n-th failure in a row waits between 0 and min(most, first × 2^n) milliseconds. */
export function backoffMs(
  failures: number,
  options: { firstMs: number; mostMs: number; random?: () => number },
): number {
  const ceiling = Math.min(options.mostMs, options.firstMs * 2 ** Math.min(failures, 30));
  return Math.round((options.random ?? Math.random)() * ceiling);
}

/** Waits; ends early, without a throw, when the signal is aborted or `wake` resolves. */
export function pause(ms: number, signal: AbortSignal, wake?: Promise<unknown>): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end, { once: true });
    wake?.then(end, end);
  });
}

/** A bell that loops wait for: `ring` wakes everyone who waits now. */
export function createBell(): { ring(): void; next(): Promise<void> } {
  let resolve!: () => void;
  let waiting = new Promise<void>((r) => {
    resolve = r;
  });
  return {
    ring() {
      resolve();
      waiting = new Promise<void>((r) => {
        resolve = r;
      });
    },
    next: () => waiting,
  };
}
