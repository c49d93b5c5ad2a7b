// The carrier's core: ids, refusals, and events on their way to the webhooks.
import { createHash, createHmac } from 'node:crypto';
import type { Random } from '../random.js';
import type { Sender } from '../sender.js';
import type { CarrierData, CarrierEvent } from './model.js';
import { eventJson } from './wire.js';

/** The running carrier. */
export interface Carrier {
  data: CarrierData;
  random: Random;
  sender: Sender;
  save: () => void;
}

/** EasyPost gives up an attempt after this; it retries with growing waits (https://docs.easypost.com/guides/webhooks-guide). */
export const CARRIER_TIMEOUT_MS = 7_000;
/** EasyPost publishes neither number nor waits of its retries: six of them over about an hour are the sandbox's. */
export const CARRIER_RETRY_DELAYS_MS: readonly number[] = [10_000, 60_000, 180_000, 480_000, 900_000, 1_800_000];

/** A refusal in EasyPost's terms. */
export class CarrierError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly errors: readonly object[] = [],
  ) {
    super(message);
  }
}

/** An id such as trk_0123…: a prefix and 32 hexadecimal digits. */
export function newId(carrier: Carrier, prefix: string): string {
  const hex = createHash('md5')
    .update(`${prefix} ${carrier.data.nextId++} ${carrier.random.next()}`)
    .digest('hex');
  return `${prefix}_${hex}`;
}

/** Now, on a whole second, as EasyPost's objects keep their times. */
export const nowSecond = (): number => Math.floor(Date.now() / 1000) * 1000;

const EVENTS_MAX = 5_000;

/** Notes an event and sends it to every enabled webhook. */
export function happened(
  carrier: Carrier,
  description: string,
  previous: Record<string, unknown>,
  result: string,
): void {
  const webhooks = carrier.data.webhooks.filter(({ disabledAt }) => disabledAt === null);
  const at = Date.now();
  const event: CarrierEvent = {
    id: newId(carrier, 'evt'),
    description,
    createdAt: at,
    updatedAt: at,
    previous,
    status: webhooks.length === 0 ? 'completed' : 'pending',
    pendingUrls: webhooks.map(({ url }) => url),
    completedUrls: [],
    result,
  };
  carrier.data.events.push(event);
  if (carrier.data.events.length > EVENTS_MAX * 1.2) carrier.data.events = carrier.data.events.slice(-EVENTS_MAX);
  for (const webhook of webhooks) {
    const body = eventJson(event);
    const headers: Record<string, string> = {
      'content-type': 'application/json',
      'user-agent': 'EasyPost/v2 Webhooks',
    };
    for (const { name, value } of webhook.customHeaders) headers[name.toLowerCase()] = value;
    if (webhook.secret !== null) headers['x-hmac-signature'] = sign(body, webhook.secret);
    carrier.sender.send({ id: `${event.id}/${webhook.id}`, subscription: webhook.id, url: webhook.url, headers, body });
  }
  carrier.save();
}

/** X-Hmac-Signature: HMAC-SHA256 over the bytes, keyed with the secret in NFKD, as EasyPost's clients check it. */
export const sign = (body: string, secret: string): string =>
  `hmac-sha256-hex=${createHmac('sha256', secret.normalize('NFKD')).update(body, 'utf8').digest('hex')}`;

/** A webhook took an event, or never will. */
export function settleEvent(carrier: Carrier, deliveryId: string, delivered: boolean): void {
  const [eventId, webhookId] = deliveryId.replace(/\+$/, '').split('/');
  const webhook = carrier.data.webhooks.find(({ id }) => id === webhookId);
  const event = carrier.data.events.findLast(({ id }) => id === eventId);
  if (event && webhook && delivered) {
    event.pendingUrls = event.pendingUrls.filter((url) => url !== webhook.url);
    event.completedUrls = [...new Set([...event.completedUrls, webhook.url])];
  }
  if (event) event.status = !delivered ? 'failed' : event.pendingUrls.length === 0 ? 'completed' : 'pending';
  // Repeated failure disables an address until it is updated (https://docs.easypost.com/docs/webhooks).
  if (webhook && !delivered) webhook.disabledAt = Date.now();
  carrier.save();
}
