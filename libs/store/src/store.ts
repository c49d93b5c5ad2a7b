import 'reflect-metadata';
import type { Socket } from 'node:net';
import { SyncError } from '@syncline/contracts';
import { DataSource, type QueryRunner } from 'typeorm';

/** Something that runs SQL: the pool, or one transaction. Rows come back as plain objects. */
export interface Db {
  query<T = Record<string, unknown>>(sql: string, params?: unknown[]): Promise<T[]>;
}

/** One transaction, open until `commit` or `rollback`. Whoever opens it ends it. */
export interface Transaction extends Db {
  commit(): Promise<void>;
  /** Never throws: a connection that cannot roll back is discarded, which rolls back too. */
  rollback(): Promise<void>;
}

/** The part of the database one service may see. */
export interface Store extends Db {
  begin(): Promise<Transaction>;
  /** Runs the work in one transaction; any throw rolls back and goes on to the caller. */
  transaction<T>(work: (tx: Db) => Promise<T>): Promise<T>;
  /** True when a trivial query answers. */
  ready(): Promise<boolean>;
  close(): Promise<void>;
}

/** Each service has its own schema and role; none reads another's tables. Grants are for whoever serves a connection. */
export type StoreRole = 'ingestion' | 'transformer' | 'delivery' | 'grants';

export interface StoreOptions {
  url: string;
  role: StoreRole;
  /** Shown in pg_stat_activity. */
  applicationName: string;
  /** Connections at most (default 6). */
  poolSize?: number;
  /** Milliseconds until a query without an answer has failed, and its connection is given up. Default 20,000. */
  answerMsMax?: number;
}

/** The database role that owns a service's schema. */
export const roleName = (role: StoreRole): string => `syncline_${role}`;

/**
 * Opens a service's part of the store. Every session runs under the service's own role with its schema first in the path,
 * so that a query for another service's table fails. Throws `transient` where the database cannot be reached.
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const answerMsMax = options.answerMsMax ?? 20_000;
  const source = new DataSource({
    type: 'postgres',
    url: options.url,
    applicationName: options.applicationName,
    poolSize: options.poolSize ?? 6,
    extra: {
      options: `-c role=${roleName(options.role)} -c search_path=${options.role}`,
      connectionTimeoutMillis: 5_000,
      // The server gives up first: where it can still be heard its word is the better one.
      statement_timeout: Math.round(answerMsMax * 0.75),
      query_timeout: answerMsMax,
      // What a connection that was given up had locked is free again after this.
      idle_in_transaction_session_timeout: 20_000,
      keepAlive: true,
    },
    poolErrorHandler: () => undefined,
  });
  try {
    await source.initialize();
  } catch (cause) {
    throw storeError(cause, `the database refuses role ${roleName(options.role)}: run \`syncline migrate\``);
  }
  const query = async <T>(sql: string, params?: unknown[]) => {
    const runner = source.createQueryRunner();
    try {
      return await ask<T>(runner, sql, params);
    } finally {
      await runner.release().catch(() => undefined);
    }
  };
  const begin = () => beginOn(source);
  return {
    query,
    begin,
    transaction: async (work) => {
      const tx = await begin();
      try {
        const result = await work(tx);
        await tx.commit();
        return result;
      } catch (error) {
        await tx.rollback();
        throw error;
      }
    },
    ready: () =>
      query('SELECT 1').then(
        () => true,
        () => false,
      ),
    close: () => source.destroy(),
  };
}

async function beginOn(source: DataSource): Promise<Transaction> {
  const runner = source.createQueryRunner();
  let client: QueryRunner | null = runner;
  try {
    await runner.connect();
    await runner.startTransaction();
  } catch (cause) {
    await runner.release().catch(() => undefined);
    throw storeError(cause);
  }
  const end = async (how: 'commitTransaction' | 'rollbackTransaction') => {
    if (!client) return;
    client = null;
    try {
      await runner[how]();
    } catch (cause) {
      if (isUnanswered(cause)) await giveUp(runner);
      throw cause;
    } finally {
      await runner.release().catch(() => undefined);
    }
  };
  return {
    query: (sql, params) => ask(runner, sql, params),
    commit: () =>
      end('commitTransaction').catch((cause) => {
        throw storeError(cause);
      }),
    rollback: () => end('rollbackTransaction').catch(() => undefined),
  };
}

/** Asks over one connection, which is not used again where no answer came. */
async function ask<T>(runner: QueryRunner, sql: string, params?: unknown[]): Promise<T[]> {
  try {
    return await rows<T>(runner.query(sql, params));
  } catch (error) {
    if (isUnanswered(error)) await giveUp(runner);
    throw error;
  }
}

/** Whether pg's own `query_timeout` ended it: the connection may be half open, and would be handed out again. */
function isUnanswered(error: unknown): boolean {
  for (let e = error; e instanceof Error; e = e.cause) if (e.message.includes('Query read timeout')) return true;
  return false;
}

/** Breaks a connection, on which the pool drops it. */
async function giveUp(runner: QueryRunner): Promise<void> {
  const client = (await runner.connect().catch(() => null)) as { connection?: { stream?: Socket } } | null;
  const stream = client?.connection?.stream;
  if (!stream || stream.destroyed) return;
  const closed = new Promise((resolve) => stream.once('close', resolve));
  stream.destroy();
  await closed;
}

/** TypeORM answers [rows, count] for UPDATE and DELETE; everyone here wants the rows. */
async function rows<T>(running: Promise<unknown>): Promise<T[]> {
  let result: unknown;
  try {
    result = await running;
  } catch (cause) {
    throw storeError(cause);
  }
  if (Array.isArray(result) && result.length === 2 && Array.isArray(result[0]) && typeof result[1] === 'number')
    return result[0] as T[];
  return (Array.isArray(result) ? result : []) as T[];
}

// SQLSTATE classes in which the statement is fine and the database is not, or another transaction was in the way
// (PostgreSQL documentation, appendix A): connection, resources, operator intervention, serialization, lock time-outs.
const passing = /^(08|53|57|58|40|55P03|25P03)/;

/** A database failure as a SyncError; the message names the SQLSTATE, never a value (PostgreSQL's detail may quote rows). */
export function storeError(cause: unknown, hint?: string): SyncError {
  if (cause instanceof SyncError) return cause;
  const code =
    (cause as { code?: unknown })?.code ?? (cause as { driverError?: { code?: unknown } })?.driverError?.code;
  const state = typeof code === 'string' ? code : 'none';
  const sqlstate = /^[0-9A-Z]{5}$/.test(state) && !/^E[A-Z]+$/.test(state);
  const transient = !sqlstate || passing.test(state);
  const suffix = hint && sqlstate ? ` (${hint})` : '';
  return new SyncError(transient ? 'transient' : 'defect', `database error ${state}${suffix}`, { cause });
}
