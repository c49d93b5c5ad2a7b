import type { RawItem } from '@syncline/connector-sdk';
import { type Origin, type RawEnvelope, rawHeaders, rawKey, rawTopic, SyncError } from '@syncline/contracts';
import { inject, inSpan, metrics, SpanKind } from '@syncline/runtime';
import { bodyBytesMax } from './body.js';

/** The part of a producer that publishing needs. Resolves once the message is on all in-sync replicas. */
export interface Sender {
  send(message: { topic: string; key: string; value: Buffer; headers: Record<string, string> }): Promise<void>;
}

/** One object on its way to its raw topic. */
export interface Publication {
  provider: string;
  connection: string;
  item: RawItem;
  /** The provider's bytes, unaltered. */
  value: Buffer;
  eventId: string;
  type: string;
  occurredAt: number | null;
  origin: Origin;
  apiVersion: string | null;
  receivedAt: number;
  readAt: number | null;
}

/** Publishes one object under the key of its aggregate root and waits until it is durable. The producer's send span covers many of them. */
export async function publish(sender: Sender, p: Publication): Promise<void> {
  if (p.value.length > bodyBytesMax)
    throw new SyncError(
      'rejected',
      `an object of ${p.value.length} bytes is larger than a record may be (${bodyBytesMax})`,
    );
  const topic = rawTopic(p.provider, p.item.noun);
  const envelope: RawEnvelope = {
    eventId: p.eventId,
    connection: p.connection,
    type: p.type,
    externalId: p.item.externalId,
    occurredAt: p.occurredAt,
    origin: p.origin,
    apiVersion: p.apiVersion,
    receivedAt: p.receivedAt,
    readAt: p.readAt,
  };
  const attributes = {
    'messaging.system.name': 'kafka',
    'messaging.destination.name': topic,
    'messaging.operation.name': 'create',
    'messaging.operation.type': 'create',
    'cloudevents.event_id': p.eventId,
    'cloudevents.event_source': `/connections/${p.connection}`,
  };
  await inSpan(`create ${topic}`, { kind: SpanKind.PRODUCER, attributes }, () =>
    sender.send({
      topic,
      key: rawKey(p.connection, p.item.aggregateId),
      value: p.value,
      headers: inject(rawHeaders(envelope, p.provider)),
    }),
  );
  metrics.accepted.add(1, { connection: p.connection, noun: p.item.noun, origin: p.origin });
}
