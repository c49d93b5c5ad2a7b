import { acceptsTcp } from './probe.js';
import type { ServiceName } from './service.js';

/** How the services are run: given by the user, in containers, or as processes. */
export type InfraKind = 'external' | 'docker' | 'native';

/** Addresses of services that somebody else runs. */
export interface Addresses {
  readonly kafkaBrokers: readonly string[];
  readonly databaseUrl: string;
  readonly warehouseUrl: string;
}

/**
 * Reads KAFKA_BROKERS (host:port, separated by commas), DATABASE_URL and WAREHOUSE_URL (default: database `warehouse` of the
 * same server). Undefined when none is set; throws when only one of the first two is, or one cannot be read.
 */
export function externalAddresses(env: Readonly<Record<string, string | undefined>>): Addresses | undefined {
  const { KAFKA_BROKERS: brokers, DATABASE_URL: database, WAREHOUSE_URL: warehouse } = env;
  if (!brokers && !database) return undefined;
  if (!brokers || !database) {
    const [given, missing] = brokers ? ['KAFKA_BROKERS', 'DATABASE_URL'] : ['DATABASE_URL', 'KAFKA_BROKERS'];
    throw new Error(`${given} is set but ${missing} is not: set both to use your own servers, or neither`);
  }
  const kafkaBrokers = brokers.split(',').map((broker) => broker.trim());
  for (const broker of kafkaBrokers) {
    if (!/^[^\s:/]+:\d{1,5}$/.test(broker)) throw new Error(`KAFKA_BROKERS: "${broker}" is not host:port`);
  }
  const url = databaseAddress('DATABASE_URL', database);
  if (warehouse) databaseAddress('WAREHOUSE_URL', warehouse);
  url.pathname = '/warehouse';
  return { kafkaBrokers, databaseUrl: database, warehouseUrl: warehouse || url.href };
}

/** Throws an error that names the server which does not accept connections; no password in it. */
export async function reachExternal(addresses: Addresses): Promise<void> {
  const reached = await Promise.all(
    addresses.kafkaBrokers.map((broker) => {
      const [host = '', port] = broker.split(':');
      return acceptsTcp(host, Number(port), 5_000);
    }),
  );
  if (!reached.includes(true))
    throw new Error(`no Kafka broker of KAFKA_BROKERS answers: ${addresses.kafkaBrokers.join(', ')}`);
  for (const [name, text] of [
    ['DATABASE_URL', addresses.databaseUrl],
    ['WAREHOUSE_URL', addresses.warehouseUrl],
  ] as const) {
    const { hostname, port } = new URL(text);
    if (!(await acceptsTcp(hostname, Number(port || 5432), 5_000))) {
      throw new Error(`no PostgreSQL answers at ${hostname}:${port || 5432} (${name})`);
    }
  }
}

function databaseAddress(name: string, text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^postgres(ql)?:$/.test(url.protocol) || url.hostname === '') {
    throw new Error(`${name} is not of the form postgres://user:password@host:port/database`);
  }
  return url;
}

/** What INFRA says; undefined when it is not set. Throws where it is none of the three. */
export function wishedKind(): InfraKind | undefined {
  const wish = process.env.INFRA || undefined;
  if (wish === undefined || wish === 'external' || wish === 'docker' || wish === 'native') return wish;
  throw new Error(`INFRA is "${wish}": use external, docker or native, or leave it unset`);
}

/** What a service that somebody else runs answers to being killed or restarted. */
export async function notOurs(name: ServiceName): Promise<void> {
  throw new Error(
    `${name} was not started here (KAFKA_BROKERS and DATABASE_URL are set), so it is not stopped or started here`,
  );
}
