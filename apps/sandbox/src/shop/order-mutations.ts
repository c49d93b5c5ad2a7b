// The mutation root: what the API changes of orders. Payloads and userErrors as in the Admin schema.
import { createHash, randomUUID } from 'node:crypto';
import { APP_NAMESPACE, orderNode } from './graph-order.js';
import { metafieldNode } from './graph-parts.js';
import { findOrder } from './graph-queries.js';
import type { Order } from './model.js';
import { cancelOrder, changeTags, editOrder, type OrderEdit, Refused, setMetafield } from './orders.js';
import { type Effect, type Payload, refusable } from './payload.js';
import { gid, type Shop } from './shop.js';

const requireOrder = (shop: Shop, id: string, field: string[]): Order => {
  const order = findOrder(shop, id);
  if (!order) throw new Refused('Order does not exist', field);
  return order;
};

interface OrderInput extends Omit<OrderEdit, 'lines'> {
  id: string;
}

const countries = new Intl.DisplayNames('en', { type: 'region' });

/** An address input brings codes; the names that go with them are the shop's to know. */
function withCountry<T extends Pick<OrderEdit, 'shippingAddress'>>(edit: T): T {
  const { countryCode, country, ...rest } = edit.shippingAddress ?? {};
  if (!countryCode) return edit;
  return {
    ...edit,
    shippingAddress: { ...rest, countryCode, country: country ?? countries.of(countryCode) ?? countryCode },
  };
}

function orderUpdate(shop: Shop, effect: Effect, { id, ...edit }: OrderInput): Payload {
  return refusable(
    () => {
      const order = requireOrder(shop, id, ['id']);
      const unknown = Object.keys(edit).filter((key) => !EDITABLE.includes(key));
      if (unknown.length > 0)
        throw new Refused(`the sandbox does not implement OrderInput.${unknown[0]}`, ['input', unknown[0]!]);
      editOrder(shop, order, withCountry(edit));
      effect('order.updated', id);
      return { order: orderNode(order) };
    },
    { order: null },
  );
}

const EDITABLE: readonly string[] = [
  'note',
  'tags',
  'email',
  'phone',
  'poNumber',
  'customAttributes',
  'shippingAddress',
];

function tags(shop: Shop, effect: Effect, id: string, add: string[], remove: string[]): Payload {
  return refusable(
    () => {
      const order = requireOrder(shop, id, ['id']);
      const before = order.tags.join();
      changeTags(shop, order, add, remove);
      if (order.tags.join() !== before) effect('order.tags', id);
      return { node: orderNode(order) };
    },
    { node: null },
  );
}

interface CancelArgs {
  orderId: string;
  reason: string;
  refund?: boolean | null;
  refundMethod?: { originalPaymentMethodsRefund?: boolean | null } | null;
}

function orderCancel(shop: Shop, effect: Effect, args: CancelArgs): Payload {
  const payload = refusable(
    () => {
      const order = requireOrder(shop, args.orderId, ['orderId']);
      cancelOrder(
        shop,
        order,
        args.reason,
        args.refund === true || args.refundMethod?.originalPaymentMethodsRefund === true,
      );
      effect('order.cancelled', args.orderId);
      return { job: { __typename: 'Job', id: `gid://shopify/Job/${randomUUID()}`, done: true } };
    },
    { job: null },
  );
  const errors = payload.userErrors as object[];
  return { ...payload, orderCancelUserErrors: errors.map((error) => ({ ...error, code: 'INVALID' })) };
}

interface MetafieldInput {
  ownerId: string;
  namespace?: string | null;
  key: string;
  type?: string | null;
  value: string;
  compareDigest?: string | null;
}

const digestOf = (value: string): string => createHash('sha256').update(value).digest('hex');

/** All or none, as Shopify does; `compareDigest` makes the write conditional. */
function metafieldsSet(shop: Shop, effect: Effect, inputs: MetafieldInput[]): Payload {
  const at = (index: number, name: string) => ['metafields', String(index), name];
  return refusable(
    () => {
      const wanted = inputs.map((input, index) => {
        const order = requireOrder(shop, input.ownerId, at(index, 'ownerId'));
        const namespace = !input.namespace || input.namespace === '$app' ? APP_NAMESPACE : input.namespace;
        const before = order.metafields.find((field) => field.namespace === namespace && field.key === input.key);
        const type = input.type ?? before?.type;
        if (!type) throw new Refused("Type can't be blank", at(index, 'type'));
        if (input.compareDigest !== undefined && input.compareDigest !== (before ? digestOf(before.value) : null)) {
          throw new Refused('The resource has been updated since it was loaded.', at(index, 'compareDigest'));
        }
        return { order, field: { namespace, key: input.key, type, value: input.value } };
      });
      const metafields = wanted.map(({ order, field }) => {
        const metafield = setMetafield(shop, order, field);
        effect('metafield.set', gid('Metafield', metafield.id));
        return { ...metafieldNode(metafield), compareDigest: digestOf(metafield.value), owner: orderNode(order) };
      });
      return { metafields };
    },
    { metafields: null },
  );
}

/** The fields of Mutation about orders that the sandbox resolves. */
export const orderMutations = (shop: Shop, effect: Effect) => ({
  tagsAdd: (args: { id: string; tags: string[] }) => tags(shop, effect, args.id, args.tags, []),
  tagsRemove: (args: { id: string; tags: string[] }) => tags(shop, effect, args.id, [], args.tags),
  orderUpdate: ({ input }: { input: OrderInput }) => orderUpdate(shop, effect, input),
  orderCancel: (args: CancelArgs) => orderCancel(shop, effect, args),
  metafieldsSet: ({ metafields }: { metafields: MetafieldInput[] }) => metafieldsSet(shop, effect, metafields),
});
