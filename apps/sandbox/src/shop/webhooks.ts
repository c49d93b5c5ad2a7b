// Shopify's webhooks: subscriptions, topics, headers, signature, retries.
// https://shopify.dev/docs/apps/build/webhooks/subscribe/https, .../troubleshooting-webhooks,
// https://shopify.dev/changelog/updates-to-webhook-retry-mechanism (8 retries over 4 hours, original payload)
import { createHmac, randomUUID } from 'node:crypto';
import type { Sender } from '../sender.js';
import type { Order, ShopData } from './model.js';
import { restOrder } from './rest-order.js';
import { restFulfillmentBody, restFulfillmentEvent } from './rest-parts.js';
import { restRefund } from './rest-refund.js';
import { restShop } from './rest-shop.js';
import { API_VERSION } from './schema.js';
import { gid, type Happening, SHOP_DOMAIN } from './shop.js';
import { restTime } from './times.js';

/** Waits before the retries: exponential, 14,400 s in all. Shopify publishes the number and the sum only. */
export const SHOP_RETRY_DELAYS_MS: readonly number[] = [1, 2, 4, 8, 16, 32, 64, 128].map((share) =>
  Math.round((share / 255) * 14_400_000),
);

/** Shopify gives up an attempt after this. */
export const SHOP_TIMEOUT_MS = 5_000;

/** "orders/create" for ORDERS_CREATE and FULFILLMENT_EVENTS_CREATE alike. */
export const topicName = (topic: string): string =>
  topic
    .toLowerCase()
    .replace(
      /^(.*?)_(create|updated?|paid|cancelled|fulfilled|partially_fulfilled|edited|delete|uninstalled)$/,
      '$1/$2',
    );

/** The REST-shaped body of a happening's webhook. */
export function bodyOf(order: Order, happening: Happening): object {
  switch (happening.topic) {
    case 'orders/delete':
      return { id: order.id };
    case 'orders/edited':
      return editedBody(order, happening);
    case 'fulfillments/create':
    case 'fulfillments/update':
      return restFulfillmentBody(order, happening.fulfillment);
    case 'fulfillment_events/create':
      return restFulfillmentEvent(order, happening.fulfillment, happening.event);
    case 'refunds/create':
      return restRefund(order, happening.refund);
    default:
      return restOrder(order);
  }
}

const editedBody = (order: Order, { additions, removals }: Extract<Happening, { topic: 'orders/edited' }>) => ({
  order_edit: {
    id: order.updatedAt,
    app_id: null,
    created_at: restTime(order.updatedAt),
    notify_customer: false,
    order_id: order.id,
    staff_note: '',
    user_id: null,
    line_items: { additions, removals },
    discounts: { line_item: { additions: [], removals: [] } },
    shipping_lines: { additions: [], removals: [] },
    committed_at: restTime(order.updatedAt),
  },
});

/** Signs and sends; one event id per change, one webhook id per message and subscription. */
export function createAnnouncer(data: ShopData, secret: string, sender: () => Sender) {
  const post = (topic: string, bodyFor: () => object, eventId: string): void => {
    const wanted = data.subscriptions.filter((subscription) => topicName(subscription.topic) === topic);
    if (wanted.length === 0) return;
    const body = bodyFor();
    for (const subscription of wanted) {
      const picked = subscription.includeFields.length === 0 ? body : pick(body, subscription.includeFields);
      const text = JSON.stringify(picked);
      const id = randomUUID();
      const headers: Record<string, string> = {
        'content-type': 'application/json',
        'user-agent': 'Shopify-Captain-Hook',
        'x-shopify-topic': topic,
        'x-shopify-hmac-sha256': createHmac('sha256', secret).update(text).digest('base64'),
        'x-shopify-shop-domain': SHOP_DOMAIN,
        'x-shopify-api-version': API_VERSION,
        'x-shopify-webhook-id': id,
        'x-shopify-event-id': eventId,
        'x-shopify-triggered-at': new Date().toISOString().replace('Z', '000000Z'),
        ...(subscription.name === null ? {} : { 'x-shopify-name': subscription.name }),
      };
      sender().send({
        id,
        subscription: gid('WebhookSubscription', subscription.id),
        url: subscription.uri,
        headers,
        body: text,
      });
    }
  };
  return {
    announce: (order: Order, happenings: readonly Happening[]): void => {
      const eventId = randomUUID();
      for (const happening of happenings) post(happening.topic, () => bodyOf(order, happening), eventId);
    },
    /** The app was removed: tells its subscribers once; they and its tokens are gone then. */
    uninstall: (): void => {
      post('app/uninstalled', restShop, randomUUID());
      data.subscriptions = [];
      data.tokens = [];
      data.uninstalled = true;
    },
  };
}

export type Announcer = ReturnType<typeof createAnnouncer>;

function pick(body: object, fields: readonly string[]): object {
  return Object.fromEntries(Object.entries(body).filter(([key]) => fields.includes(key)));
}
