// EasyPost's REST API, v2: https://docs.easypost.com/docs
import { randomUUID, timingSafeEqual } from 'node:crypto';
import Fastify, { type FastifyInstance } from 'fastify';
import { z } from 'zod';
import { installFaults } from '../faults.js';
import { keepJournal } from '../journal.js';
import { takeEmptyJson } from '../json-body.js';
import type { Settings } from '../settings.js';
import { CarrierError } from './carrier.js';
import type { Tracker } from './model.js';
import { type CarrierServerOptions, fail, NOT_FOUND, page, send } from './replies.js';
import { shipmentRoutes } from './shipment-routes.js';
import { createTracker } from './tracking.js';
import { eventRoutes, webhookRoutes } from './webhook-routes.js';
import { trackerWire } from './wire.js';

/** Builds the server; the caller listens and closes. */
export function createCarrierServer(options: CarrierServerOptions): FastifyInstance {
  const app = Fastify({ logger: false, bodyLimit: 4 << 20, forceCloseConnections: true, genReqId: () => randomUUID() });
  takeEmptyJson(app);
  keepJournal(app, options.journal, 'carrier');
  const overLimit = rateLimit(options.settings);
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-ep-request-uuid', request.id).header('cache-control', 'private, no-cache, no-store');
    if (!keyMatches(request.headers.authorization, options.apiKey)) {
      return fail(
        reply,
        new CarrierError(
          401,
          'APIKEY.INACTIVE',
          'This api key is no longer active. Please use a different api key or reactivate this key.',
        ),
      );
    }
    if (overLimit()) return fail(reply, new CarrierError(429, 'RATE_LIMITED', 'You have been rate limited'));
    return undefined;
  });
  installFaults(app, options.faults, 'carrier', () => '');
  app.setNotFoundHandler((_request, reply) => fail(reply, NOT_FOUND));
  app.setErrorHandler((error: Error & { statusCode?: number }, _request, reply) => fail(reply, asCarrierError(error)));
  trackerRoutes(app, options);
  shipmentRoutes(app, options);
  webhookRoutes(app, options);
  eventRoutes(app, options);
  return app;
}

function asCarrierError(error: Error & { statusCode?: number }): CarrierError {
  if (error instanceof CarrierError) return error;
  if (error instanceof z.ZodError) {
    const errors = error.issues.map(({ path, message }) => ({ field: path.at(-1) ?? '', message, suggestion: null }));
    const missing = error.issues.find(({ code }) => code === 'invalid_type');
    const code = missing ? 'PARAMETER.REQUIRED' : 'PARAMETER.INVALID';
    return new CarrierError(422, code, `Missing or invalid parameter: ${error.issues[0]?.path.join('.')}`, errors);
  }
  const status = error.statusCode ?? 500;
  if (status < 500) return new CarrierError(status, 'BAD_REQUEST', 'The request could not be understood');
  return new CarrierError(500, 'INTERNAL_SERVER_ERROR', "We're sorry, something went wrong.");
}

/** Basic auth with the key as the user and no password. */
function keyMatches(header: string | undefined, key: string): boolean {
  const match = /^Basic ([A-Za-z0-9+/=]+)$/.exec(header ?? '');
  const given = Buffer.from(
    Buffer.from(match?.[1] ?? '', 'base64')
      .toString('utf8')
      .split(':')[0]!,
  );
  const wanted = Buffer.from(key);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

function rateLimit(settings: Settings): () => boolean {
  let second = 0;
  let count = 0;
  return () => {
    const now = Math.floor(Date.now() / 1000);
    if (now !== second) [second, count] = [now, 0];
    return settings.carrierRequestsPerSecond > 0 && ++count > settings.carrierRequestsPerSecond;
  };
}

const trackerBody = z.object({
  tracker: z.object({ tracking_code: z.string().min(1), carrier: z.string().min(1).nullish() }),
});

function trackerRoutes(app: FastifyInstance, { carrier, journal }: CarrierServerOptions): void {
  const find = (id: string): Tracker => {
    const tracker = carrier.data.trackers.get(id);
    if (!tracker) throw NOT_FOUND;
    return tracker;
  };
  app.post('/v2/trackers', async (request, reply) => {
    const { tracker: wanted } = trackerBody.parse(request.body ?? {});
    const before = carrier.data.trackers.size;
    const tracker = createTracker(carrier, wanted.tracking_code, wanted.carrier ?? undefined);
    if (carrier.data.trackers.size > before) journal.effect(request.id, 'tracker.created', tracker.id);
    return send(reply, 200, trackerWire(tracker));
  });
  app.get('/v2/trackers', async (request, reply) => {
    const { tracking_code: code, carrier: name } = request.query as { tracking_code?: string; carrier?: string };
    const wanted = [...carrier.data.trackers.values()].filter(
      (tracker) => (!code || tracker.code === code) && (!name || tracker.carrier.toLowerCase() === name.toLowerCase()),
    );
    const { items, hasMore } = page(wanted, request.query);
    return send(reply, 200, { trackers: items.map(trackerWire), has_more: hasMore });
  });
  app.get<{ Params: { id: string } }>('/v2/trackers/:id', async (request, reply) =>
    send(reply, 200, trackerWire(find(request.params.id))),
  );
  app.delete<{ Params: { id: string } }>('/v2/trackers/:id', async (request, reply) => {
    const tracker = find(request.params.id);
    carrier.data.trackers.delete(tracker.id);
    journal.effect(request.id, 'tracker.deleted', tracker.id);
    carrier.save();
    return send(reply, 200, {});
  });
}
