import {
  type BudgetKeeper,
  type ConnectionContext,
  type Connector,
  connect,
  type Priority,
  type TokenStore,
} from '@syncline/connector-sdk';
import { SyncError } from '@syncline/contracts';
import type { ConnectionConfig } from '@syncline/runtime';

/** One connection an ingestor serves. */
export interface Served {
  readonly name: string;
  readonly connector: Connector;
  readonly context: ConnectionContext;
  /** The same for work of another priority than polls. */
  at(priority: Priority): ConnectionContext;
  /** The secrets that verify its webhooks. */
  readonly webhookSecrets: readonly string[];
  close(): Promise<void>;
}

/**
 * Opens the connections of this ingestor's provider. Throws `rejected` with a sentence where a named one is not of this
 * provider, none is left, or one has no secret to verify webhooks with: an endpoint without one would have to believe anybody.
 */
export function openConnections(
  connector: Connector,
  configured: readonly ConnectionConfig[],
  options: {
    only?: readonly string[] | undefined;
    budgets: BudgetKeeper;
    signal: AbortSignal;
    tokens?: TokenStore | null;
  },
): Served[] {
  const mine = configured.filter((c) => c.provider === connector.provider);
  const strange = (options.only ?? []).filter((name) => !mine.some((c) => c.name === name));
  if (strange.length > 0)
    throw new SyncError(
      'rejected',
      `CONNECTIONS names ${strange.join(', ')}, but syncline.yaml has no ${connector.provider} connection of that name`,
    );
  const chosen = options.only ? mine.filter((c) => options.only?.includes(c.name)) : mine;
  if (chosen.length === 0)
    throw new SyncError('rejected', `syncline.yaml has no connection of the provider ${connector.provider}`);
  return chosen.map((c) => openConnection(connector, c, options));
}

function openConnection(
  connector: Connector,
  config: ConnectionConfig,
  { budgets: keeper, signal, tokens }: { budgets: BudgetKeeper; signal: AbortSignal; tokens?: TokenStore | null },
): Served {
  const names = connector.webhook?.secrets ?? [];
  const webhookSecrets = names.flatMap((name) => textsOf(config.secrets[name]));
  if (connector.webhook && webhookSecrets.length === 0)
    throw new SyncError(
      'rejected',
      `connection ${config.name} has no secret to verify webhooks with: set ${names.map((n) => `connections.${config.name}.secrets.${n}`).join(' or ')}`,
    );
  const service = `ingestor-${connector.provider}`;
  const context = connect(connector, config, signal, {
    budget: { keeper, service, priority: 'poll' },
    tokens: tokens ?? null,
  });
  return {
    name: config.name,
    connector,
    context,
    at: (priority) => context.at(priority),
    webhookSecrets,
    close: () => context.close(),
  };
}

/** A secret may be one text or several (while it is being changed at the provider). Empty ones do not count. */
function textsOf(value: unknown): string[] {
  const list = Array.isArray(value) ? value : [value];
  return list.filter((v): v is string => typeof v === 'string' && v !== '');
}
