import type { ConnectionContext } from '@syncline/connector-sdk';
import { ask, change, sliceOf } from './api.js';
import { operations } from './documents.js';
import { object, text, type Wire } from './wire.js';

/**
 * What we ask a shop to send. orders/updated also comes for payments, cancellations, refunds, edits and fulfilments, and
 * fulfillments/update for fulfilment events, each with the whole object.
 */
const topics = [
  'ORDERS_CREATE',
  'ORDERS_UPDATED',
  'ORDERS_DELETE',
  'FULFILLMENTS_CREATE',
  'FULFILLMENTS_UPDATE',
  'APP_UNINSTALLED',
] as const;

/** Subscriptions read at most: Shopify allows far fewer per app. */
const pagesMax = 20;

async function subscriptionsOf(context: ConnectionContext): Promise<Wire[]> {
  const found: Wire[] = [];
  let after: string | null = null;
  for (let page = 0; page < pagesMax; page += 1) {
    const reply = await ask(context, operations.subscriptions, { after });
    const slice = sliceOf(reply.json.data.webhookSubscriptions, operations.subscriptions.name);
    found.push(...slice.nodes.map(object));
    after = slice.after;
    if (after === null) break;
  }
  return found;
}

/** Whether a subscription sends whole bodies as JSON: with a filter or picked fields it would hide changes. */
const sendsAll = (s: Wire): boolean =>
  s.format === 'JSON' && text(s.filter) === null && !(Array.isArray(s.includeFields) && s.includeFields.length > 0);

const pathOf = (url: string): string | null => (URL.canParse(url) ? new URL(url).pathname : null);

/**
 * Makes the shop send our topics to `url`. A subscription of ours is one whose path is the url's: those at an older address
 * of ours are removed, those that hide changes are made anew, and those of other apps or addresses are left alone.
 */
export async function register(
  context: ConnectionContext,
  url: string,
): Promise<{ created: string[]; kept: string[]; removed: string[] }> {
  const result = { created: [] as string[], kept: [] as string[], removed: [] as string[] };
  const wanted = new Set<string>(topics);
  for (const subscription of await subscriptionsOf(context)) {
    const topic = String(subscription.topic);
    const uri = String(subscription.uri);
    if (pathOf(uri) !== pathOf(url)) continue;
    if (uri === url && wanted.has(topic) && sendsAll(subscription)) {
      wanted.delete(topic);
      result.kept.push(topic);
    } else {
      await change(context, operations.unsubscribe, 'webhookSubscriptionDelete', { id: subscription.id });
      result.removed.push(topic);
    }
  }
  for (const topic of wanted) {
    await change(context, operations.subscribe, 'webhookSubscriptionCreate', {
      topic,
      subscription: { uri: url, format: 'JSON' },
    });
    result.created.push(topic);
  }
  return result;
}
