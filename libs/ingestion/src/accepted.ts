import type { Logger } from '@syncline/runtime';
import { addAccepted, type Db } from '@syncline/store';

/** Counts accepted messages and adds them to the store now and then: a status must survive restarts, a webhook must be fast. */
export interface AcceptedCounts {
  add(connection: string, receivedAt: number): void;
  /** Writes what has not been written yet. Rejects where the store is away; nothing is lost then. */
  flush(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts counting; `intervalMs` is the time between writes. */
export function countAccepted(db: Db, log: Logger, intervalMs = 500): AcceptedCounts {
  let open = new Map<string, { accepted: number; lastReceivedAt: number }>();
  let writing: Promise<void> = Promise.resolve();
  const note = (name: string, accepted: number, receivedAt: number) => {
    const row = open.get(name) ?? { accepted: 0, lastReceivedAt: 0 };
    row.accepted += accepted;
    row.lastReceivedAt = Math.max(row.lastReceivedAt, receivedAt);
    open.set(name, row);
  };
  const write = async () => {
    if (open.size === 0) return;
    const taken = open;
    open = new Map();
    try {
      // Sorted, so that two processes lock the rows in the same order.
      const rows = [...taken].map(([name, row]) => ({ name, ...row })).sort((a, b) => a.name.localeCompare(b.name));
      await addAccepted(db, rows);
    } catch (thrown) {
      for (const [name, row] of taken) note(name, row.accepted, row.lastReceivedAt);
      throw thrown;
    }
  };
  const flush = () => {
    writing = writing.catch(() => undefined).then(write);
    return writing;
  };
  const timer = setInterval(() => {
    flush().catch((err) => log.debug({ err }, 'accepted counts are not written yet'));
  }, intervalMs);
  return {
    add: (connection, receivedAt) => note(connection, 1, receivedAt),
    flush,
    async stop() {
      clearInterval(timer);
      await flush().catch((err) => log.warn({ err }, 'accepted counts of the last moment are not written'));
    },
  };
}
