import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { asSyncError } from '@syncline/contracts';
import { claimDue, extendClaims, hastenRetries, wakeLinked } from '@syncline/store';
import { deliver } from './deliver.js';
import { isCircuitOpen } from './gate.js';
import type { ObjectTargetRuntime } from './object-target.js';

/** Ticks between looks for deliveries that missed their link. */
const linkTicks = 10;
const hastenMsMax = 2_000;
/** A delivery with as many attempts is not spent on finding out whether its target is back. */
const probeAttemptsMax = 5;

/**
 * Works off the due rows of one target: as many at a time as the gate lets through, at once when rows were just stored, by the
 * clock for those that were parked. Rows are claimed, so several processes may serve the same target.
 */
export class Dispatcher {
  private readonly running = new Map<string, Promise<void>>();
  private readonly instance = randomUUID();
  private claims = 0;
  private claiming = false;
  private paused = false;
  private pumping: Promise<void> | null = null;
  private again = false;
  private stopped = false;
  private timers: NodeJS.Timeout[] = [];
  private ticks = 0;
  private checkedAt = 0;

  private readonly kinds: readonly string[];

  constructor(private readonly target: ObjectTargetRuntime) {
    this.kinds = Object.keys(target.specs);
  }

  start(): void {
    const { timing } = this.target;
    this.timers = [
      setInterval(() => void this.tick(), timing.tickMs),
      setInterval(() => void this.renew(), timing.leaseMs / 4),
    ];
    this.wake();
  }

  /** A paused target's rows stay as they are: no claim, no look whether it is back. What is under way ends. */
  setPaused(paused: boolean): void {
    this.paused = paused;
    if (!paused) this.wake();
  }

  /** Deliveries that are being worked on, or may be in a moment. */
  get underWay(): number {
    return this.running.size + (this.claiming ? 1 : 0);
  }

  /** Rows may be due now. */
  wake(): void {
    this.again = true;
    if (this.pumping || this.stopped) return;
    this.pumping = this.pump().finally(() => {
      this.pumping = null;
      if (this.again && !this.paused) this.wake();
    });
  }

  /** Takes no more rows, and waits for those under way at most `graceMs`; after that their claims run out by themselves. */
  async stop(graceMs: number): Promise<void> {
    this.stopped = true;
    for (const timer of this.timers) clearInterval(timer);
    await this.pumping;
    await Promise.race([Promise.allSettled(this.running.values()), pause(graceMs, undefined, { ref: false })]);
  }

  /** The target answers again after failures: do not wait out the long pauses. */
  async hasten(): Promise<void> {
    await this.guarded('hasten', () => hastenRetries(this.target.store, this.target.name, { withinMs: hastenMsMax }));
    this.wake();
  }

  private async pump(): Promise<void> {
    const { store, name, gate, timing } = this.target;
    while (this.again && !this.stopped && !this.paused) {
      this.again = false;
      const free = gate.capacity() - this.running.size;
      if (free <= 0) return;
      this.claims += 1;
      const token = `${this.instance}:${this.claims}`;
      this.claiming = true;
      const rows = await this.guarded('claim', () => claimDue(store, name, this.kinds, token, free, timing.leaseMs));
      for (const row of rows ?? [])
        this.run(`${token}/${row.id}`, deliver(this.target, row, token), rows?.length === free);
      this.claiming = false;
    }
  }

  private run(key: string, work: Promise<void>, more: boolean): void {
    const ended = work.finally(() => {
      this.running.delete(key);
      if (more) this.wake();
    });
    this.running.set(key, ended);
  }

  private async tick(): Promise<void> {
    if (this.paused) return;
    const { gate, store, name, timing } = this.target;
    this.ticks += 1;
    if (this.ticks % linkTicks === 0 && this.target.linked.size > 0)
      await this.guarded('wake', () => wakeLinked(store, name));
    if (gate.parked === null && gate.circuitState !== 'closed' && gate.capacity() > 0 && this.running.size === 0) {
      await this.tryOne();
    } else if (gate.parked !== null && Date.now() - this.checkedAt >= timing.recheckMs) await this.probe();
    this.wake();
  }

  /** An open circuit is due for a try: with a delivery where one has attempts to spare, else with the connection's check. */
  private async tryOne(): Promise<void> {
    const { store, name } = this.target;
    const which = { withinMs: 0, limit: 1, attemptsBelow: probeAttemptsMax };
    await this.guarded('probe', () => hastenRetries(store, name, which));
    this.wake();
    await this.pumping;
    if (this.running.size === 0) await this.probe();
  }

  /** Asks a parked or unreachable target whether it is well again, since no delivery may be due to find out. */
  private async probe(): Promise<void> {
    const { gate, connector, context, log, name } = this.target;
    this.checkedAt = Date.now();
    try {
      await gate.call(() => connector.check(context));
      if (gate.parked !== null) log.info({ target: name }, 'the target takes our credentials again');
      gate.unpark();
    } catch (thrown) {
      if (isCircuitOpen(thrown)) return;
      const error = asSyncError(thrown);
      if (error.kind === 'unauthorized') gate.park(error.message);
      else log.debug({ target: name, err: error }, 'the target is still out of reach');
    }
  }

  private async renew(): Promise<void> {
    const { store, name, timing } = this.target;
    const tokens = [...new Set([...this.running.keys()].map((key) => key.slice(0, key.indexOf('/'))))];
    await this.guarded('renew', () => extendClaims(store, name, tokens, timing.leaseMs, timing.settleMs));
  }

  /** Our own database may be away for a while: the next tick tries again. */
  private async guarded<T>(step: string, work: () => Promise<T>): Promise<T | null> {
    try {
      return await work();
    } catch (thrown) {
      this.target.log.warn({ target: this.target.name, step, err: asSyncError(thrown) }, 'the delivery store failed');
      return null;
    }
  }
}
