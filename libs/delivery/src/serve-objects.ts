import {
  type BudgetKeeper,
  type Connector,
  connect,
  type ObjectTarget,
  type TokenStore,
} from '@syncline/connector-sdk';
import { type Kind, SyncError, writerGroup } from '@syncline/contracts';
import type { KafkaSettings } from '@syncline/messaging';
import type { Flow, Logger } from '@syncline/runtime';
import { reviveDead, type Store } from '@syncline/store';
import { Dispatcher } from './dispatcher.js';
import { dispositionLimits } from './disposition.js';
import { linkedKinds, takenBy, topicsRead, wantedBy } from './flows.js';
import { TargetGate } from './gate.js';
import { takeIn } from './object-intake.js';
import type { ObjectTargetRuntime, Timing } from './object-target.js';
import { Progress } from './progress.js';
import type { Sender } from './receipts.js';
import { consumerOf, type ServedTarget, type TargetConnection } from './served.js';

export interface ServeOptions {
  readonly kafka: KafkaSettings;
  readonly flows: readonly Flow[];
  readonly store: Store;
  readonly log: Logger;
}

/** Serves one connection of a system that holds an object per record. */
export function serveObjects(
  connector: Connector,
  connection: TargetConnection,
  options: ServeOptions & {
    sender: Sender;
    timing: Timing;
    signal: AbortSignal;
    budgets: BudgetKeeper;
    service: string;
    tokens?: TokenStore | null;
  },
): ServedTarget {
  const { name } = connection;
  const { kafka, store, log, signal } = options;
  const group = writerGroup(name);
  const specs = specsOf(connector, connection);
  const linked = linkedKinds(connector, connection.kinds);
  const budget = { keeper: options.budgets, service: options.service };
  const context = connect(connector, connection, signal, { budget, tokens: options.tokens ?? null });
  const topics = topicsRead(connection.kinds, linked.keys());
  const gate = new TargetGate({
    concurrency: connector.limits.concurrency,
    onChange: (shut) => {
      log[shut ? 'warn' : 'info'](
        { target: name, state: gate.state() },
        shut ? 'the target is not sent anything' : 'the target is served again',
      );
      if (shut) strategy.pause();
      else {
        strategy.resume();
        void dispatcher.hasten();
      }
    },
  });
  const runtime: ObjectTargetRuntime = {
    name,
    group,
    connector,
    context,
    specs,
    linked,
    wanted: wantedBy(options.flows, name),
    store,
    sender: options.sender,
    gate,
    progress: new Progress(name),
    timing: options.timing,
    limits: dispositionLimits,
    log,
    signal,
  };
  const dispatcher = new Dispatcher(runtime);
  const { strategy, controller } = consumerOf(kafka, name, group, topics, (batch) =>
    takeIn(runtime, batch, () => dispatcher.wake()),
  );
  return {
    name,
    group,
    strategy,
    controller,
    health: () => ({
      provider: connector.provider,
      freshnessMs: runtime.progress.quantiles(),
      circuit: gate.circuitState,
      state: gate.state(),
      reason: gate.reason,
      heldUntil: gate.heldUntilOf(),
      underWay: dispatcher.underWay,
      takes: takenBy(options.flows, name),
      recent: (after) => runtime.progress.after(after),
    }),
    setPaused: (paused) => dispatcher.setPaused(paused),
    start: () => dispatcher.start(),
    stop: (graceMs) => dispatcher.stop(graceMs),
    close: () => context.close(),
    retry: async (which) => {
      const { revived, superseded } = await reviveDead(store, name, which);
      dispatcher.wake();
      return { retried: revived, superseded, refused: 0 };
    },
  };
}

function specsOf(connector: Connector, connection: TargetConnection): Partial<Record<Kind, ObjectTarget>> {
  const specs: Partial<Record<Kind, ObjectTarget>> = {};
  for (const kind of connection.kinds) {
    const spec = connector.targets?.[kind];
    if (spec?.shape !== 'objects')
      throw new SyncError(
        'rejected',
        `a flow of syncline.yaml takes records of the kind ${kind} to ${connection.name}, but ${connector.provider} takes none: remove it from the flow`,
      );
    specs[kind] = spec;
  }
  return specs;
}
