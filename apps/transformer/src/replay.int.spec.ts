import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  deadLetterTopic,
  header,
  headerText,
  invalidTopic,
  type Observation,
  rawTopic,
  receiptsTopic,
  transformerGroup,
} from '@syncline/contracts';
import { type InboundRecord, type KafkaSettings, MicroBatchProducer } from '@syncline/messaging';
import { openStore, type Store } from '@syncline/store';
import { listDeadLetters, replayDeadLetters } from './dead-letters.js';
import { Lanes } from './lanes.js';
import { publishAgain } from './replay.js';
import { dryRunRaw, type RawReplayDeps, replayRaw } from './replay-raw.js';
import { benchTopology, type Payload, rawMessage } from './testing/bench-connector.js';
import { allOf, type OwnServers, publishedOrders, startOwnServers } from './testing/own-servers.js';

// Replays against a real Kafka and PostgreSQL, through the transformer's own lanes.
const topic = rawTopic('shopify', 'order');
const everything = { connection: 'shop', noun: 'order', from: { offset: 0n } };
/** The mapping that is in use. */
let reread: (o: Observation) => Observation = (o) => o;
let servers: OwnServers;
let kafka: KafkaSettings;
let store: Store;
let producer: MicroBatchProducer;
let lanes: Lanes;
let deps: RawReplayDeps;
const nextOf = new Map<string, bigint>();

beforeAll(async () => {
  servers = await startOwnServers('replay');
  ({ kafka, producer } = servers);
  store = await openStore({ url: servers.databaseUrl, role: 'transformer', applicationName: 'replay-test' });
  const topology = benchTopology((o) => reread(o));
  lanes = new Lanes(store, topology, kafka);
  deps = { kafka, store, topology, send: (message) => producer.send(message) };
  for (const name of [topic, receiptsTopic('shopify')])
    for (let partition = 0; partition < 6; partition++) await lanes.assigned(name, partition);
}, 120_000);

afterAll(async () => {
  await lanes?.close();
  await store?.close();
  await servers?.stop();
}, 60_000);

const all = (name: string) => allOf(kafka, name);
const published = () => publishedOrders(kafka, store);
const says = (...payloads: Payload[]) => Promise.all(payloads.map((p) => producer.send(rawMessage('shop', p))));

/** Has the lanes work off what is new on a topic, a batch per partition; returns how many messages that were. */
async function workOff(name = topic): Promise<number> {
  const fresh = new Map<number, InboundRecord[]>();
  for (const record of await all(name)) {
    const key = `${name}/${record.partition}`;
    if (record.offset < (nextOf.get(key) ?? 0n)) continue;
    nextOf.set(key, record.offset + 1n);
    fresh.set(record.partition, [...(fresh.get(record.partition) ?? []), record]);
  }
  for (const [partition, records] of fresh)
    await lanes.run({
      topic: name,
      partition,
      records,
      highWatermark: 0n,
      takeover: false,
      heartbeat: async () => undefined,
      signal: new AbortController().signal,
    });
  return [...fresh.values()].flat().length;
}

interface Row {
  id: string;
  revision: number;
  data: { note: string; phone?: string };
}
const rowOf = async (externalId: string): Promise<Row> => {
  const [row] = await store.query<{ id: string; revision: number; document: { data: Row['data'] } }>(
    'SELECT id, revision::float8 AS revision, document FROM records JOIN identity USING (id) WHERE key = $1',
    [externalId],
  );
  return { id: row!.id, revision: row!.revision, data: row!.document.data };
};
/** Everything the transformer keeps, as one text. */
const state = async () =>
  JSON.stringify([
    await store.query('SELECT id, revision, document::text, state::text FROM records ORDER BY id'),
    await store.query('SELECT id, revision FROM history ORDER BY 1, 2'),
    await store.query('SELECT * FROM identity ORDER BY 1, 2, 3'),
    await store.query('SELECT count(*) FROM held'),
  ]);

describe('raw messages mapped again', () => {
  it('change nothing while the mapping is the same', async () => {
    await says({ id: 'a', version: 10, note: 'one' }, { id: 'b', version: 10, note: 'two' });
    await workOff();
    await says({ id: 'a', version: 20, note: 'newer' });
    await workOff();
    const [before, events] = [await state(), await published()];
    expect(await dryRunRaw(deps, everything)).toMatchObject({
      messages: 3,
      objects: 2,
      records: 0,
      added: 0,
      fields: {},
    });
    expect(await replayRaw(deps, everything)).toMatchObject({ topic, messages: 3, objects: 2, published: 2 });
    expect(await workOff()).toBe(2);
    expect(await state()).toBe(before);
    expect(await published()).toHaveLength(events.length);
  });

  it('show beforehand what a new mapping changes, then change that, at the newest state of each object, once', async () => {
    reread = (o) => ({ ...o, fields: { ...o.fields, note: String(o.fields.note).toUpperCase() } });
    const before = await state();
    const difference = await dryRunRaw(deps, everything);
    expect(difference).toMatchObject({ objects: 2, records: 2, added: 0, fields: { order: { note: 2 } } });
    expect(difference.examples).toContain((await rowOf('a')).id);
    expect(await state()).toBe(before);
    expect(await workOff()).toBe(0);
    await replayRaw(deps, everything);
    await workOff();
    expect([(await rowOf('a')).data.note, (await rowOf('b')).data.note]).toEqual(['NEWER', 'TWO']);
    const [entry] = await store.query<{ origin: string }>('SELECT origin FROM history ORDER BY revision DESC LIMIT 1');
    expect(entry?.origin).toBe('replay');
    const after = await state();
    await replayRaw(deps, everything);
    await workOff();
    expect(await state()).toBe(after);
  });

  it('bring what could not be mapped then, and leave alone what still cannot', async () => {
    reread = (o) => ({ ...o, version: o.externalId === 'late' ? Number.NaN : o.version });
    await says({ id: 'late', version: 10, note: 'x' });
    await producer.send({ ...rawMessage('shop', { id: 'bad', version: 1, note: 'x' }), value: 'no json' });
    await workOff();
    expect(await dryRunRaw(deps, everything)).toMatchObject({ unmappable: 2 });
    reread = (o) => o;
    const difference = await dryRunRaw(deps, everything);
    expect(difference).toMatchObject({ unmappable: 1, added: 1 });
    await replayRaw(deps, everything);
    await workOff();
    expect((await rowOf('late')).data.note).toBe('x');
  });

  it('begin at a time or an offset', async () => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    const timeMs = Date.now();
    await says({ id: 'timed', version: 10, note: 'x' });
    expect(await dryRunRaw(deps, { ...everything, from: { timeMs } })).toMatchObject({ messages: 1, objects: 1 });
    expect(await dryRunRaw(deps, { ...everything, from: { offset: 1_000n } })).toMatchObject({ messages: 0 });
    await workOff();
  });

  it('are refused for a connection nobody knows', async () => {
    await expect(dryRunRaw(deps, { ...everything, connection: 'nobody' })).rejects.toThrow(/no connection "nobody"/);
  });
});

describe('what a backfill read', () => {
  it('is not taken where something newer was seen meanwhile, however late it was read', async () => {
    await says({ id: 'live', version: 30, note: 'newer' });
    await workOff();
    const { headers, ...message } = rawMessage('shop', { id: 'live', version: 20, note: 'older' });
    const read = { ...headers, [header.origin]: 'backfill', [header.readAt]: String(Date.now()) };
    await producer.send({ ...message, headers: read });
    expect(await workOff()).toBe(1);
    expect((await rowOf('live')).data.note).toBe('newer');
  });
});

describe('a record published once more', () => {
  it('has a newer revision and the same content', async () => {
    const before = await rowOf('b');
    expect(await publishAgain(deps, before.id)).toEqual({ id: before.id, revision: before.revision });
    await workOff(receiptsTopic('shopify'));
    const after = await rowOf('b');
    expect(after.revision).toBeGreaterThan(before.revision);
    expect(after.data).toEqual(before.data);
    const events = (await published()).filter((r) => r.key === before.id);
    expect(Number(headerText(events.at(-1)?.headers, header.revision))).toBe(after.revision);
  });

  it('has to be one that was published', async () => {
    await expect(publishAgain(deps, '00000000-0000-4000-8000-000000000000')).rejects.toThrow(/names no record/);
    await expect(publishAgain(deps, undefined)).rejects.toThrow(/names no record/);
  });
});

describe('dead letters', () => {
  const invalid = invalidTopic(transformerGroup);
  /** Puts a message where the transport puts what failed. */
  const fail = async (payload: Payload, kind: string, reason: string, offset: number, value: string | null) => {
    const { key, headers } = rawMessage('shop', payload);
    const why = {
      [header.failureKind]: kind,
      [header.failureReason]: reason,
      [header.sourceTopic]: topic,
      [header.sourcePartition]: '0',
      [header.sourceOffset]: String(offset),
    };
    const to = kind === 'unmappable' ? invalid : deadLetterTopic(transformerGroup);
    await producer.send({ topic: to, key, value, headers: { ...headers, ...why } });
  };
  const payload = (id: string): Payload => ({ id, version: 10, note: id });

  it('are listed by cause, replayed once by cause or singly, as they first were', async () => {
    for (const [n, id] of ['d1', 'd2', 'd3'].entries())
      await fail(payload(id), 'unmappable', 'no usable time', 9_000 + n, JSON.stringify(payload(id)));
    await fail(payload('d1'), 'unmappable', 'no usable time', 9_000, JSON.stringify(payload('d1'))); // copied twice
    await fail(payload('d4'), 'defect', 'unexpected TypeError', 9_010, JSON.stringify(payload('d4')));
    expect((await listDeadLetters(deps, {})).causes).toMatchObject([
      { kind: 'unmappable', reason: 'no usable time', topic, count: 3, replayed: 0 },
      { kind: 'defect', reason: 'unexpected TypeError', count: 1 },
    ]);
    expect(await replayDeadLetters(deps, { id: `${topic}/0/9001` })).toEqual({ replayed: 1, before: 0, lost: 0 });
    expect(await replayDeadLetters(deps, { id: 'd2' })).toEqual({ replayed: 0, before: 1, lost: 0 });
    expect(await replayDeadLetters(deps, { cause: 'unmappable' })).toEqual({ replayed: 2, before: 1, lost: 0 });
    expect(await replayDeadLetters(deps, { cause: 'unmappable' })).toEqual({ replayed: 0, before: 3, lost: 0 });
    const [unmappable] = (await listDeadLetters(deps, { cause: 'unmappable' })).causes.filter((c) => c.replayed > 0);
    expect(unmappable).toMatchObject({ count: 0, replayed: 3, examples: [] });
    const again = (await all(topic)).filter((r) => r.key === 'shop/d1');
    expect(again).toHaveLength(1);
    const names = Object.keys(again[0]!.headers).filter(
      (name) => name.startsWith('sync-failure') || name.startsWith('sync-source'),
    );
    expect(names).toEqual([]);
    expect(headerText(again[0]!.headers, header.origin)).toBe('webhook');
    await workOff();
    expect((await rowOf('d1')).data.note).toBe('d1');
  });

  it('do not bring an older state back', async () => {
    await says({ id: 'd5', version: 30, note: 'newest' });
    await workOff();
    await fail(
      { id: 'd5', version: 20, note: 'older' },
      'defect',
      'once',
      9_020,
      '{"id":"d5","version":20,"note":"older"}',
    );
    expect(await replayDeadLetters(deps, { id: 'd5' })).toMatchObject({ replayed: 1 });
    await workOff();
    expect((await rowOf('d5')).data.note).toBe('newest');
  });

  it('whose value was too large to be copied are read where they failed, and counted where that is gone', async () => {
    const failed = (await all(topic)).find((r) => r.key === 'shop/bad' && r.value?.toString() === 'no json')!;
    const { key, headers } = rawMessage('shop', { id: 'bad', version: 1, note: 'x' });
    const why = (offset: string) => ({
      [header.failureKind]: 'rejected',
      [header.failureReason]: 'too large',
      [header.sourceTopic]: topic,
      [header.sourcePartition]: String(failed.partition),
      [header.sourceOffset]: offset,
    });
    const to = deadLetterTopic(transformerGroup);
    await producer.send({ topic: to, key, value: null, headers: { ...headers, ...why(String(failed.offset)) } });
    await producer.send({ topic: to, key, value: null, headers: { ...headers, ...why('777777') } });
    expect(await replayDeadLetters(deps, { cause: 'rejected' })).toEqual({ replayed: 1, before: 0, lost: 1 });
    const copies = (await all(topic)).filter((r) => r.key === 'shop/bad' && r.value?.toString() === 'no json');
    expect(copies).toHaveLength(2);
  });
});
