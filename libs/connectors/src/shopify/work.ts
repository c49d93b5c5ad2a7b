import type { ConnectionContext } from '@syncline/connector-sdk';
import { type ShipmentLine, SyncError } from '@syncline/contracts';
import { ask, gid, sliceOf } from './api.js';
import { operations } from './documents.js';
import { id, object, objects, text, type Wire, whole } from './wire.js';

/** What fulfillmentCreate takes: lines of fulfilment orders that lie at one location. */
export interface Work {
  fulfillmentOrderId: unknown;
  fulfillmentOrderLineItems: { id: unknown; quantity: number }[];
}

const pagesMax = 25;

async function fulfillmentOrders(context: ConnectionContext, orderId: string): Promise<Wire[]> {
  const all: Wire[] = [];
  let after: string | null = null;
  for (let page = 0; page < pagesMax; page += 1) {
    const reply = await ask(context, operations.openWork, { id: gid('Order', orderId), after });
    if (reply.json.data.order === null) throw new SyncError('conflict', 'the order is not in the shop any more');
    const slice = sliceOf(object(reply.json.data.order).fulfillmentOrders, operations.openWork.name);
    all.push(...slice.nodes.map(object));
    after = slice.after;
    if (after === null) break;
  }
  return all;
}

const canFulfil = (work: Wire): boolean =>
  objects(work.supportedActions).some((a) => a.action === 'CREATE_FULFILLMENT');
const locationOf = (work: Wire): string => String(object(object(work.assignedLocation).location).id ?? '');

interface Open {
  id: unknown;
  lineId: string | null;
  sku: string | null;
  remaining: number;
}

const openLines = (work: Wire): Open[] =>
  objects(object(work.lineItems).nodes)
    .map((line) => ({
      id: line.id,
      lineId: id(object(line.lineItem).id),
      sku: text(line.sku),
      remaining: whole(line.remainingQuantity) ?? 0,
    }))
    .filter((line) => line.remaining > 0);

/** Takes what the shipment's lines name off the open lines: by the order line's id, else by SKU. */
function take(open: readonly Open[], wanted: Map<ShipmentLine, number>): { id: unknown; quantity: number }[] {
  return open.flatMap((line) => {
    let quantity = 0;
    for (const [want, left] of wanted) {
      const same =
        want.lineId === null || want.lineId !== line.lineId ? want.sku !== null && want.sku === line.sku : true;
      const taken = same ? Math.min(left, line.remaining - quantity) : 0;
      if (taken === 0) continue;
      quantity += taken;
      wanted.set(want, left - taken);
    }
    return quantity === 0 ? [] : [{ id: line.id, quantity }];
  });
}

/** Only fulfilment orders of one location make one fulfilment: those of the first that has something of it. */
function atOneLocation(works: readonly Wire[], pick: (open: Open[]) => Work['fulfillmentOrderLineItems']): Work[] {
  const picked = works.map((work) => ({ work, lines: pick(openLines(work)) })).filter((p) => p.lines.length > 0);
  const first = picked[0];
  if (first === undefined) return [];
  return picked
    .filter((p) => locationOf(p.work) === locationOf(first.work))
    .map((p) => ({ fulfillmentOrderId: p.work.id, fulfillmentOrderLineItems: p.lines }));
}

/**
 * What of an order a shipment fulfils: the lines it names where the order has them open, else all that remains. Throws
 * `rejected` where nothing can be fulfilled, with the reason.
 */
export async function workFor(
  context: ConnectionContext,
  orderId: string,
  lines: readonly ShipmentLine[],
): Promise<Work[]> {
  const all = await fulfillmentOrders(context, orderId);
  const works = all.filter(canFulfil);
  const wanted = new Map(lines.map((line) => [line, line.quantity]));
  const named = atOneLocation(works, (open) => take(open, wanted));
  if (named.length > 0) return named;
  const rest = atOneLocation(works, (open) => open.map((line) => ({ id: line.id, quantity: line.remaining })));
  if (rest.length > 0) return rest;
  const states = [...new Set(all.map((work) => String(work.status).toLowerCase()))].join(', ') || 'none';
  throw new SyncError('rejected', `nothing of the order is left to fulfil: its fulfillment orders are ${states}`);
}
