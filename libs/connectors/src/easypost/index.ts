import { defineConnector, type ObjectType } from '@syncline/connector-sdk';
import { SyncError } from '@syncline/contracts';
import { type Noun, nouns } from './api.js';
import { secrets, settings } from './manifest.js';
import { poll, readObject } from './poll.js';
import { toCanonical } from './shipment.js';
import { webhook } from './webhook.js';
import { shipmentTarget } from './write.js';

const objectType = (noun: Noun): ObjectType => ({
  kind: 'shipment',
  toCanonical,
  poll: (context, request) => poll(noun, context, request),
  read: async (context, externalId) => {
    const found = await readObject(noun, context, externalId);
    return found === null ? null : { item: found.item, readAt: found.readAt };
  },
  settleMs: 5_000,
});

/** EasyPost: labels and tracking of a hundred carriers. https://docs.easypost.com */
export const easypost = defineConnector({
  provider: 'easypost',
  title: 'EasyPost',
  settings,
  secrets,
  apiVersion: null,
  baseUrl: ({ url }) => url.replace(/\/+$/, ''),
  auth: { type: 'basic', userSecret: 'apiKey' },
  // EasyPost publishes no figure for its limits; a 429 slows the connection down further.
  limits: { perSecond: 10, burst: 20, concurrency: 4 },
  objects: { tracker: objectType('tracker'), shipment: objectType('shipment') },
  webhook,
  check: async ({ http }) => {
    try {
      await http.send({ method: 'GET', path: nouns.tracker.path, query: { page_size: 1 }, safe: true });
    } catch (error) {
      if (!(error instanceof SyncError) || error.kind !== 'unauthorized') throw error;
      throw new SyncError('unauthorized', `${error.message}. Check secrets.apiKey`, { cause: error });
    }
  },
  targets: { shipment: shipmentTarget },
});
