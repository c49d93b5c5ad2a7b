const firstMs = 200;
const delayMsMax = 15_000;

/** How long to wait before the n-th start in a row, in milliseconds: at once at first, doubling up to 15 s. */
export function restartDelayMs(failuresInRow: number): number {
  return Math.min(delayMsMax, firstMs * 2 ** Math.max(0, failuresInRow - 1));
}
