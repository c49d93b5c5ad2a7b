import { type Connector, connect, tokenKeeping } from '@syncline/connector-sdk';
import { SyncError } from '@syncline/contracts';
import { ConfigError, type ConnectionConfig, type SynclineConfig } from '@syncline/runtime';
import { grantStore } from '@syncline/store';
import { warehouse } from '@syncline/warehouse';
import { commandEnv, configPath, connectorOf, loadConfig } from '../config.js';

const checkMsMax = 20_000;

/** How one connection's check ended. */
interface Checked {
  connection: string;
  provider: string;
  ok: boolean;
  /** What is wrong and what to do; null where nothing is. */
  problem: string | null;
}

/** `syncline check`: the configuration file and every connection's credentials; every problem at once. Exit code 1 when there is one. */
export async function checkCommand(options: { json?: boolean; config?: string }): Promise<number> {
  const path = configPath(options.config);
  let config: SynclineConfig;
  try {
    config = loadConfig(path, commandEnv());
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.log(
      options.json
        ? JSON.stringify({ config: path, problems: error.problems, connections: [] }, null, 2)
        : error.message,
    );
    return 1;
  }
  const connections = await Promise.all(Object.values(config.connections).map(checked));
  if (options.json) console.log(JSON.stringify({ config: path, problems: [], connections }, null, 2));
  else {
    console.log(`${path} is valid: ${connections.length} connections, ${config.flows.length} flows.`);
    for (const { connection, provider, problem } of connections) {
      console.log(
        `${problem === null ? '✓' : '✗'} ${connection} (${provider})${problem === null ? '' : `: ${problem}`}`,
      );
    }
  }
  return connections.every(({ ok }) => ok) ? 0 : 1;
}

async function checked(connection: ConnectionConfig): Promise<Checked> {
  const { name, provider } = connection;
  try {
    const connector = connectorOf[provider];
    await (connector ? checkConnector(connector, connection) : checkWarehouse(connection));
    return { connection: name, provider, ok: true, problem: null };
  } catch (error) {
    return { connection: name, provider, ok: false, problem: problemOf(error) };
  }
}

async function checkConnector(connector: Connector, connection: ConnectionConfig): Promise<void> {
  const tokens = tokenKeeping(connector.auth) === 'needed' ? tokensOf(commandEnv()) : null;
  const context = connect(connector, connection, AbortSignal.timeout(checkMsMax), { tokens });
  try {
    await connector.check(context);
  } finally {
    await context.close();
    await tokens?.close();
  }
}

/** Where grants are kept; a check of secrets alone needs no database. */
function tokensOf({ DATABASE_URL: url, SYNCLINE_SECRET_KEYS: keys }: NodeJS.ProcessEnv) {
  if (!url) throw new SyncError('rejected', 'its grant is kept in the database: set DATABASE_URL');
  return grantStore('needed', { url, keys, applicationName: 'syncline check' });
}

async function checkWarehouse({ name, settings, secrets }: ConnectionConfig): Promise<void> {
  const opened = await warehouse.open({ connection: name, settings, secrets });
  try {
    await opened.check();
  } finally {
    await opened.close();
  }
}

/** A failure as a sentence; only our own errors are quoted, since others may repeat what they were given. */
function problemOf(error: unknown): string {
  if (error instanceof SyncError) return error.kind === 'transient' ? `not reached: ${error.message}` : error.message;
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string'
    ? `failed with ${code}`
    : `failed (${error instanceof Error ? error.name : typeof error})`;
}
