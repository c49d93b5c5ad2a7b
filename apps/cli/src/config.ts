import { existsSync } from 'node:fs';
import { type Connector, configurationOf } from '@syncline/connector-sdk';
import { connectors } from '@syncline/connectors';
import { kinds } from '@syncline/contracts';
import { loadSynclineConfig, type ProviderSchemas, type SynclineConfig } from '@syncline/runtime';
import { warehouse } from '@syncline/warehouse';
import { Failure } from './failure.js';
import { readLocal } from './local.js';
import { defaultConfig, typedPath } from './places.js';
import { readSandboxSecrets } from './sandbox-secrets.js';

/** Connectors by the name `provider:` takes. */
export const connectorOf: Readonly<Record<string, Connector | undefined>> = connectors as unknown as Record<
  string,
  Connector
>;

/** What syncline.yaml is checked against: every system this checkout knows. */
export function providers(): ProviderSchemas[] {
  const systems = Object.values(connectorOf).flatMap((c) => (c ? [c] : []));
  return [
    ...systems.map(configurationOf),
    {
      provider: warehouse.provider,
      settings: warehouse.settings,
      secrets: warehouse.secrets,
      readonly: false,
      writesOnly: true,
      kinds: [...kinds],
    },
  ];
}

/** The file to use: the one that was typed, the one of the running system, or syncline.yaml. */
export function configPath(typed: string | undefined): string {
  const path = typed === undefined ? (readLocal()?.config ?? defaultConfig) : typedPath(typed);
  if (!existsSync(path)) throw new Failure(`There is no configuration file ${path}. Name one with --config <file>.`, 2);
  return path;
}

/** Reads and checks a configuration; throws ConfigError with every problem at once. */
export function loadConfig(path: string, env: NodeJS.ProcessEnv): SynclineConfig {
  return loadSynclineConfig(path, env, providers());
}

/**
 * The environment a command sees: the user's own, completed by what the supervisor made up for the sandbox and by the
 * addresses of the running system. What the user sets wins.
 */
export function commandEnv(): NodeJS.ProcessEnv {
  const local = readLocal();
  return {
    ...readSandboxSecrets(),
    ...(local?.sandbox ? { SHOP_URL: local.sandbox.shop, CARRIER_URL: local.sandbox.carrier } : {}),
    ...(local
      ? { WAREHOUSE_URL: local.warehouseUrl, DATABASE_URL: local.databaseUrl, KAFKA_BROKERS: local.kafkaBrokers }
      : {}),
    ...set(process.env),
  };
}

function set(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
}
