import type { Logger } from '@syncline/runtime';
import { releaseLease, renewLease, type Store } from '@syncline/store';

/** A lease as it is held. */
export interface KeptLease {
  readonly signal: AbortSignal;
  /** Gives it back; never throws: one that cannot be given back runs out. */
  release(): Promise<void>;
}

/** Renews a lease while work goes on; its signal is aborted where the lease was lost or may have been, or the service stops. */
export function keepLease(
  store: Store,
  lease: { name: string; holder: string; token: number; ttlMs: number },
  stopping: AbortSignal,
  log: Logger,
): KeptLease {
  const lost = new AbortController();
  let heldUntil = performance.now() + lease.ttlMs;
  const timer = setInterval(() => {
    const asked = performance.now();
    renewLease(store, lease).then(
      (held) => {
        if (held) heldUntil = asked + lease.ttlMs;
        else lost.abort();
      },
      () => {
        if (performance.now() > heldUntil) lost.abort();
      },
    );
  }, lease.ttlMs / 3);
  return {
    signal: AbortSignal.any([lost.signal, stopping]),
    async release() {
      clearInterval(timer);
      const { name } = lease;
      await releaseLease(store, lease).catch((err) => log.debug({ err, name }, 'a lease runs out by itself'));
    },
  };
}
