import type { Kind } from '@syncline/contracts';
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
  close(): Promise<void>;
}

/** Opens a connection: nothing is sent before the first request. `tokens`: where its access tokens are kept, if it uses any. */
export function connect(
  connector: Connector,
  { name, settings, secrets }: ConfiguredConnection,
  signal: AbortSignal,
  tokens?: TokenStore,
): OpenConnection {
  const http = createHttpClient({
    connection: name,
    baseUrl: connector.baseUrl(settings),
    auth: connector.auth,
    secrets,
    limits: connector.limits,
    tokens,
    signal,
  });
  return { connection: name, settings, secrets, http, signal, close: () => http.close() };
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
