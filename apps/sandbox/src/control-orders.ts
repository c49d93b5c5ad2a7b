// Control routes about the shop's orders: what people do in the shop's admin.
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { NotFound } from './control-errors.js';
import type { World } from './sandbox.js';
import { addFulfillmentEvent, cancelFulfillment, createFulfillment, updateTracking } from './shop/fulfillments.js';
import type { Fulfillment, Order } from './shop/model.js';
import { cancelOrder, editOrder, payOrder, Refused, refundOrder } from './shop/orders.js';
import { addressSpec, orderSpec, placeOrder } from './shop/place.js';
import { orderByName } from './shop/shop.js';
import { orderTruth } from './truth.js';

const which = { sku: z.string().optional(), id: z.number().int().optional() };
const quantity = z.number().int().positive();

const editBody = z
  .strictObject({
    note: z.string().nullable(),
    tags: z.array(z.string()),
    email: z.string(),
    phone: z.string().nullable(),
    poNumber: z.string().nullable(),
    customAttributes: z.array(z.strictObject({ key: z.string(), value: z.string() })),
    shippingAddress: addressSpec,
    lines: z.array(z.strictObject({ ...which, quantity: z.number().int().nonnegative() })),
  })
  .partial();

const trackingBody = {
  trackingNumber: z.string().optional(),
  trackingNumbers: z.array(z.string()).optional(),
  company: z.string().optional(),
  url: z.string().optional(),
};
const fulfilBody = z.strictObject({
  ...trackingBody,
  lines: z.array(z.strictObject({ ...which, quantity })).optional(),
});
const pickOne = { fulfillment: z.string().optional() };
const eventBody = z.strictObject({
  ...pickOne,
  status: z.string().transform((text) => text.toUpperCase()),
  message: z.string().optional(),
});
const refundBody = z.strictObject({
  lines: z.array(z.strictObject({ ...which, quantity, restock: z.boolean().optional() })).optional(),
  shipping: z.string().optional(),
  note: z.string().optional(),
});
const REASONS = ['CUSTOMER', 'DECLINED', 'FRAUD', 'INVENTORY', 'OTHER', 'STAFF'] as const;
const cancelBody = z.strictObject({ reason: z.enum(REASONS).default('CUSTOMER'), refund: z.boolean().default(true) });

type Tracking = {
  trackingNumber?: string | undefined;
  trackingNumbers?: string[] | undefined;
  company?: string | undefined;
  url?: string | undefined;
};
const trackingOf = ({ trackingNumber, trackingNumbers, company, url }: Tracking) => ({
  number: trackingNumber,
  numbers: trackingNumbers,
  company,
  url,
});

/** The fulfilment with that name or id, or the newest one. */
function fulfillmentOf(order: Order, wanted: string | undefined): Fulfillment {
  const found =
    wanted === undefined
      ? order.fulfillments.at(-1)
      : order.fulfillments.find(({ id, name }) => name === wanted || String(id) === wanted);
  if (!found) throw new NotFound(`order ${order.name} has no fulfilment ${wanted ?? ''}`);
  return found;
}

/** Parts for a fulfilment of the given lines, or of all that is open. */
function partsOf(order: Order, lines: z.output<typeof fulfilBody>['lines']) {
  const open = order.fulfillmentOrders.filter(({ status }) => status === 'OPEN' || status === 'IN_PROGRESS');
  if (!lines) return open.map((fulfillmentOrder) => ({ fulfillmentOrder }));
  return lines.map((wanted) => {
    const line = order.lines.find(({ id, sku }) => (wanted.id === undefined ? sku === wanted.sku : id === wanted.id));
    for (const fulfillmentOrder of open) {
      const found = fulfillmentOrder.lines.find(
        ({ lineId, remaining }) => lineId === line?.id && remaining >= wanted.quantity,
      );
      if (found) return { fulfillmentOrder, lines: [{ id: found.id, quantity: wanted.quantity }] };
    }
    throw new Refused(`order ${order.name} has no ${wanted.quantity} of ${wanted.id ?? wanted.sku} left to fulfil`);
  });
}

/** Adds the routes under /orders. */
export function orderRoutes(app: FastifyInstance, { shop }: World): void {
  const find = (name: string): Order => {
    const order = orderByName(shop, name);
    if (!order) throw new NotFound(`no order ${name}`);
    return order;
  };
  /** A route that changes one order and answers with it as it is then. */
  const change = <T>(path: string, schema: z.ZodType<T>, act: (order: Order, body: T) => void): void => {
    app.post<{ Params: { name: string } }>(`/orders/:name/${path}`, async (request) => {
      const order = find(request.params.name);
      act(order, schema.parse(request.body ?? {}));
      return orderTruth(order);
    });
  };
  app.post('/orders', async (request) => {
    const { count, ...spec } = orderSpec
      .extend({ count: z.number().int().min(1).max(10_000).default(1) })
      .parse(request.body ?? {});
    return { orders: Array.from({ length: count }, () => orderTruth(placeOrder(shop, spec))) };
  });
  app.get<{ Params: { name: string } }>('/orders/:name', async (request) => orderTruth(find(request.params.name)));
  app.patch<{ Params: { name: string } }>('/orders/:name', async (request) => {
    const order = find(request.params.name);
    const edit = editBody.parse(request.body ?? {});
    editOrder(shop, order, JSON.parse(JSON.stringify(edit)));
    return orderTruth(order);
  });
  app.delete<{ Params: { name: string } }>('/orders/:name', async (request) => {
    shop.removed(find(request.params.name));
    return {};
  });
  change('pay', z.strictObject({}), (order) => payOrder(shop, order));
  change('cancel', cancelBody, (order, { reason, refund }) => cancelOrder(shop, order, reason, refund));
  change('refund', refundBody, (order, body) => refundOrder(shop, order, body));
  change('fulfil', fulfilBody, (order, body) =>
    createFulfillment(shop, order, partsOf(order, body.lines), trackingOf(body)),
  );
  change('tracking', z.strictObject({ ...pickOne, ...trackingBody }), (order, body) =>
    updateTracking(shop, order, fulfillmentOf(order, body.fulfillment), trackingOf(body)),
  );
  change('event', eventBody, (order, body) =>
    addFulfillmentEvent(shop, order, fulfillmentOf(order, body.fulfillment), {
      status: body.status,
      message: body.message ?? null,
    }),
  );
  change('unfulfil', z.strictObject(pickOne), (order, body) =>
    cancelFulfillment(shop, order, fulfillmentOf(order, body.fulfillment)),
  );
}
