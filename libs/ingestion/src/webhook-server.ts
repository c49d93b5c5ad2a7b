import type { AddressInfo } from 'node:net';
import { metrics } from '@syncline/runtime';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { Refusal } from './body.js';
import type { Served } from './connection.js';
import { createRate } from './rate.js';
import { takeWebhook, type WebhookDependencies } from './webhook.js';

export interface WebhookServerOptions extends WebhookDependencies {
  connections: readonly Served[];
  host: string;
  port: number;
  ratePerSecond: number;
  /** Bounds for slow senders, in milliseconds: headers (default 10 s) and the whole request (default 30 s). */
  headersMsMax?: number;
  requestMsMax?: number;
  /** Requests in work at once before more are answered 503: bounds the memory a flood can take. */
  concurrentMax?: number;
}

export interface WebhookServer {
  url: string;
  close(): Promise<void>;
}

/** Refusals say nothing an attacker could use: one body for all of them. */
const refused = '{"error":"refused"}';

/** Starts the public endpoint, POST /webhooks/<connection>, and nothing else. */
export async function startWebhookServer(options: WebhookServerOptions): Promise<WebhookServer> {
  const byName = new Map(
    options.connections.map((c) => [c.name, { served: c, rate: createRate(options.ratePerSecond) }]),
  );
  const concurrentMax = options.concurrentMax ?? 500;
  const headersTimeout = options.headersMsMax ?? 10_000;
  const requestTimeout = options.requestMsMax ?? 30_000;
  let inWork = 0;
  const app = Fastify({
    logger: false,
    exposeHeadRoutes: false,
    requestTimeout,
    keepAliveTimeout: 65_000,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 64 },
    http: {
      headersTimeout,
      connectionsCheckingInterval: Math.min(1_000, headersTimeout / 2),
      maxHeaderSize: 16 * 1024,
    },
    // Paths that the router itself refuses: too long to name a connection, or no valid text.
    frameworkErrors(error, _request, reply) {
      const known = error.code === 'FST_ERR_MAX_PARAM_LENGTH' ? new Refusal(404, 'route') : new Refusal(400, 'path');
      refuse(reply as unknown as FastifyReply, known, 'unknown');
    },
    clientErrorHandler(error, socket) {
      answerBrokenRequest(error as NodeJS.ErrnoException, socket as BrokenSocket);
    },
  });
  // The handler reads the bytes itself, after everything that can be refused without them.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  app.setErrorHandler((error, _request, reply) => refuse(reply, asRefusal(error, options), 'unknown'));
  app.setNotFoundHandler((_request, reply) => refuse(reply, new Refusal(404, 'route'), 'unknown'));
  app.all<{ Params: { connection: string } }>('/webhooks/:connection', async (request, reply) => {
    const startedAt = performance.now();
    const known = byName.get(request.params.connection);
    const label = known?.served.name ?? 'unknown';
    inWork++;
    try {
      checkRequest(request, known);
      if (inWork > concurrentMax) throw new Refusal(503, 'busy', 1);
      await takeWebhook(known!.served, request.raw, options);
      return await reply.code(200).header('content-type', 'application/json').send('{}');
    } catch (thrown) {
      return refuse(reply, asRefusal(thrown, options), label);
    } finally {
      inWork--;
      metrics.webhookDuration.record((performance.now() - startedAt) / 1000, {
        'http.request.method': known === undefined ? '_OTHER' : request.method,
        'http.route': '/webhooks/:connection',
        'http.response.status_code': reply.statusCode,
      });
    }
  });
  await app.listen({ host: options.host, port: options.port });
  const { port } = app.server.address() as AddressInfo;
  const host = options.host === '0.0.0.0' || options.host === '::' ? '127.0.0.1' : options.host;
  return { url: `http://${host}:${port}`, close: () => closeServer(app) };
}

/** What can be judged before a byte of the body: framing, connection, method, rate. */
function checkRequest(request: FastifyRequest, known: { rate: ReturnType<typeof createRate> } | undefined): void {
  let hosts = 0;
  const raw = request.raw.rawHeaders;
  for (let i = 0; i < raw.length; i += 2) if (raw[i]!.length === 4 && raw[i]!.toLowerCase() === 'host') hosts++;
  if (hosts !== 1) throw new Refusal(400, 'host');
  if (!known) throw new Refusal(404, 'connection');
  if (request.method !== 'POST') throw new Refusal(405, 'method');
  if (!known.rate.take(performance.now())) throw new Refusal(429, 'rate', 1);
}

function asRefusal(thrown: unknown, options: WebhookServerOptions): Refusal {
  if (thrown instanceof Refusal) return thrown;
  const { statusCode } = thrown as { statusCode?: number };
  if (statusCode === 415) return new Refusal(415, 'content_type');
  if (statusCode === 413) return new Refusal(413, 'too_large');
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) return new Refusal(400, 'request');
  options.log.error({ err: thrown }, 'the webhook endpoint failed');
  return new Refusal(503, 'defect', 30);
}

function refuse(reply: FastifyReply, refusal: Refusal, connection: string): FastifyReply {
  metrics.webhookRejections.add(1, { connection, reason: refusal.reason });
  if (refusal.status === 405) reply.header('allow', 'POST');
  if (refusal.retryAfterSeconds !== undefined) reply.header('retry-after', String(refusal.retryAfterSeconds));
  // An unread body would keep the socket busy: the sender has to connect again.
  if (!reply.request.raw.complete) reply.header('connection', 'close');
  return reply.code(refusal.status).header('content-type', 'application/json').send(refused);
}

interface BrokenSocket {
  writable: boolean;
  destroyed: boolean;
  end(text: string): unknown;
  destroy(): unknown;
}

/** Requests that are no HTTP (400), have too many headers (431) or do not get to their end in time (408). */
function answerBrokenRequest(error: NodeJS.ErrnoException, socket: BrokenSocket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  const late = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
  const status = late
    ? '408 Request Timeout'
    : error.code === 'HPE_HEADER_OVERFLOW'
      ? '431 Request Header Fields Too Large'
      : '400 Bad Request';
  metrics.webhookRejections.add(1, { connection: 'unknown', reason: late ? 'slow' : 'not_http' });
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  socket.end(
    `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${refused.length}\r\nconnection: close\r\n\r\n${refused}`,
  );
}

async function closeServer(app: FastifyInstance): Promise<void> {
  await app.close();
}
