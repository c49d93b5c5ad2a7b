/** Asks `look` until it gives something, or throws `what` with the time that was waited. What `look` throws counts as nothing. */
export async function until<T>(
  what: string,
  msMax: number,
  look: () => Promise<T | undefined | false>,
  pauseMs = 150,
): Promise<T> {
  const endMs = Date.now() + msMax;
  let last = '';
  for (;;) {
    try {
      const found = await look();
      if (found) return found;
    } catch (error) {
      last = `; last: ${(error as Error).message}`;
    }
    if (Date.now() > endMs) throw new Error(`${what}: not within ${msMax} ms${last}`);
    await pause(pauseMs);
  }
}

/** Waits. */
export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
