import type { Kind } from '@syncline/contracts';
import type { Priority } from './budget-allot.js';
import type { BudgetKeeper } from './budget-keeper.js';
import { createHttpClient } from './client.js';
import type { ConnectionContext, Connector } from './connector.js';
import type { TokenStore } from './token-store.js';

/** A connection as syncline.yaml names it, with checked settings and secrets. */
export interface ConfiguredConnection {
  readonly name: string;
  readonly settings: Record<string, unknown>;
  readonly secrets: Record<string, unknown>;
}

/** What a connector's functions are called with for one connection, until `close`. */
export interface OpenConnection extends ConnectionContext {
  /** The same connection for work of another priority. */
  at(priority: Priority): ConnectionContext;
  close(): Promise<void>;
}

/** Whose budget the requests of a connection are paid from, and what for where nothing else is said (default: writes). */
export interface BudgetUse {
  readonly keeper: BudgetKeeper;
  readonly service: string;
  readonly priority?: Priority;
}

/** What the processes that serve a connection share. */
export interface SharedUse {
  /** Without one the connection paces itself alone. */
  readonly budget?: BudgetUse;
  /** Where its access tokens are kept, if it uses any; else in this process. */
  readonly tokens?: TokenStore | null;
}

/** Opens a connection: nothing is sent before the first request. */
export function connect(
  connector: Connector,
  { name, settings, secrets }: ConfiguredConnection,
  signal: AbortSignal,
  { budget, tokens }: SharedUse = {},
): OpenConnection {
  const client = createHttpClient({
    connection: name,
    baseUrl: connector.baseUrl(settings),
    auth: connector.auth,
    secrets,
    limits: connector.limits,
    budget: budget?.keeper,
    service: budget?.service,
    tokens: tokens ?? undefined,
    signal,
  });
  const at = (priority: Priority): ConnectionContext => ({
    connection: name,
    settings,
    secrets,
    http: client.at(priority),
    signal,
  });
  return { ...at(budget?.priority ?? 'write'), at, close: () => client.close() };
}

/** What the checks of syncline.yaml must know of a connector. */
export function configurationOf(connector: Connector) {
  const read = Object.values(connector.objects).map((o) => o.kind);
  const written = Object.keys(connector.targets ?? {}) as Kind[];
  return {
    provider: connector.provider,
    settings: connector.settings,
    secrets: connector.secrets,
    readonly: written.length === 0,
    writesOnly: read.length === 0,
    kinds: [...new Set([...read, ...written])],
  };
}
