import type { Json, Kind } from '@syncline/contracts';
import type { ManagementRoute } from '@syncline/runtime';
import {
  type ConflictRow,
  type Db,
  readConflicts,
  readUnstable,
  storeConflicts,
  storeUnstable,
  type UnstableRow,
} from '@syncline/store';
import type { Entry } from './entries.js';
import { connectionOf, nounOf } from './merge/state.js';

/** Fields whose values may be stored and shown beside a decision. All others may hold personal data: free text, people, places. */
const shown: Readonly<Record<Kind, ReadonlySet<string>>> = {
  order: new Set(
    [
      'name status financialStatus fulfillmentStatus placedAt cancelledAt closedAt currency presentmentCurrency taxesIncluded',
      'subtotal discountTotal shippingTotal taxTotal total refundedTotal channel locale paymentMethods test',
    ].flatMap((names) => names.split(' ')),
  ),
  shipment: new Set(
    [
      'orderId orderName status carrier carrierName service trackingNumber trackingNumbers trackingUrl estimatedDeliveryAt',
      'shippedAt deliveredAt grams isReturn cost',
    ].flatMap((names) => names.split(' ')),
  ),
};
const bytesMax = 1_000;
/** NUL and lone surrogates, as JSON.stringify writes them: PostgreSQL refuses them. */
const unstorable = /\\u(0000|d[89a-f])/i;

/** Two values side by side, where both may be shown; null where they may not, or cannot be kept. */
function shownValues<T extends Record<string, Json>>(kind: Kind, field: string, values: T): T | null {
  if (!shown[kind].has(field)) return null;
  const text = JSON.stringify(values);
  return text.length <= bytesMax && !unstorable.test(text) ? values : null;
}

/** Stores what the merge decided in a batch, in the batch's own transaction. Costs nothing where it decided nothing. */
export async function storeDecisions(tx: Db, entries: Iterable<Entry>): Promise<void> {
  const conflicts: ConflictRow[] = [];
  const unstable: UnstableRow[] = [];
  for (const { id: own, mergedInto, kind, state } of entries) {
    const id = mergedInto ?? own;
    for (const { field, won, lost, why } of state.conflicts)
      conflicts.push({
        id,
        kind,
        field,
        winner: won.connection,
        winnerAt: won.at,
        loser: lost.connection,
        loserAt: lost.at,
        why,
        values: shownValues(kind, field, { won: won.value, lost: lost.value }),
      });
    for (const { source, field, sent, kept } of state.unstable) {
      const values = shownValues(kind, field, { sent, kept });
      unstable.push({ id, kind, connection: connectionOf(source), noun: nounOf(source), field, values });
    }
  }
  await storeConflicts(tx, conflicts);
  await storeUnstable(tx, unstable);
}

const limitMax = 500;

/** What `syncline conflicts` asks: decided conflicts and unstable fields, newest first, of one record or of all. */
export const decisionRoutes = (db: () => Db): ManagementRoute[] => [
  {
    path: '/conflicts',
    handler: async (_get, { record, limit }) => {
      const which = { id: record ?? null, limit: Math.min(Number(limit) || limitMax, limitMax) };
      const [conflicts, unstable] = await Promise.all([readConflicts(db(), which), readUnstable(db(), which)]);
      return { conflicts, unstable };
    },
  },
];
