import { type Receipt, receiptsTopic, SyncError } from '@syncline/contracts';
import type { ManagementRoute } from '@syncline/runtime';
import { readTimeline } from '@syncline/store';
import { listDeadLetters, replayDeadLetters, selectionOf } from './dead-letters.js';
import { dryRunRaw, type RawReplayDeps, type RawSelection, replayRaw } from './replay-raw.js';
import type { Topology } from './topology.js';

type Query = Readonly<Record<string, string>>;

/**
 * Has a record published once more as it stands. The word for it goes through the receipts topic, so that the partition's owner
 * maps it under the record's lock like any other message; what comes out is a new revision with the same content, which changes
 * nothing at a target that has it and is one more try at a target that does not.
 */
export async function publishAgain({ store, send, topology }: RawReplayDeps, id: string | undefined) {
  const { record } = id === undefined ? { record: null } : await readTimeline(store, id);
  if (!record?.document) throw new SyncError('rejected', 'id names no record that was ever published');
  const { sources } = JSON.parse(record.document) as { sources: { connection: string; noun: string }[] };
  const source = sources.find((s) => topology.connectorOf(s.connection));
  if (!source)
    throw new SyncError('rejected', 'none of the record’s sources is a connection of syncline.yaml any more');
  const word: Receipt = {
    type: 'again',
    id: record.mergedInto ?? record.id,
    kind: record.kind,
    connection: source.connection,
    noun: source.noun,
    revision: record.revision,
    at: Date.now(),
  };
  const topic = receiptsTopic(topology.connectorOf(source.connection)!.provider);
  await send({ topic, key: word.id, value: JSON.stringify(word), headers: {} });
  return { id: word.id, revision: record.revision };
}

/** The nouns a kind or noun means at a connection. */
function nounsOf(topology: Topology, connection: string, name: string): string[] {
  const connector = topology.connectorOf(connection);
  if (!connector)
    throw new SyncError(
      'rejected',
      `connection is ${JSON.stringify(connection)}: syncline.yaml has none of that name that is read`,
    );
  const objects = Object.entries(connector.objects);
  const named = objects.filter(([, o]) => o.kind === name).map(([noun]) => noun);
  if (named.length > 0) return named;
  if (connector.objects[name]) return [name];
  const known = [...new Set(objects.flatMap(([noun, o]) => [o.kind, noun]))].join(', ');
  throw new SyncError('rejected', `${connector.provider} has no ${JSON.stringify(name)}: kind is one of ${known}`);
}

function fromOf({ offset, since }: Query): RawSelection['from'] {
  if ((offset === undefined) === (since === undefined))
    throw new SyncError('rejected', 'give offset or since: where the replay begins');
  if (offset !== undefined) {
    if (/^\d+$/.test(offset)) return { offset: BigInt(offset) };
    throw new SyncError('rejected', `offset is ${JSON.stringify(offset)}: a whole number is expected`);
  }
  const timeMs = Number(since);
  if (Number.isFinite(timeMs)) return { timeMs };
  throw new SyncError('rejected', `since is ${JSON.stringify(since)}: milliseconds since the epoch are expected`);
}

async function forNouns<T>(deps: RawReplayDeps, query: Query, run: (which: RawSelection) => Promise<T>): Promise<T[]> {
  const { connection = '', kind = '' } = query;
  const from = fromOf(query);
  const out: T[] = [];
  for (const noun of nounsOf(deps.topology, connection, kind)) out.push(await run({ connection, noun, from }));
  return out;
}

/** Routes of the management port for replays. `deps` is complete when the service has started. */
export const replayRoutes = (deps: () => RawReplayDeps): ManagementRoute[] => [
  { path: '/dead-letters', handler: (_get, { cause, id }) => listDeadLetters(deps(), { cause, id }) },
  {
    method: 'POST',
    path: '/dead-letters/replay',
    handler: async (_get, q) => replayDeadLetters(deps(), selectionOf(q)),
  },
  { method: 'POST', path: '/records/again', handler: (_get, { id }) => publishAgain(deps(), id) },
  {
    path: '/raw/difference',
    handler: async (_get, q) => ({ topics: await forNouns(deps(), q, (which) => dryRunRaw(deps(), which)) }),
  },
  {
    method: 'POST',
    path: '/raw/replay',
    handler: async (_get, q) => ({ topics: await forNouns(deps(), q, (which) => replayRaw(deps(), which)) }),
  },
];
