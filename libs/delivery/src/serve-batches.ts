import { asSyncError, type Kind, SyncError, writerGroup } from '@syncline/contracts';
import type { z } from 'zod';
import { type BatchTargetRuntime, type OpenBatchTargets, retryRefused, writingThrough } from './batch-target.js';
import { takenBy, topicsRead, wantedBy } from './flows.js';
import { Progress } from './progress.js';
import type { ServeOptions } from './serve-objects.js';
import { consumerOf, type ServedTarget, type TargetConnection } from './served.js';

/** A store that takes many records at once and is never read back. */
export interface BatchProvider {
  readonly provider: string;
  readonly title: string;
  readonly settings: z.ZodObject;
  readonly secrets: z.ZodObject;
  /** Opens a connection, with its tables made or upgraded first. Throws a SyncError. */
  open(context: {
    connection: string;
    settings: Readonly<Record<string, unknown>>;
    secrets: Readonly<Record<string, unknown>>;
  }): Promise<OpenBatchTargets>;
}

/** Serves one connection of a store that takes batches. */
export function serveBatches(
  provider: BatchProvider,
  connection: TargetConnection,
  options: ServeOptions,
): ServedTarget {
  const { name } = connection;
  const { kafka, store, log } = options;
  const group = writerGroup(name);
  const door = doorOf(provider, connection);
  const runtime: BatchTargetRuntime = {
    name,
    group,
    wanted: wantedBy(options.flows, name),
    opened: door.opened,
    store,
    progress: new Progress(name),
    log,
    lastFailure: null,
    looking: new Set(),
  };
  const topics = topicsRead(connection.kinds);
  const writeThrough = writingThrough(runtime);
  let underWay = 0;
  let paused = false;
  const { strategy, controller } = consumerOf(
    kafka,
    name,
    group,
    topics,
    async (batch) => {
      underWay += 1;
      try {
        return await writeThrough(batch);
      } finally {
        underWay -= 1;
      }
    },
    { together: true },
  );
  const open = () =>
    void door.opened().catch((thrown) => {
      runtime.lastFailure = asSyncError(thrown);
      log.error({ target: name, err: runtime.lastFailure }, 'the target cannot be opened: tried again with each batch');
    });
  return {
    name,
    group,
    strategy,
    controller,
    health: () => ({
      provider: provider.provider,
      freshnessMs: runtime.progress.quantiles(),
      circuit: 'closed',
      state: stateOf(runtime.lastFailure),
      reason: runtime.lastFailure?.message ?? null,
      heldUntil: null,
      underWay,
      takes: takenBy(options.flows, name),
      recent: (after) => runtime.progress.after(after),
    }),
    // Nothing is kept here: what comes while it is paused waits in its topics, where the newest of a record counts.
    setPaused: (now) => {
      paused = now;
      if (paused) strategy.pause();
      else {
        open();
        strategy.resume();
      }
    },
    // Makes the tables before the first record comes, and says at once what is wrong.
    start: () => {
      if (!paused) open();
    },
    stop: async () => undefined,
    close: door.close,
    retry: (which) => {
      if (paused) throw new SyncError('rejected', `${name} is paused: "syncline resume ${name}" lets it go on`);
      return retryRefused(runtime, which);
    },
  };
}

/** The opened target, made once; a failed opening is forgotten, so that the next batch tries again. */
function doorOf(provider: BatchProvider, connection: TargetConnection) {
  let open: Promise<OpenBatchTargets> | null = null;
  const { name, settings, secrets, kinds } = connection;
  const opened = (): Promise<OpenBatchTargets> => {
    open ??= provider
      .open({ connection: name, settings, secrets })
      .then((targets) => checked(targets, provider, kinds))
      .catch((thrown: unknown) => {
        open = null;
        throw thrown;
      });
    return open;
  };
  return { opened, close: async () => (await open?.catch(() => null))?.close() };
}

function checked(opened: OpenBatchTargets, provider: BatchProvider, kinds: readonly Kind[]): OpenBatchTargets {
  const none = kinds.filter((k) => !opened.targets[k]);
  if (none.length > 0)
    throw new SyncError('rejected', `${provider.provider} takes no ${none.join(', ')}: change the flow`);
  return opened;
}

function stateOf(failure: SyncError | null): 'ok' | 'throttled' | 'unauthorized' | 'unreachable' {
  if (failure === null) return 'ok';
  return failure.kind === 'unauthorized' || failure.kind === 'throttled' ? failure.kind : 'unreachable';
}
