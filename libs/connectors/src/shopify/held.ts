import type { ConnectionContext, Held, RawItem, RawMessage } from '@syncline/connector-sdk';
import { type Observation, SyncError } from '@syncline/contracts';

/** What a read found, as the writer compares it: mapped by the same mapping as a message of the same bytes. */
export function heldOf(
  context: ConnectionContext,
  found: { item: RawItem; readAt: number } | null,
  toCanonical: (message: RawMessage) => Observation[],
): Held | null {
  if (found === null) return null;
  const { item, readAt } = found;
  const [observation] = toCanonical({
    envelope: {
      eventId: `${item.noun}:${item.externalId}:${item.version}`,
      connection: context.connection,
      type: 'read',
      externalId: item.externalId,
      occurredAt: null,
      origin: 'poll',
      apiVersion: null,
      receivedAt: readAt,
      readAt,
    },
    body: JSON.parse(item.body),
  });
  if (observation === undefined) throw new SyncError('unmappable', `the ${item.noun} that was read maps to nothing`);
  return { externalId: item.externalId, version: observation.version, observation };
}
