import type { BatchItem, BatchOutcome } from '@syncline/connector-sdk';
import type { Kind } from '@syncline/contracts';
import type pg from 'pg';
import { isDataError, toSyncError } from './failures.js';
import type { Statements } from './statements.js';

/** What happens to a row when its record is deleted. */
export type OnDelete = 'archive' | 'delete' | 'ignore';

export interface WriteOptions {
  readonly kind: Kind;
  readonly statements: Statements;
  readonly onDelete: OnDelete;
}

interface Entry {
  readonly item: BatchItem;
  readonly index: number;
}

interface Query {
  readonly name?: string;
  readonly text: string;
  readonly values?: unknown[];
}

/** Values of a batch that go into one transaction, in characters: bounds the memory of both sides. */
const valueCharsMax = 16 * 1024 * 1024;
/** Held shared by writes and alone by erasures: an older event cannot slip in behind a row that is just being erased. */
const erasureLock = 7_354_201;

/**
 * Writes a batch, newest revision per id, with one outcome per item. Throws where the server as a whole did not take it.
 * A value PostgreSQL refuses is found by halving: the other records of the batch are written.
 */
export async function writeBatch(
  pool: pg.Pool,
  options: WriteOptions,
  items: readonly BatchItem[],
): Promise<BatchOutcome[]> {
  const outcomes: BatchOutcome[] = items.map(() => null);
  const pending = chunks(newestById(items)).reverse();
  for (let part = pending.pop(); part !== undefined; part = pending.pop()) {
    try {
      await writeOnce(pool, options, part);
    } catch (thrown) {
      const first = part[0];
      if (!isDataError(thrown)) throw toSyncError(thrown);
      if (part.length === 1 && first !== undefined) outcomes[first.index] = toSyncError(thrown);
      else pending.push(part.slice(part.length / 2), part.slice(0, part.length / 2));
    }
  }
  return outcomes;
}

/** In id order, so that two writers lock rows in the same order. */
function newestById(items: readonly BatchItem[]): Entry[] {
  const newest = new Map<string, Entry>();
  items.forEach((item, index) => {
    const known = newest.get(item.id);
    if (known === undefined || item.revision >= known.item.revision) newest.set(item.id, { item, index });
  });
  return [...newest.values()].sort((a, b) => (a.item.id < b.item.id ? -1 : 1));
}

function chunks(entries: readonly Entry[]): Entry[][] {
  const parts: Entry[][] = [];
  let chars = Number.POSITIVE_INFINITY;
  for (const entry of entries) {
    const length = entry.item.value?.length ?? 0;
    if (chars + length > valueCharsMax) {
      parts.push([]);
      chars = 0;
    }
    chars += length;
    parts.at(-1)?.push(entry);
  }
  return parts;
}

async function writeOnce(pool: pg.Pool, options: WriteOptions, entries: readonly Entry[]): Promise<void> {
  const queries = queriesFor(options, entries);
  if (queries.length === 0) return;
  const client = await pool.connect();
  let failed: Error | undefined;
  try {
    await transaction(client, queries);
  } catch (thrown) {
    // A session that refused a value is as good as new after its rollback; in doubt it is closed.
    failed = isDataError(thrown) ? undefined : (thrown as Error);
    throw thrown;
  } finally {
    client.release(failed);
  }
}

/** Sends everything at once (pg's pipeline mode): one round trip. After a failure the server rolls back at COMMIT. */
async function transaction(client: pg.PoolClient, queries: readonly Query[]): Promise<void> {
  const all = [{ text: 'BEGIN' }, ...queries, { text: 'COMMIT' }].map((query) => client.query(query));
  const results = await Promise.allSettled(all);
  const failure = results.find((r) => r.status === 'rejected');
  if (failure) throw failure.reason;
  const end = results.at(-1);
  if (end?.status !== 'fulfilled' || end.value.command !== 'COMMIT') throw new Error('the transaction was rolled back');
}

function queriesFor({ kind, statements, onDelete }: WriteOptions, entries: readonly Entry[]): Query[] {
  const queries: Query[] = [];
  const written = entries.filter(({ item }) => item.value !== null);
  const removed = entries.filter(({ item }) => item.value === null && (onDelete !== 'ignore' || item.mergedInto));
  const named = (name: keyof Statements, value: unknown): void => {
    queries.push({ name: `${kind}_${name}`, text: statements[name], values: [value] });
  };
  if (onDelete === 'delete' && entries.length > 0) {
    const lock = removed.length > 0 ? 'pg_advisory_xact_lock' : 'pg_advisory_xact_lock_shared';
    queries.push({ text: `SELECT ${lock}(${erasureLock})` });
  }
  if (written.length > 0) {
    named('upsert', upsertParameter(written));
    named(
      'children',
      written.map(({ item }) => item.id),
    );
  }
  if (removed.length > 0) {
    const parameter = JSON.stringify(
      removed.map(({ item }) => ({ id: item.id, revision: item.revision, mergedInto: item.mergedInto ?? null })),
    );
    const names = onDelete === 'delete' ? (['remember', 'erase', 'eraseChildren'] as const) : (['archive'] as const);
    for (const name of names) named(name, parameter);
  }
  return queries;
}

/** The events' own JSON text goes in as it is: parsing and writing it again would cost more than all else here. */
function upsertParameter(entries: readonly Entry[]): string {
  let text = '[';
  for (const { item } of entries) {
    if (text.length > 1) text += ',';
    text += `{"id":${JSON.stringify(item.id)},"revision":${item.revision},"value":${item.value}}`;
  }
  return `${text}]`;
}
