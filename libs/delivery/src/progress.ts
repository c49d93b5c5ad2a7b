import { metrics } from '@syncline/runtime';
import { type FreshnessQuantiles, FreshnessWindow } from './freshness.js';

/** One delivery that ended, for the live view. Times are milliseconds. */
export interface RecentDelivery {
  seq: number;
  at: number;
  target: string;
  kind: string;
  id: string;
  revision: number;
  outcome: string;
  deleted: boolean;
  /** From the moment the cause reached us; null where nothing was written. */
  tookMs: number | null;
  reason?: string;
}

/** What a confirmed write is measured by. Times are milliseconds since the epoch. */
export interface Measured {
  kind: string;
  cause: string;
  changedAt: number;
  receivedAt: number;
}

const recentMax = 500;

/** How deliveries of one target go: metrics, the rolling freshness of `status`, and the last ones by name. */
export class Progress {
  private readonly window = new FreshnessWindow();
  private readonly recent: RecentDelivery[] = [];
  private seq = 0;

  constructor(private readonly target: string) {}

  /**
   * The target holds the record's newest revision, by our write. Returns how long it took since the cause reached us; null
   * where the event does not say when that was.
   */
  confirmed(d: Measured, now = Date.now()): number | null {
    if (d.receivedAt <= 0) return null;
    const tookMs = Math.max(0, now - d.receivedAt);
    const since = d.changedAt > 0 ? d.changedAt : d.receivedAt;
    const attributes = { target: this.target, connection: d.cause, kind: d.kind };
    metrics.freshness.record(Math.max(0, now - since) / 1000, attributes);
    this.window.add(tookMs, now);
    return tookMs;
  }

  ended(entry: Omit<RecentDelivery, 'seq' | 'at' | 'target'>, now = Date.now()): void {
    metrics.deliveries.add(1, { target: this.target, kind: entry.kind, outcome: entry.outcome });
    this.seq += 1;
    this.recent.push({ seq: this.seq, at: now, target: this.target, ...entry });
    if (this.recent.length > 2 * recentMax) this.recent.splice(0, this.recent.length - recentMax);
  }

  quantiles(): FreshnessQuantiles {
    return this.window.quantiles();
  }

  /** Deliveries that ended after a moment, oldest first, the newest `recentMax` at most. */
  after(time: number): RecentDelivery[] {
    return this.recent.filter((r) => r.at > time).slice(-recentMax);
  }
}
