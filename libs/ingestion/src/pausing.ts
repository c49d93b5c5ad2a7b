import type { Logger } from '@syncline/runtime';
import { type Db, watchPauses } from '@syncline/store';

/** Which connections an operator has paused as sources: nothing is read from them, webhooks are taken as ever. */
export interface Pausing {
  /** Since when, milliseconds since the epoch; null where a connection is not paused. */
  since(connection: string): number | null;
  paused(connection: string): boolean;
  /** Aborted when the connection is paused: a poll under way ends behind the page it reads. A new one after each resume. */
  signal(connection: string): AbortSignal;
  stop(): void;
}

/** Starts to watch the pauses of some connections; `resumed` is called when one goes on. Throws where the store is away. */
export async function watchPausing(
  db: Db,
  connections: readonly string[],
  log: Logger,
  resumed: (connection: string) => void,
): Promise<Pausing> {
  const running = new Map(connections.map((name) => [name, new AbortController()]));
  const pauses = await watchPauses(db, connections, {
    changed(connection, since) {
      log.info({ connection, paused: since !== null }, since === null ? 'the connection goes on' : 'it is paused');
      if (since !== null) running.get(connection)?.abort();
      else {
        running.set(connection, new AbortController());
        resumed(connection);
      }
    },
    failed: (err) => log.debug({ err }, 'the pauses could not be read: those known before count'),
  });
  return {
    since: (connection) => pauses.since(connection),
    paused: (connection) => running.get(connection)?.signal.aborted ?? false,
    signal: (connection) => running.get(connection)?.signal ?? AbortSignal.abort(),
    stop: () => pauses.stop(),
  };
}
