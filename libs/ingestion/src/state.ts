import { type SyncError } from '@syncline/contracts';
import type { Logger } from '@syncline/runtime';
import { type ConnectionState, type Db, setConnectionState } from '@syncline/store';

/** How the connections of this process do. A change is logged once and kept in the store. */
export interface ConnectionStates {
  get(connection: string): ConnectionState;
  /** True where polling makes no sense now: the credentials are refused, or our app was removed. */
  parked(connection: string): boolean;
  set(connection: string, state: ConnectionState, reason: string | null): Promise<void>;
  /** Judges a failure of a check, a poll or a registration; `failures` counts those in a row. */
  failed(connection: string, error: SyncError, failures: number): Promise<void>;
}

const failuresForError = 3;

/** Starts with every connection as connected; the first check tells better. */
export function trackStates(db: Db, log: Logger): ConnectionStates {
  const states = new Map<string, ConnectionState>();
  const get = (connection: string) => states.get(connection) ?? 'connected';
  const set = async (connection: string, state: ConnectionState, reason: string | null) => {
    if (states.get(connection) === state) return;
    states.set(connection, state);
    const level = state === 'connected' ? 'info' : 'warn';
    log[level]({ connection, state, reason }, 'the connection changed its state');
    try {
      await setConnectionState(db, connection, state, reason);
    } catch (err) {
      states.delete(connection); // said again at the next occasion, when the store is back
      log.debug({ err, connection }, 'the state of a connection is not written yet');
    }
  };
  return {
    get,
    set,
    parked: (connection) => get(connection) === 'unauthorized' || get(connection) === 'disconnected',
    async failed(connection, error, failures) {
      // A removed app is refused too; that it was removed is the better news.
      if (error.kind === 'unauthorized' && get(connection) === 'disconnected') return;
      if (error.kind === 'unauthorized') await set(connection, 'unauthorized', error.message);
      else if (failures >= failuresForError && error.kind !== 'throttled' && get(connection) === 'connected')
        await set(connection, 'error', error.message);
    },
  };
}
