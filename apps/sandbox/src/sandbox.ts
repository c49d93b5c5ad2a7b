// Puts the shop, the carrier and the control API together.
import { randomBytes } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { CARRIER_RETRY_DELAYS_MS, CARRIER_TIMEOUT_MS, type Carrier, settleEvent } from './carrier/carrier.js';
import { emptyCarrierData } from './carrier/model.js';
import { createCarrierServer } from './carrier/server.js';
import { createControlServer } from './control.js';
import { createFaultDesk, type FaultDesk } from './faults.js';
import { createJournal, type Journal } from './journal.js';
import { createRandom, type Random } from './random.js';
import { createSender, type Sender } from './sender.js';
import { DEFAULT_SETTINGS, type Settings } from './settings.js';
import { type CostBucket, createCostBucket } from './shop/cost.js';
import { shopifySchema } from './shop/schema.js';
import { createShopServer } from './shop/server.js';
import { createShop, emptyShopData, gid, type Shop } from './shop/shop.js';
import { type Announcer, createAnnouncer, SHOP_RETRY_DELAYS_MS, SHOP_TIMEOUT_MS } from './shop/webhooks.js';
import { createSaver, emptyState, readState } from './state.js';
import { createStory, type Story } from './story.js';

/** How a sandbox is started; everything has a default. Ports of 0 are free ones. */
export interface SandboxOptions {
  shopPort?: number;
  carrierPort?: number;
  controlPort?: number;
  /** Client id and secret of the app; the secret also signs the shop's webhooks. Random when absent. */
  shopId?: string;
  shopSecret?: string;
  carrierKey?: string;
  /** File that keeps the data over restarts; absent: memory only. */
  stateFile?: string;
  seed?: number;
  settings?: Partial<Settings>;
  /** Starts the seeded script at once. */
  story?: boolean;
  storyStepsPerSecond?: number;
}

/** Everything the control API works on. */
export interface World {
  shop: Shop;
  carrier: Carrier;
  settings: Settings;
  random: Random;
  announcer: Announcer;
  senders: { shop: Sender; carrier: Sender };
  bucket: CostBucket;
  faults: FaultDesk;
  journal: Journal;
  story: Story;
  save: () => void;
  /** Forgets all data; credentials, ports and webhook addresses' secrets of the app stay. */
  reset(): void;
}

/** A running sandbox. */
export interface Sandbox {
  urls: { shop: string; carrier: string; control: string };
  credentials: { shopId: string; shopSecret: string; carrierKey: string };
  world: World;
  /** Saves, stops the servers and the webhooks. */
  close(): Promise<void>;
}

/** Starts shop, carrier and control API on 127.0.0.1. */
export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  shopifySchema();
  const credentials = {
    shopId: options.shopId ?? randomBytes(16).toString('hex'),
    shopSecret: options.shopSecret ?? `shpss_${randomBytes(16).toString('hex')}`,
    carrierKey: options.carrierKey ?? `EZTK${randomBytes(16).toString('hex')}`,
  };
  const { world, flush } = createWorld(options, credentials);
  const { shop, carrier, bucket, faults, journal, settings, save } = world;
  const shopServer = createShopServer({
    shop,
    clientId: credentials.shopId,
    clientSecret: credentials.shopSecret,
    bucket,
    faults,
    journal,
    save,
  });
  const carrierServer = createCarrierServer({ carrier, apiKey: credentials.carrierKey, settings, faults, journal });
  const controlServer = createControlServer(world);
  const servers = { shop: shopServer, carrier: carrierServer, control: controlServer };
  const ports = { shop: options.shopPort, carrier: options.carrierPort, control: options.controlPort };
  const urls = await listenAll(servers, ports);
  if (options.story) world.story.start();
  return {
    urls,
    credentials,
    world,
    close: async () => {
      world.story.stop();
      await Promise.all([shopServer.close(), carrierServer.close(), controlServer.close()]);
      await Promise.all([world.senders.shop.idle(500), world.senders.carrier.idle(500)]);
      flush();
      await Promise.all([world.senders.shop.close(), world.senders.carrier.close()]);
    },
  };
}

/** All of them listen, or none: a port that is taken leaves no server behind. */
async function listenAll<K extends string>(servers: Record<K, FastifyInstance>, ports: Record<K, number | undefined>) {
  const names = Object.keys(servers) as K[];
  try {
    const addresses = names.map(async (name) => [
      name,
      await servers[name].listen({ host: '127.0.0.1', port: ports[name] ?? 0 }),
    ]);
    return Object.fromEntries(await Promise.all(addresses)) as Record<K, string>;
  } catch (error) {
    await Promise.all(names.map(async (name) => await servers[name].close()));
    throw error;
  }
}

function createWorld(
  options: SandboxOptions,
  credentials: Sandbox['credentials'],
): { world: World; flush: () => void } {
  const state = options.stateFile === undefined ? emptyState() : readState(options.stateFile);
  const settings: Settings = { ...DEFAULT_SETTINGS, ...options.settings };
  // A restart goes on with other numbers than the first start, or orders would repeat.
  const random = createRandom((options.seed ?? 1) + (state.shop.nextId % 2 ** 31) + state.carrier.nextId);
  const noise = createRandom((options.seed ?? 1) ^ 0x5eed);
  const retryScale = () => settings.retryScale;
  const journal = createJournal();
  const saver = createSaver(options.stateFile, () => ({
    ...state,
    outbox: { shop: senders.shop.waiting(), carrier: senders.carrier.waiting() },
  }));
  const senders = {
    shop: createSender({
      timeoutMs: SHOP_TIMEOUT_MS,
      retryDelaysMs: SHOP_RETRY_DELAYS_MS,
      retryScale,
      random: noise.next,
      // After the last retry Shopify deletes the subscription.
      onGaveUp: ({ subscription }) => {
        state.shop.subscriptions = state.shop.subscriptions.filter(
          ({ id }) => gid('WebhookSubscription', id) !== subscription,
        );
        saver.soon();
      },
    }),
    carrier: createSender({
      timeoutMs: CARRIER_TIMEOUT_MS,
      retryDelaysMs: CARRIER_RETRY_DELAYS_MS,
      retryScale,
      random: noise.next,
      onDelivered: ({ id }) => settleEvent(carrier, id, true),
      onGaveUp: ({ id }) => settleEvent(carrier, id, false),
    }),
  };
  const announcer = createAnnouncer(state.shop, credentials.shopSecret, () => senders.shop);
  const shop = createShop({ data: state.shop, settings, random, announce: announcer.announce, save: saver.soon });
  const carrier: Carrier = { data: state.carrier, random, sender: senders.carrier, save: saver.soon };
  const world: World = {
    shop,
    carrier,
    settings,
    random,
    announcer,
    senders,
    bucket: createCostBucket(settings),
    faults: createFaultDesk(noise.next, journal.fault),
    journal,
    story: createStory({ shop, carrier, random, stepsPerSecond: options.storyStepsPerSecond ?? 1 }),
    save: saver.soon,
    reset: () => {
      shop.index.clear();
      shop.owners.clear();
      Object.assign(state.shop, emptyShopData(), {
        subscriptions: state.shop.subscriptions,
        tokens: state.shop.tokens,
      });
      Object.assign(state.carrier, emptyCarrierData(), { webhooks: state.carrier.webhooks });
      journal.clear();
      saver.soon();
    },
  };
  senders.shop.resume(state.outbox.shop);
  senders.carrier.resume(state.outbox.carrier);
  return { world, flush: saver.flush };
}
