import { defineConnector, type HttpRequest, type ObjectType } from '@syncline/connector-sdk';
import { SyncError } from '@syncline/contracts';
import { type Noun, nouns } from './api.js';
import { secrets, settings } from './manifest.js';
import { poll, readObject } from './poll.js';
import { toCanonical } from './shipment.js';
import { webhook } from './webhook.js';
import { shipmentTarget } from './write.js';

const isList = ({ method, path }: HttpRequest): boolean =>
  method === 'GET' && Object.values(nouns).some((noun) => noun.path === path);

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
  // Five lists a second, whichever second is looked at; for all else EasyPost publishes no figure but limits by its load, and
  // a 429 slows the connection down (https://docs.easypost.com/guides/rate-limiting-guide).
  limits: {
    perSecond: 10,
    burst: 20,
    concurrency: 4,
    narrower: { name: 'lists', perSecond: 4, burst: 1, of: isList },
  },
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
