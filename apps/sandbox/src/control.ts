// The control API: places, edits and breaks things. Every route is described in the sandbox's README.
import Fastify, { type FastifyInstance } from 'fastify';
import { z } from 'zod';
import { CarrierError } from './carrier/carrier.js';
import { carrierRoutes } from './control-carrier.js';
import { NotFound } from './control-errors.js';
import { orderRoutes } from './control-orders.js';
import { faultSchema } from './faults.js';
import { takeEmptyJson } from './json-body.js';
import { createLoad } from './load.js';
import type { World } from './sandbox.js';
import { CALM } from './sender.js';
import { settingsSchema } from './settings.js';
import { subscriptionNode } from './shop/graph-queries.js';
import { Refused } from './shop/orders.js';
import { truth } from './truth.js';

/** Builds the control server. It has no authentication: it listens on 127.0.0.1 only. */
export function createControlServer(world: World): FastifyInstance {
  const app = Fastify({ logger: false, forceCloseConnections: true });
  takeEmptyJson(app);
  app.setErrorHandler((error: Error & { statusCode?: number }, _request, reply) => {
    if (error instanceof z.ZodError) return reply.code(400).send({ error: z.prettifyError(error) });
    if (error instanceof NotFound) return reply.code(404).send({ error: error.message });
    if (error instanceof Refused || error instanceof CarrierError || error instanceof RangeError) {
      return reply.code(422).send({ error: error.message });
    }
    return reply.code(error.statusCode ?? 500).send({ error: error.message });
  });
  app.setNotFoundHandler((request, reply) =>
    reply.code(404).send({ error: `no ${request.method} ${request.url}; see the sandbox's README` }),
  );
  app.get('/health', async () => ({ ok: true }));
  app.get('/truth', async () => truth(world.shop, world.carrier));
  orderRoutes(app, world);
  carrierRoutes(app, world);
  faultRoutes(app, world);
  webhookRoutes(app, world);
  lifeRoutes(app, world);
  return app;
}

const both = z.enum(['shop', 'carrier']);

function faultRoutes(app: FastifyInstance, { faults, bucket, journal }: World): void {
  app.post('/faults', async (request) => faults.add(faultSchema.parse(request.body)));
  app.get('/faults', async () => ({ faults: faults.list() }));
  app.delete('/faults', async (request) => {
    faults.clear(z.object({ target: both.optional() }).parse(request.query).target);
    return { faults: faults.list() };
  });
  app.post('/throttle', async () => {
    bucket.drain();
    return bucket.status();
  });
  const logQuery = z.object({
    target: both.optional(),
    writes: z.stringbool().optional(),
    since: z.coerce.number().optional(),
  });
  app.get('/log', async (request) => ({ entries: journal.entries(logQuery.parse(request.query)) }));
  app.delete('/log', async () => {
    journal.clear();
    return {};
  });
}

const share = z.number().min(0).max(1);
const webhooksBody = z.strictObject({
  target: both.optional(),
  off: z.boolean().default(CALM.off),
  drop: share.default(CALM.drop),
  duplicate: share.default(CALM.duplicate),
  reorderMs: z.number().nonnegative().default(CALM.reorderMs),
  delayMs: z.number().nonnegative().default(CALM.delayMs),
});

function webhookRoutes(app: FastifyInstance, { shop, carrier, senders, save }: World): void {
  const show = (target: 'shop' | 'carrier') => ({
    disturbance: senders[target].disturbance,
    counts: senders[target].counts,
    waiting: senders[target]
      .waiting()
      .map(({ id, url, attempts, dueAt }) => ({ id, url, attempts, dueAt: new Date(dueAt).toISOString() })),
  });
  app.get('/webhooks', async () => ({
    shop: { ...show('shop'), subscriptions: shop.data.subscriptions.map(subscriptionNode) },
    carrier: {
      ...show('carrier'),
      webhooks: carrier.data.webhooks.map(({ id, url, disabledAt }) => ({ id, url, disabled: disabledAt !== null })),
    },
  }));
  app.post('/webhooks', async (request) => {
    const { target, ...disturbance } = webhooksBody.parse(request.body ?? {});
    for (const name of target ? [target] : (['shop', 'carrier'] as const))
      senders[name].disturbance = { ...disturbance };
    return { shop: senders.shop.disturbance, carrier: senders.carrier.disturbance };
  });
  // The provider forgets who wanted its webhooks, as it does after too many failures.
  app.delete('/webhooks', async (request) => {
    const { target } = z.object({ target: both }).parse(request.query);
    if (target === 'shop') shop.data.subscriptions = [];
    else carrier.data.webhooks = [];
    save();
    return {};
  });
}

const storyBody = z.strictObject({
  running: z.boolean().default(true),
  stepsPerSecond: z.number().positive().max(1_000).optional(),
});
const loadBody = z.strictObject({
  ratePerSecond: z.number().positive().max(5_000),
  seconds: z.number().positive().max(3_600).optional(),
  orders: z.number().int().positive().optional(),
});

function lifeRoutes(app: FastifyInstance, world: World): void {
  const { shop, settings, announcer, story, save } = world;
  const load = createLoad(shop);
  app.addHook('onClose', async () => load.stop());
  app.get('/settings', async () => settings);
  app.post('/settings', async (request) => Object.assign(settings, settingsSchema.partial().parse(request.body)));
  app.post('/tokens/expire', async () => {
    const expired = shop.data.tokens.length;
    shop.data.tokens = [];
    save();
    return { expired };
  });
  app.post('/uninstall', async () => {
    announcer.uninstall();
    save();
    return { installed: false };
  });
  app.post('/install', async () => {
    shop.data.uninstalled = false;
    save();
    return { installed: true };
  });
  app.post('/reset', async () => {
    story.stop();
    load.stop();
    world.reset();
    return {};
  });
  app.get('/story', async () => story.status());
  app.post('/story', async (request) => {
    const { running, stepsPerSecond } = storyBody.parse(request.body ?? {});
    if (running) story.start(stepsPerSecond);
    else story.stop();
    return story.status();
  });
  app.get('/load', async () => load.status());
  app.post('/load', async (request, reply) => {
    const { ratePerSecond, seconds, orders } = loadBody.parse(request.body);
    load.start(ratePerSecond, orders ?? Math.round(ratePerSecond * (seconds ?? 1)));
    return reply.code(202).send(load.status());
  });
}
