import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { BatchItem } from '@syncline/connector-sdk';
import { deadLetterTopic, invalidTopic, SyncError, writerGroup } from '@syncline/contracts';
import type { RunningService } from '@syncline/runtime';
import { deliveriesOf } from '@syncline/store';
import { z } from 'zod';
import type { BatchProvider } from './serve-batches.js';
import { startWriter } from './start-writer.js';
import { Installation, until } from './testing/installation.js';

const own = new Installation();
let writer: RunningService;
/** The target: a table in the test's database, with a guard by revision like a real one. */
const batches: number[] = [];
let away = false;
const poison = randomUUID();

async function write(items: readonly BatchItem[]) {
  if (away) throw new SyncError('transient', 'the target is away');
  batches.push(items.length);
  const good = items.filter((i) => i.id !== poison);
  await own.store.query(
    `INSERT INTO scratch AS s (id, revision, value) SELECT * FROM jsonb_to_recordset($1::jsonb) AS r(id text, revision bigint, value text)
     ON CONFLICT (id) DO UPDATE SET revision = excluded.revision, value = excluded.value, writes = s.writes + 1
     WHERE excluded.revision > s.revision`,
    [JSON.stringify(good)],
  );
  return items.map((i) => (i.id === poison ? new SyncError('rejected', 'a date that is none') : null));
}

const provider: BatchProvider = {
  provider: 'scratch',
  title: 'A table',
  settings: z.object({}),
  secrets: z.object({}),
  open: async () => ({
    targets: { shipment: { shape: 'batch', write }, order: { shape: 'batch', write } },
    check: async () => undefined,
    close: async () => undefined,
  }),
};

const start = () => startWriter({ batch: provider, env: own.env, ownsProcess: false });
const row = async (id: string) => (await deliveriesOf(own.store, [own.target], id))[0];
const held = async (id: string) =>
  (
    await own.store.query<{ value: string; revision: number; writes: number }>(
      'SELECT value, revision::int, writes FROM scratch WHERE id = $1',
      [id],
    )
  )[0];
const delivered = (id: string, revision: number) =>
  until(async () => (await row(id))?.deliveredRevision === revision, 15_000, `delivery of ${id}`);
const status = async () =>
  ((await (await fetch(`${writer.url}/status`)).json()) as { targets: Record<string, unknown>[] }).targets[0]!;

beforeAll(async () => {
  await own.open(
    ({ shop, target }) => `connections:
  ${shop}: { provider: elsewhere }
  ${target}: { provider: scratch }
flows:
  - { kinds: [order, shipment], from: [${shop}], to: [${target}] }
`,
  );
  await own.scratch(
    'CREATE TABLE delivery.scratch (id text PRIMARY KEY, revision bigint, value text, writes int DEFAULT 1)',
  );
  writer = await start();
}, 180_000);
afterAll(async () => {
  await writer?.close();
  await own.close();
});

describe('a writer of batches', () => {
  it('writes the newest revision of each record straight through and stores it as delivered', async () => {
    const id = randomUUID();
    const sent = [];
    for (let i = 0; i < 5; i++) sent.push(await own.publish({ id, kind: 'order', fields: { note: String(i) } }));
    const last = sent.at(-1)!.revision;
    await delivered(id, last);
    expect(JSON.parse((await held(id))!.value)).toMatchObject({ revision: last, data: { note: '4' } });
    expect(await row(id)).toMatchObject({ state: 'delivered', desiredRevision: last, attempts: 0 });
    expect(await own.store.query('SELECT event FROM deliveries WHERE id = $1', [id])).toEqual([{ event: null }]);
  });

  it('takes no record that no flow brings there', async () => {
    const stranger = await own.publish({ connections: ['another'] });
    const { id, revision } = await own.publish({});
    await delivered(id, revision);
    expect(await row(stranger.id)).toBeUndefined();
    expect(await held(stranger.id)).toBeUndefined();
  });

  it('passes a tombstone on and counts the record no longer', async () => {
    const { id, revision } = await own.publish({});
    await delivered(id, revision);
    const { desired } = await status();
    const gone = await own.publish({ id, deleted: true });
    await delivered(id, gone.revision);
    expect((await held(id))?.value).toBeNull();
    expect((await status()).desired).toBe(Number(desired) - 1);
  });

  it('sets a record aside that the target refuses, and delivers the others of its batch', async () => {
    const sent = await Promise.all(Array.from({ length: 200 }, (_, i) => own.publish(i === 100 ? { id: poison } : {})));
    for (const { id, revision } of sent) if (id !== poison) await delivered(id, revision);
    await until(async () => (await row(poison))?.state === 'dead');
    expect(await row(poison)).toMatchObject({ failureKind: 'rejected', failureReason: 'a date that is none' });
    await until(async () => (await own.failed(deadLetterTopic(writerGroup(own.target)))).length === 1);
    expect((await own.failed(deadLetterTopic(writerGroup(own.target))))[0]).toMatchObject({
      key: poison,
      kind: 'rejected',
    });
    expect(await status()).toMatchObject({ dead: 1, pending: 0 });
  });

  it('puts an event without a revision into the invalid topic', async () => {
    const { MicroBatchProducer } = await import('@syncline/messaging');
    const producer = new MicroBatchProducer(own.kafka);
    await producer.connect();
    const key = randomUUID();
    await producer.send({ topic: 'canonical.shipment', key, value: '{}', headers: { 'sync-connections': own.shop } });
    await producer.disconnect();
    const keys = async () => (await own.failed(invalidTopic(writerGroup(own.target)))).map((f) => f.key);
    await until(async () => (await keys()).includes(key));
  });

  it('keeps records in Kafka while the target is away, says so, and catches up', async () => {
    away = true;
    const sent = await Promise.all(Array.from({ length: 30 }, () => own.publish({})));
    await until(async () => (await status()).state === 'unreachable');
    away = false;
    for (const { id, revision } of sent) await delivered(id, revision);
    expect(await status()).toMatchObject({ state: 'ok' });
  });

  it('looks before it writes after a takeover, so that repeats have no effect', async () => {
    const { id, revision } = await own.publish({});
    await delivered(id, revision);
    await writer.close();
    await own.publish({ id, revision, text: '{"late": true}' });
    writer = await start();
    const marker = await own.publish({});
    await delivered(marker.id, marker.revision);
    await until(
      async () =>
        Number(
          (
            (await (await fetch(`${writer.url}/status`)).json()) as { consumers: { lagRecords: number }[] }
          ).consumers.reduce((n, c) => n + c.lagRecords, 0),
        ) === 0,
    );
    expect(await held(id)).toMatchObject({ revision, writes: 1 });
  });

  it('shows the freshness of what it delivered', async () => {
    const { p50, p99 } = (await status()).freshnessMs as { p50: number; p99: number };
    expect(p50).toBeGreaterThanOrEqual(0);
    expect(p99).toBeGreaterThanOrEqual(p50);
  });
});

describe('a writer that cannot start', () => {
  it('refuses with a sentence where no flow goes to its provider', async () => {
    const env = { ...own.env, CONNECTIONS: 'nobody' };
    await expect(startWriter({ batch: provider, env, ownsProcess: false })).rejects.toThrow(/CONNECTIONS names nobody/);
  });
  it('refuses with a sentence where the store is not migrated', async () => {
    const { createTestDatabase } = await import('@syncline/store');
    const { testInfra } = await import('@syncline/infra');
    const bare = await createTestDatabase((await testInfra()).databaseUrl, { migrate: false });
    const env = { ...own.env, DATABASE_URL: bare.url };
    await expect(startWriter({ batch: provider, env, ownsProcess: false })).rejects.toThrow(/syncline migrate/);
    await bare.drop();
  });
  it('names every variable that is missing', async () => {
    await expect(startWriter({ batch: provider, env: {}, ownsProcess: false })).rejects.toThrow(
      /KAFKA_BROKERS[\s\S]*DATABASE_URL/,
    );
  });
});
