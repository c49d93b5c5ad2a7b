// /v2/webhooks and /v2/events: https://docs.easypost.com/docs/webhooks, .../events
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { newId } from './carrier.js';
import type { Webhook } from './model.js';
import { type CarrierServerOptions, NOT_FOUND, page, send } from './replies.js';
import { eventJson, eventWire, webhookWire } from './wire.js';

const headerList = z.array(z.object({ name: z.string(), value: z.string() }));
const webhookFields = z.object({
  url: z.url({ protocol: /^https?$/ }),
  webhook_secret: z.string().min(1).nullish(),
  custom_headers: headerList.nullish(),
});

/** Adds the routes of webhooks. */
export function webhookRoutes(app: FastifyInstance, { carrier, journal }: CarrierServerOptions): void {
  const find = (id: string): Webhook => {
    const webhook = carrier.data.webhooks.find((candidate) => candidate.id === id);
    if (!webhook) throw NOT_FOUND;
    return webhook;
  };
  app.post('/v2/webhooks', async (request, reply) => {
    const wanted = z.object({ webhook: webhookFields }).parse(request.body ?? {}).webhook;
    const webhook: Webhook = {
      id: newId(carrier, 'hook'),
      url: wanted.url,
      secret: wanted.webhook_secret ?? null,
      createdAt: Date.now(),
      disabledAt: null,
      customHeaders: wanted.custom_headers ?? [],
    };
    carrier.data.webhooks.push(webhook);
    journal.effect(request.id, 'webhook.created', webhook.id);
    carrier.save();
    return send(reply, 201, webhookWire(webhook));
  });
  app.get('/v2/webhooks', async (_request, reply) =>
    send(reply, 200, { webhooks: carrier.data.webhooks.map(webhookWire) }),
  );
  app.get<{ Params: { id: string } }>('/v2/webhooks/:id', async (request, reply) =>
    send(reply, 200, webhookWire(find(request.params.id))),
  );
  const update = async (id: string, body: unknown, requestId: string) => {
    const webhook = find(id);
    const nested = z.object({ webhook: webhookFields.partial() }).safeParse(body);
    const wanted = nested.success ? nested.data.webhook : webhookFields.partial().parse(body ?? {});
    if (wanted.url) webhook.url = wanted.url;
    if (wanted.webhook_secret) webhook.secret = wanted.webhook_secret;
    if (wanted.custom_headers) webhook.customHeaders = wanted.custom_headers;
    // An update puts a disabled webhook back to work.
    webhook.disabledAt = null;
    journal.effect(requestId, 'webhook.updated', id);
    carrier.save();
    return webhookWire(webhook);
  };
  for (const method of ['PATCH', 'PUT'] as const) {
    app.route<{ Params: { id: string } }>({
      method,
      url: '/v2/webhooks/:id',
      handler: async (request, reply) => send(reply, 200, await update(request.params.id, request.body, request.id)),
    });
  }
  app.delete<{ Params: { id: string } }>('/v2/webhooks/:id', async (request, reply) => {
    const webhook = find(request.params.id);
    carrier.data.webhooks = carrier.data.webhooks.filter((other) => other !== webhook);
    carrier.sender.forget(webhook.id);
    journal.effect(request.id, 'webhook.deleted', webhook.id);
    carrier.save();
    return send(reply, 200, {});
  });
}

/** Adds the routes of events. */
export function eventRoutes(app: FastifyInstance, { carrier }: CarrierServerOptions): void {
  app.get('/v2/events', async (request, reply) => {
    const { items, hasMore } = page(carrier.data.events, request.query);
    return send(reply, 200, { events: items.map(eventWire), has_more: hasMore });
  });
  app.get<{ Params: { id: string } }>('/v2/events/:id', async (request, reply) => {
    const event = carrier.data.events.find(({ id }) => id === request.params.id);
    if (!event) throw NOT_FOUND;
    return reply.code(200).type('application/json; charset=utf-8').send(eventJson(event));
  });
}
