import type { RawItem } from '@syncline/connector-sdk';
import type { Origin } from '@syncline/contracts';
import { type Logger, metrics } from '@syncline/runtime';
import { bodyBytesMax } from './body.js';
import type { Served } from './connection.js';
import { publish, type Sender } from './publish.js';

/** What publishing read objects needs. */
export interface ItemsPublisher {
  served: Served;
  sender: Sender;
  log: Logger;
  /** After a message is durable. */
  accepted(connection: string, receivedAt: number): void;
}

/** Publishes objects that were read, all at once: the producer puts them together into few requests. Resolves when all are durable. */
export async function publishItems(
  { served, sender, accepted }: ItemsPublisher,
  items: readonly RawItem[],
  about: { origin: Origin; readAt: number },
): Promise<void> {
  const receivedAt = Date.now();
  await Promise.all(
    items.map((item) =>
      publish(sender, {
        provider: served.connector.provider,
        connection: served.name,
        item,
        value: Buffer.from(item.body),
        eventId: `${item.noun}/${item.externalId}/${item.version}`,
        type: 'poll',
        occurredAt: null,
        origin: about.origin,
        apiVersion: served.connector.apiVersion,
        receivedAt,
        readAt: about.readAt,
      }),
    ),
  );
  for (const _ of items) accepted(served.name, receivedAt);
}

/** What no record can hold is left out, and said: it must not keep everything behind it from being read. */
export function fits({ served, log }: Pick<ItemsPublisher, 'served' | 'log'>, item: RawItem): boolean {
  const bytes = Buffer.byteLength(item.body);
  if (bytes <= bodyBytesMax) return true;
  const { name, connector } = served;
  metrics.pollFailures.add(1, { connection: name, noun: item.noun, kind: 'too_large' });
  log.error(
    {
      connection: name,
      provider: connector.provider,
      noun: item.noun,
      externalId: item.externalId,
      bytes,
      bytesMax: bodyBytesMax,
    },
    'an object is larger than a record may be and is left out',
  );
  return false;
}
