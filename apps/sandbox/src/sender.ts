// Sends webhooks for both systems: at once, with their own retries, and with the disturbances the control API asks for.
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';

/** One message to one address; sent again and again as it is. */
export interface Delivery {
  /** Unique per message and subscriber. */
  id: string;
  /** Whose message it is: the subscription's id. */
  subscription: string;
  url: string;
  headers: Record<string, string>;
  body: string;
  /** Attempts made. */
  attempts: number;
  /** When the next attempt is due, epoch ms. */
  dueAt: number;
}

/** How webhooks are disturbed; `off` drops all of them. */
export interface Disturbance {
  off: boolean;
  /** Share of messages never sent, 0 to 1. */
  drop: number;
  /** Share of messages sent twice, 0 to 1. */
  duplicate: number;
  /** Every message waits a random time up to this, so that they overtake each other; milliseconds. */
  reorderMs: number;
  /** Every message waits this long; milliseconds. */
  delayMs: number;
}

export const CALM: Disturbance = { off: false, drop: 0, duplicate: 0, reorderMs: 0, delayMs: 0 };

/** Counts since the start, for the control API. */
export interface SenderCounts {
  sent: number;
  delivered: number;
  failed: number;
  dropped: number;
  gaveUp: number;
}

export interface Sender {
  disturbance: Disturbance;
  readonly counts: SenderCounts;
  send(delivery: Omit<Delivery, 'attempts' | 'dueAt'>): void;
  /** Messages that wait for a retry or a reply, to be kept over a restart. */
  waiting(): Delivery[];
  /** Takes up what an earlier run left. */
  resume(deliveries: readonly Delivery[]): void;
  /** Forgets what waits for one subscription. */
  forget(subscription: string): void;
  /** Waits until nothing is being sent, not for retries; at most `timeoutMs`. */
  idle(timeoutMs: number): Promise<void>;
  close(): Promise<void>;
}

export interface SenderOptions {
  timeoutMs: number;
  /** Waits before each retry, in milliseconds; their number is the number of retries. */
  retryDelaysMs: readonly number[];
  retryScale: () => number;
  random: () => number;
  onDelivered?: (delivery: Delivery) => void;
  onGaveUp: (delivery: Delivery) => void;
}

/** Requests at a time; the others wait their turn, and their time-out begins only with it. */
const AT_ONCE = 32;

/** Starts a sender. Order between messages is never promised, as with the real ones. */
export function createSender(options: SenderOptions): Sender {
  const agent = new Agent({ connections: AT_ONCE, pipelining: 1, connect: { timeout: 1_000 } });
  const pending = new Map<string, Delivery>();
  const timers = new Map<string, NodeJS.Timeout>();
  const counts: SenderCounts = { sent: 0, delivered: 0, failed: 0, dropped: 0, gaveUp: 0 };
  let inFlight = 0;
  let closed = false;

  const queue: Delivery[] = [];
  const start = (delivery: Delivery): void => {
    timers.delete(delivery.id);
    if (inFlight < AT_ONCE) void attempt(delivery);
    else queue.push(delivery);
  };
  const startNext = (): void => {
    let next = queue.shift();
    while (next && !pending.has(next.id)) next = queue.shift();
    if (next && !closed) start(next);
  };
  const attempt = async (delivery: Delivery): Promise<void> => {
    delivery.attempts++;
    counts.sent++;
    inFlight++;
    const ok = await post(agent, delivery, options.timeoutMs);
    inFlight--;
    startNext();
    if (closed || !pending.has(delivery.id)) return;
    counts[ok ? 'delivered' : 'failed']++;
    const delayMs = options.retryDelaysMs[delivery.attempts - 1];
    if (!ok && delayMs !== undefined) return schedule(delivery, delayMs * options.retryScale());
    pending.delete(delivery.id);
    if (ok) return options.onDelivered?.(delivery);
    counts.gaveUp++;
    options.onGaveUp(delivery);
  };
  const schedule = (delivery: Delivery, delayMs: number): void => {
    delivery.dueAt = Date.now() + delayMs;
    pending.set(delivery.id, delivery);
    if (delayMs <= 0) start(delivery);
    else timers.set(delivery.id, setTimeout(start, delayMs, delivery));
  };

  const sender: Sender = {
    disturbance: { ...CALM },
    counts,
    send: (message) => {
      const { off, drop, duplicate, reorderMs, delayMs } = sender.disturbance;
      if (off || options.random() < drop) {
        counts.dropped++;
        return;
      }
      const waitMs = (): number => delayMs + options.random() * reorderMs;
      schedule({ ...message, attempts: 0, dueAt: 0 }, waitMs());
      // The twin has the same headers and body; only our own bookkeeping tells them apart.
      if (options.random() < duplicate) schedule({ ...message, id: `${message.id}+`, attempts: 0, dueAt: 0 }, waitMs());
    },
    waiting: () => [...pending.values()],
    resume: (deliveries) => {
      for (const delivery of deliveries) schedule({ ...delivery }, Math.max(1, delivery.dueAt - Date.now()));
    },
    forget: (subscription) => {
      for (const delivery of pending.values()) {
        if (delivery.subscription !== subscription) continue;
        pending.delete(delivery.id);
        clearTimeout(timers.get(delivery.id));
        timers.delete(delivery.id);
      }
    },
    idle: async (timeoutMs) => {
      const until = Date.now() + timeoutMs;
      while (inFlight > 0 && Date.now() < until) await sleep(10);
    },
    close: async () => {
      closed = true;
      for (const timer of timers.values()) clearTimeout(timer);
      await agent.destroy();
    },
  };
  return sender;
}

async function post(agent: Agent, delivery: Delivery, timeoutMs: number): Promise<boolean> {
  try {
    const { statusCode, body } = await request(delivery.url, {
      dispatcher: agent,
      method: 'POST',
      headers: delivery.headers,
      body: delivery.body,
      signal: AbortSignal.timeout(timeoutMs),
    });
    await body.dump();
    return statusCode >= 200 && statusCode < 300;
  } catch {
    return false; // Refused, reset or too slow: all of them are retried alike.
  }
}
