import type { IncomingMessage } from 'node:http';
import type { Delivery, WebhookRequest } from '@syncline/connector-sdk';
import { SyncError } from '@syncline/contracts';
import { extract, inSpan, type Logger, metrics, SpanKind, traceId } from '@syncline/runtime';
import { checkHeaders, parseJson, Refusal, readBody, unpack } from './body.js';
import type { Served } from './connection.js';
import { publish, type Sender } from './publish.js';

/** What the webhook endpoint needs beside the request. */
export interface WebhookDependencies {
  sender: Sender;
  log: Logger;
  /** After a message is durable. */
  accepted(connection: string, receivedAt: number): void;
  /** Objects that a durable message names and does not carry. */
  readAlso(served: Served, objects: readonly { noun: string; externalId: string }[]): void;
  /** The provider says our app was removed. */
  uninstalled(connection: string): void;
  /** Bound for the durable publish: providers give up waiting after about 5 s. */
  publishMsMax: number;
}

/**
 * Takes one webhook of a connection in the one safe order: size, raw bytes, signature and time, parse, publish, and only then
 * the answer. Throws Refusal with the HTTP status of everything that is not accepted.
 */
export async function takeWebhook(served: Served, raw: IncomingMessage, deps: WebhookDependencies): Promise<void> {
  const receivedAt = Date.now();
  const { gzipped } = checkHeaders(raw.headers);
  const body = await unpack(await readBody(raw), gzipped);
  const request: WebhookRequest = { headers: listedHeaders(raw), body, receivedAt };
  const spec = served.connector.webhook;
  if (!spec) throw new Refusal(404, 'no_webhooks');
  const verdict = spec.verify(request, served.webhookSecrets);
  if (!verdict.ok) throw new Refusal(401, `signature_${verdict.reason}`);
  const span = {
    kind: SpanKind.SERVER,
    // The caller's trace goes on only once its signature is proven: anybody can send a traceparent.
    parent: extract(raw.headers),
    startedAt: receivedAt,
    attributes: {
      'http.request.method': 'POST',
      'http.route': '/webhooks/:connection',
      'url.path': `/webhooks/${served.name}`,
      'syncline.connection': served.name,
    },
  };
  await inSpan('POST /webhooks/:connection', span, async (active) => {
    await acceptVerified(served, request, deps);
    active.setAttribute('http.response.status_code', 200);
  });
}

async function acceptVerified(served: Served, request: WebhookRequest, deps: WebhookDependencies): Promise<void> {
  const { text, value } = parseJson(request.body);
  const delivery = understood(served, request, value);
  if (delivery.kind === 'ignored') {
    metrics.ignored.add(1, { connection: served.name });
    return;
  }
  if (delivery.kind === 'uninstalled') {
    deps.uninstalled(served.name);
    return;
  }
  const { item, eventId, type, occurredAt, apiVersion } = delivery;
  const sending = publish(deps.sender, {
    provider: served.connector.provider,
    connection: served.name,
    item,
    value: item.body === text ? request.body : Buffer.from(item.body),
    eventId,
    type,
    occurredAt,
    origin: 'webhook',
    apiVersion,
    receivedAt: request.receivedAt,
    readAt: null,
  });
  await bounded(sending, deps, served.name);
  deps.accepted(served.name, request.receivedAt);
  if (delivery.also?.length) deps.readAlso(served, delivery.also);
}

/** A verified message that its connector cannot place is bad input: the provider shall see a refusal, and we a log line. */
function understood(served: Served, request: WebhookRequest, value: unknown): Delivery {
  try {
    return served.connector.webhook!.parse(request, value);
  } catch (thrown) {
    if (thrown instanceof SyncError && thrown.kind === 'unmappable') throw new Refusal(400, 'not_understood');
    throw thrown;
  }
}

/** Waits for the durable publish, at most publishMsMax. What is late may still arrive: consumers judge by version. */
async function bounded(sending: Promise<void>, deps: WebhookDependencies, connection: string): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Refusal(503, 'broker_slow', 5)), deps.publishMsMax);
  });
  try {
    await Promise.race([sending, late]);
  } catch (thrown) {
    sending.catch(() => undefined);
    if (thrown instanceof Refusal) throw thrown;
    if (thrown instanceof SyncError && thrown.kind === 'rejected') throw new Refusal(413, 'too_large');
    deps.log.warn({ err: thrown, connection, trace: traceId() }, 'a webhook could not be published');
    const waitMs = thrown instanceof SyncError ? (thrown.retryAfterMs ?? 5_000) : 5_000;
    throw new Refusal(503, 'broker_unavailable', Math.max(1, Math.ceil(waitMs / 1000)));
  } finally {
    clearTimeout(timer);
  }
}

/** Headers by lower-case name; those that came twice keep their list, since a joined signature is two signatures. */
function listedHeaders(raw: IncomingMessage): WebhookRequest['headers'] {
  const out: Record<string, string | string[]> = Object.create(null);
  const pairs = raw.rawHeaders;
  for (let i = 0; i + 1 < pairs.length; i += 2) {
    const name = pairs[i]!.toLowerCase();
    const value = pairs[i + 1]!;
    const before = out[name];
    out[name] = before === undefined ? value : Array.isArray(before) ? [...before, value] : [before, value];
  }
  return out;
}
