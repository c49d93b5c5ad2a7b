import type { ConnectionContext, Operation } from '@syncline/connector-sdk';
import { SyncError } from '@syncline/contracts';
import { ask, sliceOf } from './api.js';
import { listedMax, operations } from './documents.js';
import { object, objects, type Wire } from './wire.js';

/** Pages read of one nested list, and attempts to read an order that changes while we do. */
const pagesMax = 100;
const attemptsMax = 3;

/** The object changed between two pages: what was put together is no state it ever had. */
class Moved extends Error {}

const whole = { hasNextPage: false, endCursor: null };

/** A nested connection with its later pages read; `parent` picks the object out of an answer. */
async function completeList(
  context: ConnectionContext,
  connection: unknown,
  next: { operation: Operation; id: unknown; root: string; list: string; version?: unknown },
): Promise<Wire> {
  const nodes: unknown[] = [];
  let slice = sliceOf(connection, next.operation.name);
  for (let page = 0; ; page += 1) {
    nodes.push(...slice.nodes);
    if (slice.after === null) return { nodes, pageInfo: whole };
    if (page === pagesMax) throw new SyncError('rejected', `${next.operation.name}: more than ${pagesMax} pages`);
    const reply = await ask(context, next.operation, { id: next.id, after: slice.after });
    const parent = object(reply.json.data[next.root]);
    if (next.version !== undefined && parent.updatedAt !== next.version) throw new Moved();
    slice = sliceOf(parent[next.list], next.operation.name);
  }
}

/** A nested list that has room to spare is whole; a full one of a kind we page no further is said, not cut. */
function mustBeWhole(connection: unknown, what: string): unknown {
  if (sliceOf(connection, what).after !== null)
    throw new SyncError('rejected', `${what}: the list is longer than we read`);
  return connection;
}

const completeParcel = async (context: ConnectionContext, node: Wire): Promise<Wire> => ({
  ...node,
  fulfillmentLineItems: await completeList(context, node.fulfillmentLineItems, {
    operation: operations.fulfillmentLines,
    id: node.id,
    root: 'fulfillment',
    list: 'fulfillmentLineItems',
    version: node.updatedAt,
  }),
});

const completeRefund = async (context: ConnectionContext, node: Wire): Promise<Wire> => ({
  ...node,
  transactions: mustBeWhole(node.transactions, "a refund's transactions"),
  refundLineItems: await completeList(context, node.refundLineItems, {
    operation: operations.refundLines,
    id: node.id,
    root: 'refund',
    list: 'refundLineItems',
  }),
});

/** Fulfilments and refunds come without cursors: where as many came as were asked for, the rest is read one by one. */
async function missingOf(context: ConnectionContext, order: Wire): Promise<{ fulfillments: Wire[]; refunds: Wire[] }> {
  const fulfillments = objects(order.fulfillments);
  const refunds = objects(order.refunds);
  if (fulfillments.length < listedMax && refunds.length < listedMax) return { fulfillments, refunds };
  const reply = await ask(context, operations.orderLists, { id: order.id });
  const listed = object(reply.json.data.order);
  if (listed.updatedAt !== order.updatedAt) throw new Moved();
  const rest = async (
    name: 'fulfillments' | 'refunds',
    have: Wire[],
    operation: Operation,
    root: string,
  ): Promise<Wire[]> => {
    const all: Wire[] = [...have];
    const known = new Set(have.map((node) => node.id));
    for (const { id } of objects(listed[name]))
      if (!known.has(id)) all.push(object((await ask(context, operation, { id })).json.data[root]));
    return all;
  };
  return {
    fulfillments: await rest('fulfillments', fulfillments, operations.fulfillment, 'fulfillment'),
    refunds: await rest('refunds', refunds, operations.refund, 'refund'),
  };
}

async function completeOnce(context: ConnectionContext, order: Wire): Promise<Wire> {
  const lineItems = await completeList(context, order.lineItems, {
    operation: operations.orderLines,
    id: order.id,
    root: 'order',
    list: 'lineItems',
    version: order.updatedAt,
  });
  const { fulfillments, refunds } = await missingOf(context, order);
  const parcels: Wire[] = [];
  for (const node of fulfillments) parcels.push(await completeParcel(context, node));
  const refunded: Wire[] = [];
  for (const node of refunds) refunded.push(await completeRefund(context, node));
  return {
    ...order,
    lineItems,
    shippingLines: mustBeWhole(order.shippingLines, "an order's deliveries"),
    discountApplications: mustBeWhole(order.discountApplications, "an order's discounts"),
    fulfillments: parcels,
    refunds: refunded,
  };
}

/** Runs `work` on the node, and on a fresh one where it changed under way; null where it is gone by then. */
async function settled(
  node: Wire,
  work: (node: Wire) => Promise<Wire>,
  fresh: () => Promise<unknown>,
): Promise<Wire | null> {
  let present: unknown = node;
  for (let attempt = 1; ; attempt += 1)
    try {
      return present === null ? null : await work(object(present));
    } catch (error) {
      if (!(error instanceof Moved)) throw error;
      if (attempt === attemptsMax) throw new SyncError('transient', 'the order changes faster than it can be read');
      present = await fresh();
    }
}

/** An order with every nested list in whole, all of one state of it. */
export const completeOrder = (context: ConnectionContext, node: Wire): Promise<Wire | null> =>
  settled(
    node,
    (order) => completeOnce(context, order),
    async () => (await ask(context, operations.order, { id: node.id })).json.data.order,
  );

/** A fulfilment with all its lines. */
export const completeFulfillment = (context: ConnectionContext, node: Wire): Promise<Wire | null> =>
  settled(
    node,
    (parcel) => completeParcel(context, parcel),
    async () => (await ask(context, operations.fulfillment, { id: node.id })).json.data.fulfillment,
  );
