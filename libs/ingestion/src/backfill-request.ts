import type { Connector } from '@syncline/connector-sdk';
import { SyncError } from '@syncline/contracts';
import {
  addBackfill,
  type BackfillRow,
  type BackfillSpec,
  cancelBackfills,
  readBackfills,
  type Store,
} from '@syncline/store';
import type { Served } from './connection.js';
import { firstSince } from './since.js';

/** Ids of one backfill at most: they come in a request's address. */
export const backfillIdsMax = 500;

type Query = Readonly<Record<string, string | undefined>>;

/** A backfill as the operator sees it. Times are milliseconds since the epoch. */
export interface BackfillView extends BackfillRow {
  /** How much of it is done, from 0 to 1; null where that cannot be told yet. */
  share: number | null;
  /** Objects per second. */
  perSecond: number | null;
  /** How long it still takes at that rate, in milliseconds. */
  leftMs: number | null;
}

/** A backfill with its rate and the time left, as far as they can be told. */
export function viewOf(row: BackfillRow): BackfillView {
  const share = shareOf(row);
  const seen = row.found + row.missing;
  const known = row.activeMs > 0 && seen > 0;
  const running = row.state === 'running' && share !== null && share > 0;
  return {
    ...row,
    share,
    perSecond: known ? seen / (row.activeMs / 1000) : null,
    leftMs: running && row.activeMs > 0 ? (row.activeMs * (1 - share)) / share : null,
  };
}

function shareOf({ state, ids, checkpoint, position, since, until }: BackfillRow): number | null {
  if (state === 'done') return 1;
  if (ids !== null) return Number(checkpoint ?? 0) / ids.length;
  if (position === null || until <= since) return null;
  return Math.min(1, Math.max(0, (position - since) / (until - since)));
}

/**
 * Takes the order for a backfill: of a kind all its nouns that can be listed (or read, where ids are given), or one noun.
 * Throws `rejected` naming what is wrong, also where one of them is under way already.
 */
export async function orderBackfill(
  store: Store,
  connections: readonly Served[],
  query: Query,
  now: number,
): Promise<{ backfills: BackfillView[] }> {
  const served = need(connections, query.connection);
  const ids = idsOf(query.ids);
  const nouns = nounsOf(served.connector, query.kind, ids ? 'read' : 'poll');
  if (ids && (query.since || query.until))
    throw new SyncError('rejected', 'give ids, or since and until: objects named by id are read whenever they changed');
  const since = query.since ? instantOf('since', query.since, now) : firstSince(served.context.settings, now);
  const until = query.until ? instantOf('until', query.until, now) : now;
  if (since >= until) throw new SyncError('rejected', 'since must be before until');
  const dryRun = query.dryRun === 'true';
  const specs = nouns.map((noun): BackfillSpec => ({ connection: served.name, noun, since, until, ids, dryRun }));
  const rows = await store.transaction(async (tx) => {
    const added = [];
    for (const spec of specs) {
      const row = await addBackfill(tx, spec);
      if (!row)
        throw new SyncError(
          'rejected',
          `a backfill of ${spec.noun} of ${served.name} is under way already: wait for it, or end it with --cancel`,
        );
      added.push(row);
    }
    return added;
  });
  return { backfills: rows.map(viewOf) };
}

/** Ends what is under way of a connection and a kind or noun. */
export async function cancelBackfill(store: Store, connections: readonly Served[], query: Query) {
  const served = need(connections, query.connection);
  const nouns = nounsOf(served.connector, query.kind, 'any');
  return { cancelled: (await cancelBackfills(store, served.name, nouns)).map(viewOf) };
}

/** The backfills of these connections, those under way first. */
export async function showBackfills(store: Store, connections: readonly Served[]) {
  const rows = await readBackfills(
    store,
    connections.map((c) => c.name),
  );
  return { backfills: rows.map(viewOf) };
}

function need(connections: readonly Served[], name: string | undefined): Served {
  const found = connections.find((c) => c.name === name);
  if (found) return found;
  const names = connections.map((c) => c.name).join(', ');
  throw new SyncError('rejected', `connection must be one of ${names}, not ${JSON.stringify(name ?? '')}`);
}

function nounsOf(connector: Connector, kind: string | undefined, can: 'poll' | 'read' | 'any'): string[] {
  const objects = Object.entries(connector.objects);
  const named = objects.filter(([, object]) => object.kind === kind);
  const meant = named.length > 0 ? named : objects.filter(([noun]) => noun === kind);
  if (meant.length === 0) {
    const known = [...new Set(objects.flatMap(([noun, object]) => [object.kind, noun]))].join(', ');
    throw new SyncError(
      'rejected',
      `${connector.provider} has no ${JSON.stringify(kind ?? '')}: kind is one of ${known}`,
    );
  }
  const able = meant.filter(([, object]) => can === 'any' || object[can] !== undefined).map(([noun]) => noun);
  if (able.length > 0) return able;
  const listed = objects.filter(([, object]) => object.poll).map(([noun]) => noun);
  throw new SyncError(
    'rejected',
    can === 'poll'
      ? `${connector.provider} cannot list ${meant[0]![0]}: backfill ${listed.join(' or ')}, which bring it, or name objects with ids`
      : `${connector.provider} cannot read ${meant[0]![0]} by id: give since and until`,
  );
}

function idsOf(text: string | undefined): string[] | null {
  if (text === undefined) return null;
  const ids = [...new Set(text.split(',').map((id) => id.trim()))].filter((id) => id !== '');
  if (ids.length === 0) throw new SyncError('rejected', 'ids is empty: name external ids, separated by commas');
  if (ids.length > backfillIdsMax)
    throw new SyncError('rejected', `ids names ${ids.length} objects, ${backfillIdsMax} are taken at once`);
  return ids;
}

/** An instant, or a time span back from now, as a connection's setting `since` takes them. */
function instantOf(name: string, text: string, now: number): number {
  const at = firstSince({ since: text }, Number.NaN);
  const back = firstSince({ since: text }, now);
  if (!Number.isNaN(at)) return at;
  if (/^\d+\s*[smhdw]$/.test(text)) return back;
  throw new SyncError(
    'rejected',
    `${name} is ${JSON.stringify(text)}: write a span back from now such as 30d, or an instant such as 2026-11-01T00:00:00Z`,
  );
}
