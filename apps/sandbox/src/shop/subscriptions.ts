// Webhook subscriptions by the Admin API: https://shopify.dev/docs/api/admin-graphql/2026-07/mutations/webhookSubscriptionCreate
import { subscriptionNode } from './graph-queries.js';
import type { Subscription } from './model.js';
import { Refused } from './orders.js';
import { type Effect, refusable } from './payload.js';
import { gid, idFromGid, nowSecond, type Shop } from './shop.js';

interface SubscriptionInput {
  uri?: string | null;
  callbackUrl?: string | null;
  includeFields?: string[] | null;
  filter?: string | null;
  format?: string | null;
  name?: string | null;
}

const LOOPBACK = new Set(['127.0.0.1', 'localhost', '[::1]']);

/** Shopify takes https only; the sandbox also takes http on this machine, since that is where it is used. */
function addressOf(input: SubscriptionInput): string | undefined {
  const address = input.uri ?? input.callbackUrl ?? undefined;
  const field = ['webhookSubscription', input.uri ? 'uri' : 'callbackUrl'];
  if (address === undefined) return undefined;
  const url = URL.parse(address);
  if (!url) throw new Refused('Address is invalid', field);
  const allowed = url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.has(url.hostname));
  if (!allowed) throw new Refused(`Address protocol ${url.protocol}// is not supported`, field);
  return address;
}

function apply(shop: Shop, subscription: Subscription, input: SubscriptionInput): void {
  const address = addressOf(input);
  if (input.filter)
    throw new Refused('the sandbox does not implement filter; leave it out', ['webhookSubscription', 'filter']);
  if (input.format === 'XML') throw new Refused('the sandbox sends JSON only', ['webhookSubscription', 'format']);
  if (address === undefined && subscription.uri === '')
    throw new Refused("Address can't be blank", ['webhookSubscription', 'uri']);
  const uri = address ?? subscription.uri;
  const taken = shop.data.subscriptions.some(
    (other) => other !== subscription && other.topic === subscription.topic && other.uri === uri,
  );
  if (taken) throw new Refused('Address for this topic has already been taken', ['webhookSubscription', 'callbackUrl']);
  Object.assign(subscription, {
    uri,
    includeFields: input.includeFields ?? subscription.includeFields,
    name: input.name ?? subscription.name,
    updatedAt: nowSecond(),
  });
}

const find = (shop: Shop, id: string): Subscription => {
  const found = shop.data.subscriptions.find(
    (subscription) => subscription.id === idFromGid(id, 'WebhookSubscription'),
  );
  if (!found) throw new Refused('Webhook subscription does not exist', ['id']);
  return found;
};

/** The fields of Mutation about webhook subscriptions. `changed` asks for a save. */
export const subscriptionMutations = (shop: Shop, effect: Effect, changed: () => void) => ({
  webhookSubscriptionCreate: (args: { topic: string; webhookSubscription: SubscriptionInput }) =>
    refusable(
      () => {
        const at = nowSecond();
        const fresh = {
          id: shop.nextId(),
          topic: args.topic,
          uri: '',
          includeFields: [],
          name: null,
          createdAt: at,
          updatedAt: at,
        };
        apply(shop, fresh, args.webhookSubscription);
        shop.data.subscriptions.push(fresh);
        effect('webhook.created', gid('WebhookSubscription', fresh.id));
        changed();
        return { webhookSubscription: subscriptionNode(fresh) };
      },
      { webhookSubscription: null },
    ),
  webhookSubscriptionUpdate: (args: { id: string; webhookSubscription: SubscriptionInput }) =>
    refusable(
      () => {
        const subscription = find(shop, args.id);
        apply(shop, subscription, args.webhookSubscription);
        effect('webhook.updated', args.id);
        changed();
        return { webhookSubscription: subscriptionNode(subscription) };
      },
      { webhookSubscription: null },
    ),
  webhookSubscriptionDelete: ({ id }: { id: string }) =>
    refusable(
      () => {
        const subscription = find(shop, id);
        shop.data.subscriptions = shop.data.subscriptions.filter((other) => other !== subscription);
        effect('webhook.deleted', id);
        changed();
        return { deletedWebhookSubscriptionId: id };
      },
      { deletedWebhookSubscriptionId: null },
    ),
});
