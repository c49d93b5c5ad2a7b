import type { ManagementRoute } from '@syncline/runtime';
import { ambiguitiesOf, type Db, readTimeline, searchIdentities, shipmentsOf } from '@syncline/store';

interface Document {
  data: Record<string, unknown>;
  sources: { connection: string; noun: string; externalId: string }[];
}

/** What people call a record: an order by its name, a shipment by its tracking number, else its first external id. */
export function nameOf(document: Document): string {
  const { name, trackingNumber } = document.data;
  const first = document.sources[0];
  const told = name ?? trackingNumber ?? (first ? `${first.noun} ${first.externalId}` : '');
  return String(told);
}

/** Records a text may mean, with what is needed to choose among them. */
export async function findRecords(
  db: Db,
  ref: string,
): Promise<{ matches: { id: string; kind: string; name: string; revision: number }[] }> {
  const ids = (await searchIdentities(db, ref)).map((r) => r.id);
  const matches = [];
  for (const id of ids) {
    const { record } = await readTimeline(db, id);
    if (!record?.document || record.mergedInto) continue;
    matches.push({
      id,
      kind: record.kind,
      name: nameOf(JSON.parse(record.document) as Document),
      revision: record.revision,
    });
  }
  return { matches };
}

/** Records that belong to this one: an order's shipments, a shipment's order. */
async function relatedTo(db: Db, id: string, document: Document | null): Promise<unknown[]> {
  const order = document?.data.orderId;
  const ids = typeof order === 'string' ? [order] : await shipmentsOf(db, id);
  const related = [];
  for (const other of ids) {
    const { record } = await readTimeline(db, other);
    if (!record?.document) continue;
    const found = JSON.parse(record.document) as Document;
    related.push({ id: other, kind: record.kind, name: nameOf(found), status: found.data.status ?? null });
  }
  return related;
}

/** A record as it stands and how it came to that. */
export async function timeline(db: Db, id: string): Promise<unknown> {
  const { record, history } = await readTimeline(db, id);
  if (!record) return { record: null, history: [], sources: [], related: [], ambiguous: [] };
  const document = record.document ? (JSON.parse(record.document) as Document) : null;
  return {
    record: document,
    deleted: record.deleted,
    mergedInto: record.mergedInto,
    history: history.map(({ revision, at, connection, eventId, origin, changed, traceId }) => ({
      revision,
      at,
      connection,
      eventId,
      origin,
      changed,
      traceId,
    })),
    sources: document?.sources ?? [],
    related: await relatedTo(db, id, document),
    ambiguous: await ambiguitiesOf(db, id),
  };
}

/** Routes of the management port that the CLI asks. `db` is opened when the service has started. */
export const inspectRoutes = (db: () => Db): ManagementRoute[] => [
  { path: '/records', handler: (_get, query) => findRecords(db(), String(query.ref ?? '')) },
  { path: '/records/timeline', handler: (_get, query) => timeline(db(), String(query.id ?? '')) },
];
