// A system of a few lines for tests of the batch: its payload is {id, version, name, number?}, mapped to an order.
import type { Connector, RawMessage } from '@syncline/connector-sdk';
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

/** The same system, whose orders we may also make and change. */
const writable: Connector = {
  ...connector,
  provider: 'easypost',
  objects: { tracker: { kind: 'order', toCanonical: (m) => toCanonical(m).map((o) => ({ ...o, noun: 'tracker' })) } },
  targets: {
    order: {
      shape: 'objects',
      noun: 'tracker',
      updates: ['note'],
      creates: ['name', 'note'],
      needs: [],
      applies: () => true,
      read: async () => null,
      find: async () => null,
      create: () => Promise.reject(new SyncError('rejected', 'tests make objects by receipts')),
      update: () => Promise.reject(new SyncError('rejected', 'tests change objects by receipts')),
    },
  },
};

/** A shop and a system `target` that takes the shop's orders and whose own edits go back into the record. */
export function twoWayTopology(): Topology {
  const config: SynclineConfig = {
    connections: {
      shop: { name: 'shop', provider: 'shopify', settings: {}, secrets: {} },
      target: { name: 'target', provider: 'easypost', settings: {}, secrets: {} },
    },
    flows: [{ kinds: ['order'], from: ['shop'], to: ['target'] }],
    ownership: {},
  };
  return createTopology(config, { shopify: connector, easypost: writable });
}

/** Two connections, `shop` and `other`, whose orders nobody writes back; `reread` stands for a mapping that was changed. */
export function benchTopology(reread: (o: Observation) => Observation = (o) => o): Topology {
  const connection = (name: string) => ({ name, provider: 'shopify', settings: {}, secrets: {} });
  const config: SynclineConfig = {
    connections: { shop: connection('shop'), other: connection('other') },
    flows: [],
    ownership: {},
  };
  const order = { kind: 'order' as const, toCanonical: (m: RawMessage) => toCanonical(m).map(reread) };
  return createTopology(config, { shopify: { ...connector, objects: { order } } });
}

/** A raw message as an ingestor would publish it. */
export function rawMessage(connection: string, payload: Payload, provider = 'shopify', noun = 'order') {
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
    provider,
  );
  return {
    topic: rawTopic(provider, noun),
    key: rawKey(connection, payload.id),
    value: JSON.stringify(payload),
    headers,
  };
}
