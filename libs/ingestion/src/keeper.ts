import { asSyncError } from '@syncline/contracts';
import type { Logger } from '@syncline/runtime';
import { releaseLease, type Store, setWebhookState, takeLease } from '@syncline/store';
import { backoffMs, createBell, pause } from './backoff.js';
import type { Served } from './connection.js';
import type { ConnectionStates } from './state.js';

export interface KeeperOptions {
  store: Store;
  log: Logger;
  states: ConnectionStates;
  holder: string;
  /** Base of the addresses that are registered; null where webhooks are off. */
  publicUrl: string | null;
  /** Pause between checks while all is well. */
  intervalMs: number;
  /** Pause between checks of a connection whose credentials are refused or whose app was removed. */
  parkedMs: number;
  /** Called when a connection works again. */
  recovered(connection: string): void;
  signal: AbortSignal;
}

/** Looks after one connection: its credentials, and that the provider sends webhooks to us. */
export interface Keeper {
  /** Looks again now. */
  wake(): void;
  /** Resolves when it has looked once, however that went. */
  readonly looked: Promise<void>;
  readonly done: Promise<void>;
}

/** Starts looking after a connection: at once, soon again while that fails, then regularly. */
export function startKeeper(served: Served, options: KeeperOptions): Keeper {
  const bell = createBell();
  const first = Promise.withResolvers<void>();
  const done = keep(served, options, bell, first.resolve).finally(first.resolve);
  return { wake: () => bell.ring(), looked: first.promise, done };
}

async function keep(
  served: Served,
  options: KeeperOptions,
  bell: ReturnType<typeof createBell>,
  looked: () => void,
): Promise<void> {
  const { signal, states, log } = options;
  let failures = 0;
  while (!signal.aborted) {
    const wake = bell.next();
    try {
      await served.connector.check(served.context);
      const before = states.get(served.name);
      await states.set(served.name, 'connected', null);
      if (before !== 'connected') options.recovered(served.name);
      await registerWebhooks(served, options);
      failures = 0;
      looked();
      await pause(options.intervalMs * (0.9 + Math.random() / 5), signal, wake);
    } catch (thrown) {
      if (signal.aborted) return;
      const error = asSyncError(thrown);
      failures++;
      const level = failures === 1 || error.kind === 'defect' ? 'warn' : 'debug';
      log[level]({ err: error, connection: served.name, failures }, 'a connection could not be checked');
      await states.failed(served.name, error, failures);
      looked();
      const waitMs = states.parked(served.name)
        ? options.parkedMs
        : (error.retryAfterMs ?? 0) + backoffMs(failures, { firstMs: 500, mostMs: 30_000 });
      await pause(waitMs, signal, wake);
    }
  }
}

/** Registration is the provider's state and ours to keep; one process at a time, or two would register twice. */
async function registerWebhooks(served: Served, options: KeeperOptions): Promise<void> {
  const { store, holder, publicUrl, log } = options;
  const spec = served.connector.webhook;
  if (publicUrl === null || !spec) {
    await setWebhookState(store, served.name, 'off', null);
    return;
  }
  const name = `webhook:${served.name}`;
  const token = await takeLease(store, { name, holder, ttlMs: 60_000 });
  if (token === null) return;
  try {
    const { created, removed } = await spec.register(served.context, `${publicUrl}/webhooks/${served.name}`);
    if (created.length + removed.length > 0)
      log.info({ connection: served.name, created, removed }, 'webhooks were registered');
    await setWebhookState(store, served.name, 'registered', null);
  } catch (thrown) {
    await setWebhookState(store, served.name, 'failed', asSyncError(thrown).message).catch(() => undefined);
    throw thrown;
  } finally {
    await releaseLease(store, { name, holder, token }).catch(() => undefined);
  }
}
