// Raw messages of the real connectors and receipts of our writers, broken in any way: what the transformer's fuzz tests start from.
import { readdirSync, readFileSync } from 'node:fs';
import type { Connector } from '@syncline/connector-sdk';
import { broken } from '@syncline/connector-sdk/testing';
import { connectors } from '@syncline/connectors';
import { type RawHeaders, rawHeaders, rawTopic, receiptsTopic } from '@syncline/contracts';
import type { InboundRecord } from '@syncline/messaging';
import type { SynclineConfig } from '@syncline/runtime';
import fc from 'fast-check';
import { createTopology, type Topology } from '../topology.js';

const nouns = { shopify: ['order', 'fulfillment'], easypost: ['tracker', 'shipment'] } as const;
const connectionOf = { shopify: 'shop', easypost: 'carrier' } as const;
type Provider = keyof typeof nouns;

/** A shop and a carrier that sync both ways. */
export function fuzzTopology(): Topology {
  const connection = (name: string, provider: string) => ({ name, provider, settings: {}, secrets: {} });
  const config: SynclineConfig = {
    connections: { shop: connection('shop', 'shopify'), carrier: connection('carrier', 'easypost') },
    flows: [
      { kinds: ['shipment'], from: ['shop'], to: ['carrier'] },
      { kinds: ['shipment'], from: ['carrier'], to: ['shop'] },
    ],
    ownership: { shipment: { status: 'carrier' } },
  };
  return createTopology(config, connectors as unknown as Record<string, Connector>);
}

/** The bodies of a noun's fixtures. */
export function fixtureBodies(provider: Provider, noun: string): unknown[] {
  const folder = new URL(`../../../../libs/connectors/src/${provider}/fixtures/${noun}/`, import.meta.url);
  return readdirSync(folder)
    .filter((file) => file.endsWith('.json') && !file.endsWith('.canonical.json'))
    .map((file) => JSON.parse(readFileSync(new URL(file, folder), 'utf8')).body);
}

const now = 1_767_225_600_000;
/** Headers of a message as its ingestor wrote them, mostly. */
const headersOf = (provider: Provider): fc.Arbitrary<RawHeaders> =>
  fc
    .record({
      type: fc.constantFrom('orders/updated', 'orders/delete', 'tracker.updated', 'poll', '', '\u0000'),
      origin: fc.constantFrom('webhook' as const, 'poll' as const),
      eventId: fc.oneof(fc.constant('e1'), fc.string({ unit: 'binary', maxLength: 20 })),
      externalId: fc.string({ maxLength: 10 }),
      occurredAt: fc.constantFrom(null, now, 8_640_000_000_000_000, -62_135_596_800_001),
      readAt: fc.constantFrom(null, now),
    })
    .map((part) => {
      const envelope = { ...part, connection: connectionOf[provider], apiVersion: null, receivedAt: now };
      return rawHeaders(envelope, provider);
    });

const oddHeaders = fc.dictionary(
  fc.constantFrom('ce_id', 'ce_source', 'ce_type', 'ce_time', 'ce_subject', 'sync-origin', 'sync-read-at', '__proto__'),
  fc.oneof(fc.string(), fc.constantFrom('/connections/shop', '/connections/__proto__', 'NaN', '-1', '1e99')),
  { maxKeys: 2 },
);

const offsets = { next: 0n };
const record = (topic: string, headers: RawHeaders, value: Buffer | null): InboundRecord => ({
  topic,
  partition: 0,
  offset: offsets.next++,
  key: 'k',
  value,
  headers,
  timestamp: now,
});

/** The JSON text of a value, with numbers that only a text can say; values that JSON has no word for are null. */
const textOf = (value: unknown, number: string): string =>
  (JSON.stringify(value) ?? 'null').replace('1.7976931348623157e+308', number);

/** Broken messages of every noun; one in ten is no JSON at all, or has odd headers. */
export function brokenMessages(): fc.Arbitrary<InboundRecord> {
  const ofNoun = (provider: Provider, noun: string) =>
    fc
      .tuple(
        broken(fixtureBodies(provider, noun)),
        headersOf(provider),
        fc.oneof({ arbitrary: fc.constant({}), weight: 9 }, { arbitrary: oddHeaders, weight: 1 }),
        fc.constantFrom('1e400', '-1e400', '9007199254740993', '123456789012345678901234567890'),
      )
      .map(([body, headers, odd, number]) =>
        record(rawTopic(provider, noun), { ...headers, ...odd }, Buffer.from(textOf(body, number))),
      );
  const bytes = fc
    .tuple(headersOf('shopify'), fc.option(fc.uint8Array({ maxLength: 60 })))
    .map(([headers, value]) => record(rawTopic('shopify', 'order'), headers, value && Buffer.from(value)));
  const messages = Object.entries(nouns).flatMap(([provider, list]) =>
    list.map((noun) => ({ arbitrary: ofNoun(provider as Provider, noun), weight: 3 })),
  );
  return fc.oneof(...messages, { arbitrary: bytes, weight: 1 }, { arbitrary: brokenReceipts(), weight: 2 });
}

/** Broken receipts, intents and releases. */
function brokenReceipts(): fc.Arbitrary<InboundRecord> {
  const about = {
    id: '6f1c1c5e-9d0e-4a52-8f0a-2f6f1e7f0001',
    kind: 'shipment',
    connection: 'carrier',
    noun: 'tracker',
    revision: 7,
    at: now,
  };
  const observed = {
    ...{ kind: 'shipment', noun: 'tracker', externalId: 'trk_1', version: now, native: { status: 'x' } },
    fields: { trackingNumber: '1Z', events: [] },
    keys: [{ scope: 'tracking', key: 'usps:1Z' }],
    refs: [],
  };
  const sent = { trackingNumber: '1Z' };
  const receipt = { type: 'receipt', ...about, outcome: 'written', externalId: 'trk_1', sent, observed, tries: [sent] };
  return broken([receipt, { type: 'intent', ...about }, { type: 'release', ...about }]).map((body) =>
    record(receiptsTopic('easypost'), {}, Buffer.from(textOf(body, '1e400'))),
  );
}
