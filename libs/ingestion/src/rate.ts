/** A token bucket: `perSecond` requests on average, twice that at once. Time is given in milliseconds of a steady clock. */
export function createRate(perSecond: number): { take(nowMs: number): boolean } {
  const most = perSecond * 2;
  let left = most;
  let at = 0;
  return {
    take(nowMs) {
      left = Math.min(most, left + (Math.max(0, nowMs - at) / 1000) * perSecond);
      at = nowMs;
      if (left < 1) return false;
      left--;
      return true;
    },
  };
}
