import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { fuzzed, fuzzMsMax } from '@syncline/connector-sdk/testing';
import { canonicalRecord, rawHeaders } from '@syncline/contracts';
import { testInfra } from '@syncline/infra';
import { createTestDatabase, giveTo, lockOwners, openStore, type Store } from '@syncline/store';
import fc from 'fast-check';
import { mapBatch } from './batch.js';
import { decode, type Step } from './decode.js';
import { keyLengthMax } from './storable.js';
import { brokenMessages, fixtureBodies, fuzzTopology } from './testing/fuzz-messages.js';

// A message that PostgreSQL refuses would fail its whole batch, again and again: none that was decoded may do that.
const topology = fuzzTopology();
const owner = [`transformer.${randomUUID()}.0`];
const place = { topic: 'raw.shopify.order', partition: 0 };
let database: { url: string; drop(): Promise<void> };
let store: Store;

beforeAll(async () => {
  database = await createTestDatabase((await testInfra()).databaseUrl);
  store = await openStore({ url: database.url, role: 'transformer', applicationName: 'fuzz-test' });
  await store.transaction(async (tx) => {
    await lockOwners(tx, [place]);
    await giveTo(tx, owner, [place]);
  });
}, 60_000);

afterAll(async () => {
  await store?.close();
  await database?.drop();
});

it('stores the longest ids and natural keys that are taken', async () => {
  const long = (from: number, length: number) =>
    Array.from({ length }, (_, i) => String.fromCharCode(from + ((i * 7919) % 20_000))).join('');
  const [first] = fixtureBodies('easypost', 'tracker') as [{ result: object }];
  // Two live objects of one connection under one key: both ids and the key stand in one index entry.
  const messages = [0x4e00, 0x5000].map((from, i) => ({
    topic: 'raw.easypost.tracker',
    partition: 0,
    offset: BigInt(i),
    key: 'k',
    value: Buffer.from(
      JSON.stringify({
        ...first,
        result: {
          ...first.result,
          id: long(from, keyLengthMax),
          carrier: 'USPS',
          tracking_code: 'Ⅷ'.repeat(keyLengthMax - 'usps:'.length),
        },
      }),
    ),
    headers: rawHeaders(
      {
        ...{ eventId: 'long', connection: 'carrier', type: 'tracker.updated', externalId: 'x', occurredAt: null },
        ...{ origin: 'webhook', apiVersion: null, receivedAt: 1, readAt: null },
      },
      'easypost',
    ),
    timestamp: 1,
  }));
  const steps = messages.flatMap((message) => decode(message, topology));
  const { events } = await store.transaction((tx) =>
    mapBatch(tx, topology, { steps, places: [{ ...place, next: 1n }], owner, redo: null }),
  );
  expect(events).toHaveLength(2);
});

const { title, ...run } = fuzzed(60);
it(
  `stores whatever was decoded, and publishes what its schema allows (${title})`,
  async () => {
    let events = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(brokenMessages(), { minLength: 5, maxLength: 40 }), async (messages) => {
        const steps = messages.flatMap((message): Step[] => {
          try {
            return decode(message, topology);
          } catch {
            return [];
          }
        });
        if (steps.length === 0) return;
        const next = messages.reduce((most, m) => (m.offset >= most ? m.offset + 1n : most), 0n);
        const mapped = await store.transaction((tx) =>
          mapBatch(tx, topology, { steps, places: [{ ...place, next }], owner, redo: null }),
        );
        events += mapped.events.length;
        for (const { value } of mapped.events) if (value !== null) canonicalRecord.parse(JSON.parse(value));
      }),
      run,
    );
    expect(events).toBeGreaterThan(run.numRuns);
  },
  fuzzMsMax(120_000),
);
