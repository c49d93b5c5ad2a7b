import { createHmac, timingSafeEqual } from 'node:crypto';
import {
  type ConnectionContext,
  type Delivery,
  type Verdict,
  verifyHmac,
  type WebhookRequest,
  type WebhookSpec,
} from '@syncline/connector-sdk';
import { SyncError } from '@syncline/contracts';
import { idOf, type Noun, nounOf, text, timeOf, type Wire, webhooksPath, wire, wires } from './api.js';

const prefix = 'hmac-sha256-hex=';
const ageMsMax = 300_000;

/** EasyPost's clients normalise the secret before they use it as a key. */
const normalised = (secrets: readonly string[]): string[] => secrets.map((secret) => secret.normalize('NFKD'));

/**
 * The bytes EasyPost signs: its servers write whole weights as 12.0, and its official clients put that point back where a
 * JSON library has lost it before they check. We do the same, so that our verdict is theirs.
 */
export function signedBody({ body }: Pick<WebhookRequest, 'body'>): Buffer {
  return Buffer.from(body.toString('utf8').replace(/("weight":\s*\d+)\s*(?=[,}])/g, '$1.0'), 'utf8');
}

/**
 * X-Hmac-Signature over the body, as EasyPost's own clients check it. Where the newer X-Hmac-Signature-V2 is there and right
 * it decides, since it also covers the time; one we cannot confirm changes nothing, as it changes nothing for those clients.
 */
export function verify(request: WebhookRequest, secrets: readonly string[]): Verdict {
  const second = verifySecond(request, secrets);
  if (second !== null) return second;
  return verifyHmac(request, normalised(secrets), {
    header: 'x-hmac-signature',
    algorithm: 'sha256',
    encoding: 'hex',
    prefix,
    signed: signedBody,
  });
}

/** The second scheme: HMAC over x-timestamp (RFC 2822), method, x-path and body. null = not there, or not by these secrets. */
function verifySecond({ headers, body, receivedAt }: WebhookRequest, secrets: readonly string[]): Verdict | null {
  const [signature, timestamp, path] = ['x-hmac-signature-v2', 'x-timestamp', 'x-path'].map((name) => headers[name]);
  if (typeof signature !== 'string' || typeof timestamp !== 'string' || typeof path !== 'string') return null;
  const theirs = Buffer.from(signature.startsWith(prefix) ? signature.slice(prefix.length) : signature);
  let matches = 0;
  for (const secret of normalised(secrets)) {
    if (secret === '') continue;
    const ours = Buffer.from(createHmac('sha256', secret).update(`${timestamp}POST${path}`).update(body).digest('hex'));
    if (ours.length === theirs.length && timingSafeEqual(ours, theirs)) matches += 1;
  }
  if (matches === 0) return null;
  const age = Math.abs(receivedAt - Date.parse(timestamp));
  return age <= ageMsMax ? { ok: true } : { ok: false, reason: 'stale' };
}

/** An Event is an item where its result is a tracker or shipment; its bytes go on as they came. */
export function parse(request: WebhookRequest, body: unknown): Delivery {
  const event = wire(body);
  const type = text(event?.description);
  if (event === null || type === null)
    throw new SyncError('unmappable', 'expected an Event with a description', { path: 'description' });
  const result = wire(event.result);
  const noun = result === null ? null : nounOf(result);
  if (result === null || noun === null) {
    if (!/^tracker\./.test(type)) return { kind: 'ignored', type };
    throw new SyncError('unmappable', 'the Event has no tracker', { path: 'result' });
  }
  const externalId = idOf(result);
  const version = text(result.updated_at) ?? text(event.created_at) ?? '';
  return {
    kind: 'item',
    item: { noun, aggregateId: externalId, externalId, version, body: request.body.toString('utf8') },
    eventId: text(event.id) ?? `${externalId}:${version}:${type}`,
    type,
    occurredAt: timeOf(event.created_at),
    apiVersion: null,
    also: boughtWith(type, noun, result),
  };
}

/** EasyPost has no Event for a bought label: its tracker's first one names the shipment, which holds reference and cost. */
function boughtWith(type: string, noun: Noun, result: Wire): { noun: Noun; externalId: string }[] {
  const shipment = type === 'tracker.created' && noun === 'tracker' ? text(result.shipment_id) : null;
  return shipment === null ? [] : [{ noun: 'shipment', externalId: shipment }];
}

/**
 * Has EasyPost send its Events to `url`, signed with our secret. An endpoint that is there is updated each time: its secret
 * cannot be read back, and an update puts a disabled one back to work. Endpoints of other URLs are none of our business.
 */
export async function register(
  { http, secrets }: ConnectionContext,
  url: string,
): Promise<{ created: string[]; kept: string[]; removed: string[] }> {
  const webhook_secret = String(secrets.webhookSecret);
  const { json } = await http.send<Wire>({ method: 'GET', path: webhooksPath, safe: true });
  const mode = modeOf(String(secrets.apiKey));
  const [kept, ...doubles] = wires(json?.webhooks).filter(
    (one) => one.url === url && (mode === null || one.mode === mode),
  );
  for (const double of doubles)
    await http.send({ method: 'DELETE', path: `${webhooksPath}/${idOf(double)}`, safe: false, notFound: 'reply' });
  const removed = doubles.map(idOf);
  if (kept !== undefined) {
    await http.send({ method: 'PATCH', path: `${webhooksPath}/${idOf(kept)}`, json: { webhook_secret }, safe: false });
    return { created: [], kept: [idOf(kept)], removed };
  }
  const made = await http.send<Wire>({
    method: 'POST',
    path: webhooksPath,
    json: { webhook: { url, webhook_secret } },
    safe: false,
  });
  return { created: [text(made.json?.id) ?? url], kept: [], removed };
}

/** A key reaches one of EasyPost's two environments and lists the endpoints of both; null for a key of another form. */
function modeOf(apiKey: string): string | null {
  if (apiKey.startsWith('EZTK')) return 'test';
  return apiKey.startsWith('EZAK') ? 'production' : null;
}

export const webhook: WebhookSpec = { secrets: ['webhookSecret', 'webhookSecretOld'], verify, parse, register };
