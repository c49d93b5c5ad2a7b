import { createHash } from 'node:crypto';
import type { Random } from '../random.js';
import type { Settings } from '../settings.js';
import type { Fulfillment, FulfillmentEvent, Order, Refund, ShopData } from './model.js';
import { createOrderIndex, type OrderIndex } from './search.js';

/** A thing that happened, as webhook topics name it, with what its body needs. */
export type Happening =
  | { topic: `orders/${'create' | 'updated' | 'paid' | 'cancelled' | 'fulfilled' | 'partially_fulfilled' | 'delete'}` }
  | { topic: 'orders/edited'; additions: LineDelta[]; removals: LineDelta[] }
  | { topic: `fulfillments/${'create' | 'update'}`; fulfillment: Fulfillment }
  | { topic: 'fulfillment_events/create'; fulfillment: Fulfillment; event: FulfillmentEvent }
  | { topic: 'refunds/create'; refund: Refund };

export interface LineDelta {
  id: number;
  delta: number;
}

/** Who changed something: an API client, a person by the control API, or the seeded script. */
export type Actor = 'api' | 'control' | 'story';

/** The running shop: its data and what every operation needs around it. */
export interface Shop {
  data: ShopData;
  settings: Settings;
  random: Random;
  index: OrderIndex;
  /** Finds the order that owns a fulfilment, fulfilment order, line or metafield. */
  owners: Map<number, number>;
  nextId(): number;
  /** Says that the order changed: moves updatedAt, feeds the list index, sends webhooks, asks for a save. */
  changed(order: Order, happenings: readonly Happening[]): void;
  /** Removes the order from every index and tells the subscribers. */
  removed(order: Order): void;
}

export const SHOP_ID = 84_120_339_001;
export const LOCATION_ID = 96_004_711_202;
export const SHOP_DOMAIN = 'syncline-sandbox.myshopify.com';
export const SHOP_NAME = 'Syncline Sandbox';
export const SHOP_ZONE = 'America/New_York';
export const SHOP_CURRENCY = 'USD';

/** Now, on a whole second, as Shopify keeps its times. */
export const nowSecond = (): number => Math.floor(Date.now() / 1000) * 1000;

/** A global id of the GraphQL API. */
export const gid = (type: string, id: number): string => `gid://shopify/${type}/${id}`;

/** The number in a global id of that type, or undefined. */
export function idFromGid(value: string, type: string): number | undefined {
  const match = /^gid:\/\/shopify\/([A-Za-z]+)\/(\d+)(?:\?.*)?$/.exec(value);
  return match?.[1] === type ? Number(match[2]) : undefined;
}

export const emptyShopData = (): ShopData => ({
  nextId: 5_210_000_000_001,
  nextNumber: 1001,
  orders: new Map(),
  subscriptions: [],
  tokens: [],
  uninstalled: false,
  storyOrders: [],
});

/** Every id inside an order that the API can be asked for. */
const ownedIds = (order: Order): number[] => [
  ...order.lines.map(({ id }) => id),
  ...order.fulfillments.flatMap(({ id, events }) => [id, ...events.map((event) => event.id)]),
  ...order.fulfillmentOrders.flatMap(({ id, lines }) => [id, ...lines.map((line) => line.id)]),
  ...order.refunds.map(({ id }) => id),
  ...order.transactions.map(({ id }) => id),
];

/** Builds the shop around its data; `announce` sends the webhooks of a change, `save` asks for persistence. */
export function createShop(options: {
  data: ShopData;
  settings: Settings;
  random: Random;
  announce: (order: Order, happenings: readonly Happening[]) => void;
  save: () => void;
}): Shop {
  const { data, settings, random, announce, save } = options;
  const index = createOrderIndex(() => settings.listLagMs);
  const owners = new Map<number, number>();
  for (const order of data.orders.values()) {
    for (const id of ownedIds(order)) owners.set(id, order.id);
    index.put(order, 0);
  }
  return {
    data,
    settings,
    random,
    index,
    owners,
    nextId: () => {
      // Shopify's ids grow by uneven steps; equal ones would hide code that counts on neighbours.
      data.nextId += 1 + (data.nextId % 7) * 32;
      return data.nextId;
    },
    changed: (order, happenings) => {
      order.updatedAt = Math.max(order.updatedAt, nowSecond());
      for (const id of ownedIds(order)) owners.set(id, order.id);
      index.put(order, Date.now());
      announce(order, happenings);
      save();
    },
    removed: (order) => {
      data.orders.delete(order.id);
      for (const id of ownedIds(order)) owners.delete(id);
      index.remove(order.id);
      announce(order, [{ topic: 'orders/delete' }]);
      save();
    },
  };
}

/** The order with that name, with or without its "#". */
export function orderByName(shop: Shop, name: string): Order | undefined {
  const wanted = name.startsWith('#') ? name : `#${name}`;
  for (const order of shop.data.orders.values()) if (order.name === wanted) return order;
  return undefined;
}

/** A stable token for an order, as its status page's address carries. */
export const tokenOf = (id: number): string => createHash('md5').update(`order ${id}`).digest('hex');
