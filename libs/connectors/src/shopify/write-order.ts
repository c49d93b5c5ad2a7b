import type { ConnectionContext, Held, ObjectTarget, WriteInput } from '@syncline/connector-sdk';
import { type Json, SyncError } from '@syncline/contracts';
import { change, gid } from './api.js';
import { operations } from './documents.js';
import { heldOf } from './held.js';
import { orderToCanonical } from './order.js';
import { tags } from './parts.js';
import { readOrder } from './poll.js';

const read = (context: ConnectionContext, externalId: string): Promise<Held | null> =>
  readOrder(context, externalId).then((found) => heldOf(context, found, orderToCanonical));

async function update(context: ConnectionContext, held: Held, input: WriteInput): Promise<Held> {
  const { tags: newTags, note } = input.fields;
  await change(context, operations.updateOrder, 'orderUpdate', {
    input: {
      id: gid('Order', held.externalId),
      ...(Array.isArray(newTags) ? { tags: newTags } : {}),
      ...(note === undefined ? {} : { note: note ?? '' }),
    },
  });
  const now = await read(context, held.externalId);
  if (now === null) throw new SyncError('conflict', 'the order is not in the shop any more');
  return now;
}

/** What a shop keeps of an order's own words: tags without repeats, in order, and no empty note. */
function normalise(field: string, value: Json): Json | undefined {
  if (field === 'tags') return tags(value);
  return value === '' ? null : value;
}

/** Orders as a shop holds them: buyers place them, we write only what people add to them. */
export const orderTarget: ObjectTarget = {
  shape: 'objects',
  noun: 'order',
  updates: ['tags', 'note'],
  creates: [],
  needs: [],
  applies: (record) =>
    record.sources.some((s) => s.noun === 'order') ? true : 'orders are placed in a shop, not written to it',
  normalise,
  read,
  find: async () => null,
  create: async () => {
    throw new SyncError('rejected', 'orders are placed in a shop, not written to it');
  },
  update,
};
