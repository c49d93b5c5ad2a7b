import type { ManagementRoute } from '@syncline/runtime';
import { ambiguitiesAround, type Db, readTimeline, waitingOf } from '@syncline/store';
import { readState } from './document.js';
import { nameOf } from './inspect.js';
import { behind } from './merge/compare.js';
import { connectionOf, nounOf } from './merge/state.js';
import type { Topology } from './topology.js';

/**
 * What the transformer knows of where a record is and what keeps it: the sources with what they lack now, changes that wait for
 * a receipt of ours, creates that are announced, and natural keys that joined nothing. Null where nobody knows the record.
 */
async function whereabouts(db: Db, topology: Topology, id: string): Promise<unknown> {
  const { record } = await readTimeline(db, id);
  if (!record) return null;
  const { state } = readState(record.document, record.state, record.deleted);
  const ctx = topology.context(record.kind);
  const sources = [...state.snapshots].map(([source, s]) => ({
    connection: connectionOf(source),
    noun: nounOf(source),
    externalId: s.externalId,
    deleted: s.deleted,
    behind: behind(ctx, state, source),
  }));
  const objects = sources.map((s) => `${s.connection} ${s.externalId}`);
  const document = record.document === null ? null : JSON.parse(record.document);
  return {
    id,
    kind: record.kind,
    name: document === null ? id : nameOf(document),
    revision: record.revision,
    deleted: record.deleted,
    mergedInto: record.mergedInto,
    document,
    sources,
    ...(await waitingOf(db, id)),
    ambiguous: await ambiguitiesAround(db, id, objects),
  };
}

/** The route `syncline why` asks. */
export const whereaboutsRoutes = (db: () => Db, topology: Topology): ManagementRoute[] => [
  { path: '/records/whereabouts', handler: (_get, { id }) => whereabouts(db(), topology, id ?? '') },
];
