import { SyncError } from './failure.js';

/** How a message came in. */
export type Origin = 'webhook' | 'poll' | 'backfill' | 'replay';

/** Header names on our topics: CloudEvents 1.0 Kafka binding in binary mode, W3C trace context, and `sync-*` extensions. */
export const header = {
  id: 'ce_id',
  source: 'ce_source',
  type: 'ce_type',
  subject: 'ce_subject',
  time: 'ce_time',
  specVersion: 'ce_specversion',
  schema: 'ce_dataschema',
  contentType: 'content-type',
  traceparent: 'traceparent',
  tracestate: 'tracestate',
  origin: 'sync-origin',
  apiVersion: 'sync-api-version',
  receivedAt: 'sync-received-at',
  readAt: 'sync-read-at',
  revision: 'sync-revision',
  mergedInto: 'sync-merged-into',
  changedAt: 'sync-changed-at',
  connections: 'sync-connections',
  failureKind: 'sync-failure-kind',
  failureReason: 'sync-failure-reason',
  failurePath: 'sync-failure-path',
  sourceTopic: 'sync-source-topic',
  sourcePartition: 'sync-source-partition',
  sourceOffset: 'sync-source-offset',
} as const;

/** Header values as Kafka clients give them. */
export type RawHeaders = Record<string, Buffer | string | (Buffer | string)[] | undefined>;

/** One header as text; null where it is missing. */
export function headerText(headers: RawHeaders | undefined, name: string): string | null {
  const value = headers?.[name];
  const one = Array.isArray(value) ? value[0] : value;
  return one === undefined ? null : typeof one === 'string' ? one : one.toString('utf8');
}

/** What an ingestor knows of a message beside its bytes. Times are milliseconds since the epoch. */
export interface RawEnvelope {
  /** The provider's id of the delivery, or one made from the object and its version. */
  eventId: string;
  connection: string;
  /** The provider's own name of what happened: `orders/updated`, `tracker.updated`, or `poll`. */
  type: string;
  externalId: string;
  /** The provider's time of the event (Shopify: X-Shopify-Triggered-At), where it gives one. */
  occurredAt: number | null;
  origin: Origin;
  apiVersion: string | null;
  /** When the request reached us; for polls, when the page arrived. Freshness is measured from here where the source gives no time. */
  receivedAt: number;
  /** For reads: the source's clock when it answered. */
  readAt: number | null;
}

/** The headers of a raw message (without trace context, which the producer adds). */
export function rawHeaders(e: RawEnvelope, provider: string): Record<string, string> {
  return {
    [header.specVersion]: '1.0',
    [header.id]: e.eventId,
    [header.source]: `/connections/${e.connection}`,
    [header.type]: `${provider}.${e.type}`,
    [header.subject]: e.externalId,
    ...(e.occurredAt === null ? {} : { [header.time]: new Date(e.occurredAt).toISOString() }),
    [header.contentType]: 'application/json',
    [header.origin]: e.origin,
    ...(e.apiVersion === null ? {} : { [header.apiVersion]: e.apiVersion }),
    [header.receivedAt]: String(e.receivedAt),
    ...(e.readAt === null ? {} : { [header.readAt]: String(e.readAt) }),
  };
}

const origins: readonly string[] = ['webhook', 'poll', 'backfill', 'replay'] satisfies Origin[];

/** Reads the headers of a raw message. Throws `unmappable` naming the header that is missing or wrong. */
export function readRawHeaders(headers: RawHeaders | undefined): RawEnvelope {
  const need = (name: string): string => {
    const value = headerText(headers, name);
    if (value === null) throw new SyncError('unmappable', `header ${name} is missing`, { path: name });
    return value;
  };
  const source = need(header.source);
  if (!source.startsWith('/connections/'))
    throw new SyncError('unmappable', `header ${header.source} names no connection`, { path: header.source });
  const time = headerText(headers, header.time);
  const occurredAt = time === null ? Number.NaN : Date.parse(time);
  const origin = need(header.origin);
  if (!origins.includes(origin))
    throw new SyncError('unmappable', `header ${header.origin} is none of ${origins.join(', ')}`, {
      path: header.origin,
    });
  const type = need(header.type);
  const whole = (name: string): number | null => {
    const value = headerText(headers, name);
    if (value !== null && !/^\d{1,15}$/.test(value))
      throw new SyncError('unmappable', `header ${name} is no time in milliseconds`, { path: name });
    return value === null ? null : Number(value);
  };
  return {
    eventId: need(header.id),
    connection: source.slice('/connections/'.length),
    type: type.slice(type.indexOf('.') + 1),
    externalId: need(header.subject),
    occurredAt: Number.isNaN(occurredAt) ? null : occurredAt,
    origin: origin as Origin,
    apiVersion: headerText(headers, header.apiVersion),
    receivedAt: whole(header.receivedAt) ?? 0,
    readAt: whole(header.readAt),
  };
}

/** What a canonical event says beside its value. */
export interface CanonicalEnvelope {
  id: string;
  kind: string;
  revision: number;
  /** The connection whose message made this revision. */
  cause: string;
  /** Connections that hold or ever held the record, for flow filters without parsing the value. */
  connections: string[];
  /** Source time of the change, milliseconds since the epoch; freshness is measured from it. */
  changedAt: number;
  /** When the message that caused it reached us, milliseconds since the epoch. */
  receivedAt: number;
  /** On a tombstone of a record that was joined into another: the id it lives on under. */
  mergedInto?: string;
}

/** The headers of a canonical event or tombstone (without trace context). */
export function canonicalHeaders(e: CanonicalEnvelope): Record<string, string> {
  return {
    [header.specVersion]: '1.0',
    [header.id]: `${e.id}:${e.revision}`,
    [header.source]: `/connections/${e.cause}`,
    [header.type]: `syncline.${e.kind}`,
    [header.subject]: e.id,
    [header.time]: new Date(e.changedAt).toISOString(),
    [header.contentType]: 'application/json',
    [header.schema]: `syncline:canonical.${e.kind}:1`,
    [header.revision]: String(e.revision),
    [header.changedAt]: String(e.changedAt),
    [header.receivedAt]: String(e.receivedAt),
    [header.connections]: e.connections.join(','),
    ...(e.mergedInto === undefined ? {} : { [header.mergedInto]: e.mergedInto }),
  };
}

/** Reads the headers of a canonical event; `id` is the message key. Throws `unmappable` where the revision is missing. */
export function readCanonicalHeaders(id: string, kind: string, headers: RawHeaders | undefined): CanonicalEnvelope {
  const revision = Number(headerText(headers, header.revision) ?? Number.NaN);
  if (!Number.isSafeInteger(revision))
    throw new SyncError('unmappable', `header ${header.revision} is missing or no number`, { path: header.revision });
  const mergedInto = headerText(headers, header.mergedInto);
  return {
    id,
    kind,
    revision,
    cause: (headerText(headers, header.source) ?? '').replace('/connections/', ''),
    connections: (headerText(headers, header.connections) ?? '').split(',').filter((c) => c !== ''),
    changedAt: Number(headerText(headers, header.changedAt) ?? 0),
    receivedAt: Number(headerText(headers, header.receivedAt) ?? 0),
    ...(mergedInto === null ? {} : { mergedInto }),
  };
}
