// A system of a few lines for tests of the batch: its payload is {id, version, name, number?}, mapped to an order.
import type { Connector } from '@syncline/connector-sdk';
import { type Observation, type RawEnvelope, rawHeaders, rawKey, rawTopic, SyncError } from '@syncline/contracts';
import type { SynclineConfig } from '@syncline/runtime';
import { z } from 'zod';
import { createTopology, type Topology } from '../topology.js';

export interface Payload {
  id: string;
  version: number;
  note: string;
  deleted?: boolean;
  /** A natural key shared between connections. */
  joins?: string;
}

function toCanonical({ envelope, body }: { envelope: RawEnvelope; body: unknown }): Observation[] {
  const p = body as Payload;
  if (typeof p.id !== 'string') throw new SyncError('unmappable', 'no id', { path: 'id' });
  return [
    {
      kind: 'order',
      noun: 'order',
      externalId: p.id,
      version: p.version,
      ...(envelope.readAt === null ? {} : { readAt: envelope.readAt }),
      deleted: p.deleted ?? false,
      fields: p.deleted ? {} : { name: `#${p.id}`, note: p.note },
      native: {},
      keys: p.joins === undefined ? [] : [{ scope: 'shared', key: p.joins }],
      refs: [],
    },
  ];
}

const connector: Connector = {
  provider: 'shopify',
  title: 'A few lines',
  settings: z.object({}),
  secrets: z.object({}),
  apiVersion: null,
  baseUrl: () => 'http://127.0.0.1',
  auth: { type: 'none' },
  limits: { perSecond: 1, burst: 1, concurrency: 1 },
  objects: { order: { kind: 'order', toCanonical } },
  check: async () => undefined,
};

/** Two connections, `shop` and `other`, whose orders nobody writes back. */
export function benchTopology(): Topology {
  const connection = (name: string) => ({ name, provider: 'shopify', settings: {}, secrets: {} });
  const config: SynclineConfig = {
    connections: { shop: connection('shop'), other: connection('other') },
    flows: [],
    ownership: {},
  };
  return createTopology(config, { shopify: connector });
}

/** A raw message as an ingestor would publish it. */
export function rawMessage(connection: string, payload: Payload) {
  const headers = rawHeaders(
    {
      eventId: `${payload.id}/${payload.version}`,
      connection,
      type: 'orders/updated',
      externalId: payload.id,
      occurredAt: payload.version,
      origin: 'webhook',
      apiVersion: null,
      receivedAt: Date.now(),
      readAt: null,
    },
    'shopify',
  );
  return {
    topic: rawTopic('shopify', 'order'),
    key: rawKey(connection, payload.id),
    value: JSON.stringify(payload),
    headers,
  };
}
