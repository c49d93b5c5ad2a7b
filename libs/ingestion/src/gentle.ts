import type { ConnectionContext, HttpClient, HttpRequest } from '@syncline/connector-sdk';
import { SyncError } from '@syncline/contracts';
import { pause } from './backoff.js';

/** Pause between two looks whether an operator's pause is over, in milliseconds. */
const heldLookMs = 250;

/**
 * The same connection, whose requests start no faster than `perSecond` on average and never two at a time: what is left of
 * the connection's budget stays for webhooks, polls and writes. While it is `held` nothing is sent. Throws `transient` when the
 * signal ends it.
 */
export function gentle(
  context: ConnectionContext,
  perSecond: number,
  signal: AbortSignal,
  held: () => boolean = () => false,
): ConnectionContext {
  let nextAt = 0;
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = async <T>(work: () => Promise<T>): Promise<T> => {
    const waitMs = nextAt - performance.now();
    if (waitMs > 0) await pause(waitMs, signal);
    while (held() && !signal.aborted) await pause(heldLookMs, signal);
    if (signal.aborted) throw new SyncError('transient', 'the backfill was interrupted');
    nextAt = performance.now() + 1000 / perSecond;
    return work();
  };
  const http: HttpClient = {
    send: <T>(request: HttpRequest) => {
      const sent = last.then(() => inTurn(() => context.http.send<T>(request)));
      last = sent.catch(() => undefined);
      return sent;
    },
  };
  return { ...context, http, signal };
}
