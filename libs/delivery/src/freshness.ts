/** p50 and p99 in milliseconds; null where nothing was delivered in the window. */
export interface FreshnessQuantiles {
  p50: number | null;
  p99: number | null;
}

/**
 * Rolling window of how long deliveries took, in milliseconds. Bounded in time and in number: of more than `samplesMax` in
 * the window the newest are kept.
 */
export class FreshnessWindow {
  private readonly at: Float64Array;
  private readonly ms: Float64Array;
  private next = 0;
  private count = 0;

  constructor(
    private readonly windowMs = 300_000,
    samplesMax = 4_096,
  ) {
    this.at = new Float64Array(samplesMax);
    this.ms = new Float64Array(samplesMax);
  }

  add(tookMs: number, now = Date.now()): void {
    this.at[this.next] = now;
    this.ms[this.next] = Math.max(0, tookMs);
    this.next = (this.next + 1) % this.at.length;
    this.count = Math.min(this.count + 1, this.at.length);
  }

  quantiles(now = Date.now()): FreshnessQuantiles {
    const recent: number[] = [];
    for (let i = 0; i < this.count; i++) if (now - this.at[i]! <= this.windowMs) recent.push(this.ms[i]!);
    if (recent.length === 0) return { p50: null, p99: null };
    recent.sort((a, b) => a - b);
    const nearestRank = (q: number) => Math.round(recent[Math.ceil(q * recent.length) - 1]!);
    return { p50: nearestRank(0.5), p99: nearestRank(0.99) };
  }
}
