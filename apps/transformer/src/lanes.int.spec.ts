import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type CanonicalOrder, canonicalTopic, header, headerText, rawTopic } from '@syncline/contracts';
import {
  type Batch,
  FencedError,
  type InboundRecord,
  type KafkaSettings,
  TransactionalPublisher,
} from '@syncline/messaging';
import { giveTo, lockOwners, openStore, type Store, type Transaction } from '@syncline/store';
import { mapBatch, sendEvents } from './batch.js';
import { decode } from './decode.js';
import { Lanes } from './lanes.js';
import { benchTopology, type Payload, rawMessage } from './testing/bench-connector.js';
import { type OwnServers, publishedOrders, startOwnServers } from './testing/own-servers.js';

// The transformer's batch alone, against a real Kafka and PostgreSQL: what is committed where, and what a kill leaves behind.
const topic = rawTopic('shopify', 'order');
const topology = benchTopology();
let servers: OwnServers;
let kafka: KafkaSettings;
let store: Store;

beforeAll(async () => {
  servers = await startOwnServers('lanes');
  kafka = servers.kafka;
  store = await openStore({ url: servers.databaseUrl, role: 'transformer', applicationName: 'lanes-test' });
}, 120_000);

afterAll(async () => {
  await store?.close();
  await servers?.stop();
}, 60_000);

let offset = 0n;
/** A batch as the transport hands it over. */
function batchOf(
  payloads: [string, Payload][],
  options: { takeover?: boolean; from?: bigint; partition?: number } = {},
): Batch {
  const start = options.from ?? offset;
  const partition = options.partition ?? 0;
  const records = payloads.map(([connection, p], i): InboundRecord => {
    const m = rawMessage(connection, p);
    return {
      topic,
      partition,
      offset: start + BigInt(i),
      key: m.key,
      value: Buffer.from(m.value),
      headers: m.headers,
      timestamp: Date.now(),
    };
  });
  offset = start + BigInt(records.length);
  return {
    topic,
    partition,
    records,
    highWatermark: offset,
    takeover: options.takeover ?? false,
    heartbeat: async () => undefined,
    signal: new AbortController().signal,
  };
}

interface Seen {
  id: string;
  revision: number;
  value: CanonicalOrder | null;
  mergedInto: string | null;
}

const published = async (): Promise<Seen[]> =>
  (await publishedOrders(kafka, store)).map((r) => ({
    id: r.key,
    revision: Number(headerText(r.headers, header.revision)),
    value: r.value ? (JSON.parse(r.value.toString()) as CanonicalOrder) : null,
    mergedInto: headerText(r.headers, header.mergedInto),
  }));

const eventsOf = async (externalId: string) =>
  (await published()).filter((e) => e.value?.sources.some((s) => s.externalId === externalId));
const stored = async (externalId: string) => {
  const [row] = await store.query<{ revision: number; document: { data: { note: string } } | null }>(
    `SELECT revision::float8 AS revision, document FROM records r JOIN identity i USING (id) WHERE i.key = $1`,
    [externalId],
  );
  return row;
};

describe('a batch', () => {
  it('publishes the newest state of each record once, in revision order, and equals the store', async () => {
    const lanes = new Lanes(store, topology, kafka);
    await lanes.assigned(topic, 0);
    const outcomes = await lanes.run(
      batchOf([
        ['shop', { id: 'a1', version: 1, note: 'one' }],
        ['shop', { id: 'a1', version: 3, note: 'three' }],
        ['shop', { id: 'a1', version: 2, note: 'two' }],
        ['shop', { id: 'a2', version: 1, note: 'x' }],
      ]),
    );
    expect(outcomes).toEqual([null, null, null, null]);
    const events = await eventsOf('a1');
    expect(events.map((e) => e.value?.data.note)).toEqual(['three']);
    expect((await stored('a1'))?.revision).toBe(events[0]?.revision);
    await lanes.run(
      batchOf([
        ['shop', { id: 'a1', version: 2, note: 'two' }],
        ['shop', { id: 'a1', version: 3, note: 'three' }],
      ]),
    );
    expect(await eventsOf('a1')).toHaveLength(1);
    await lanes.close();
  });

  it('sets a poison record aside and maps the others', async () => {
    const lanes = new Lanes(store, topology, kafka);
    await lanes.assigned(topic, 0);
    const batch = batchOf([
      ['shop', { id: 'p1', version: 1, note: 'fine' }],
      ['nobody', { id: 'p2', version: 1, note: 'x' }],
      ['shop', { id: 'p3', version: 1, note: 'nul \u0000' }],
    ]);
    const outcomes = await lanes.run(batch);
    expect(outcomes.map((o) => o?.kind ?? null)).toEqual([null, 'unmappable', 'unmappable']);
    expect(outcomes[2]?.path).toBe('note');
    expect(await eventsOf('p1')).toHaveLength(1);
    await lanes.close();
  });

  it('writes a delete as a tombstone, and a late message does not bring the record back', async () => {
    const lanes = new Lanes(store, topology, kafka);
    await lanes.assigned(topic, 0);
    await lanes.run(batchOf([['shop', { id: 'd1', version: 5, note: 'here' }]]));
    await lanes.run(batchOf([['shop', { id: 'd1', version: 6, note: '', deleted: true }]]));
    await lanes.run(batchOf([['shop', { id: 'd1', version: 5, note: 'here' }]]));
    const id = (await eventsOf('d1'))[0]?.id;
    expect((await published()).filter((e) => e.id === id).map((e) => e.value === null)).toEqual([false, true]);
    await lanes.close();
  });

  it('joins two records that a key shows to be one: the older lives on, the other ends merged into it', async () => {
    const lanes = new Lanes(store, topology, kafka);
    await lanes.assigned(topic, 0);
    await lanes.run(batchOf([['shop', { id: 'j1', version: 1, note: 'shop' }]]));
    await lanes.run(batchOf([['other', { id: 'j2', version: 2, note: 'other', joins: 'K' }]]));
    const j2 = await eventsOf('j2');
    await lanes.run(batchOf([['shop', { id: 'j1', version: 3, note: 'joined', joins: 'K' }]]));
    const all = await published();
    const j1 = (await eventsOf('j1')).slice(0, 1);
    const tombstone = all.find((e) => e.id === j2[0]?.id && e.value === null);
    expect(tombstone?.mergedInto).toBe(j1[0]?.id);
    expect(
      all
        .filter((e) => e.id === j1[0]?.id)
        .at(-1)
        ?.value?.sources.map((s) => s.externalId)
        .sort(),
    ).toEqual(['j1', 'j2']);
    await lanes.run(batchOf([['other', { id: 'j2', version: 9, note: 'still one' }]]));
    expect((await published()).filter((e) => e.id === j1[0]?.id).at(-1)?.value?.data.note).toBe('still one');
    await lanes.close();
  });

  it('keeps two live objects of one connection apart, although they share a key', async () => {
    const lanes = new Lanes(store, topology, kafka);
    await lanes.assigned(topic, 0);
    await lanes.run(
      batchOf([
        ['shop', { id: 'q1', version: 1, note: 'x', joins: 'AMB' }],
        ['shop', { id: 'q2', version: 1, note: 'y', joins: 'AMB' }],
      ]),
    );
    const ids = new Set([(await eventsOf('q1'))[0]?.id, (await eventsOf('q2'))[0]?.id]);
    expect(ids.size).toBe(2);
    expect(await store.query('SELECT key FROM ambiguities WHERE external_id = $1', ['q2'])).toEqual([{ key: 'AMB' }]);
    await lanes.close();
  });
});

/** An owner that is killed between its two commits: PostgreSQL has the batch, the Kafka transaction is open for ever. */
async function killedBetween(batch: Batch) {
  const dead = new TransactionalPublisher(kafka, `transformer.killed-${offset}.0`);
  await dead.connect();
  const owner = [dead.transactionalId];
  const of = { topic, partition: batch.partition };
  await store.transaction(async (own) => {
    await lockOwners(own, [of]);
    await giveTo(own, owner, [of]);
  });
  const tx = await store.begin();
  const steps = batch.records.flatMap((record) => decode(record, topology));
  const { events } = await mapBatch(tx, topology, { steps, places: [{ ...of, next: offset }], owner, redo: null });
  const kafkaTx = await dead.begin();
  await sendEvents(kafkaTx, events);
  await tx.commit();
  return { dead, kafkaTx };
}

/** PostgreSQL commits, and then the process is gone. */
async function diesAtCommit(): Promise<Transaction> {
  const tx = await store.begin();
  const commit = async () => {
    await tx.commit();
    throw new Error('killed');
  };
  return { query: tx.query, rollback: tx.rollback, commit };
}

describe('kills and fencing', () => {
  it('a kill between the two commits is made good by the next owner: the change is published, once visible', async () => {
    const batch = batchOf([['shop', { id: 'k1', version: 1, note: 'committed, unpublished' }]]);
    const { dead, kafkaTx } = await killedBetween(batch);
    const lanes = new Lanes(store, topology, kafka);
    await lanes.assigned(topic, 0);
    await lanes.run({ ...batch, takeover: true });
    const seen = await eventsOf('k1');
    expect(seen.map((e) => e.value?.data.note)).toEqual(['committed, unpublished']);
    expect((await stored('k1'))?.revision).toBe(seen.at(-1)?.revision);
    await expect(kafkaTx.commit()).rejects.toThrow();
    await dead.close();
    await lanes.close();
  });

  it('of a join too, where the message no longer leads to the alias; and where the next owner is killed as well', async () => {
    const lanes = new Lanes(store, topology, kafka);
    await lanes.assigned(topic, 0);
    await lanes.run(batchOf([['shop', { id: 'm1', version: 1, note: 'shop' }]]));
    await lanes.run(batchOf([['other', { id: 'm2', version: 2, note: 'other', joins: 'M' }]]));
    const alias = (await eventsOf('m2'))[0]?.id;
    await lanes.close();
    const joining = batchOf([
      ['shop', { id: 'm1', version: 3, note: 'joined', joins: 'M' }],
      ['shop', { id: 'm3', version: 1, note: 'in the same batch' }],
    ]);
    await (await killedBetween(joining)).dead.close();
    const second = new Lanes({ ...store, begin: diesAtCommit }, topology, kafka);
    await second.assigned(topic, 0);
    // The second and the third are given less at once than the first.
    const [first, last] = joining.records as [InboundRecord, InboundRecord];
    await expect(second.run({ ...joining, records: [first], takeover: true })).rejects.toThrow('killed');
    await second.close();
    const third = new Lanes(store, topology, kafka);
    await third.assigned(topic, 0);
    await third.run({ ...joining, records: [first], takeover: true });
    expect((await published()).find((e) => e.id === alias && e.value === null)?.mergedInto).toBe(
      (await eventsOf('m1'))[0]?.id,
    );
    await third.run({ ...joining, records: [last] });
    expect((await eventsOf('m3')).map((e) => e.value?.data.note)).toEqual(['in the same batch']);
    await third.close();
  });

  it('without a takeover the same message is no change: that is why the first batch is forced', async () => {
    const lanes = new Lanes(store, topology, kafka);
    await lanes.assigned(topic, 0);
    const before = (await published()).length;
    await lanes.run(batchOf([['shop', { id: 'k1', version: 1, note: 'committed, unpublished' }]]));
    expect((await published()).length).toBe(before);
    await lanes.close();
  });

  it('an owner that lost its partition writes nothing any more and leaves the partition alone', async () => {
    const old = new Lanes(store, topology, kafka);
    await old.assigned(topic, 1);
    const next = new Lanes(store, topology, kafka);
    await next.assigned(topic, 1);
    const late = batchOf([['shop', { id: 'f1', version: 1, note: 'zombie' }]], { partition: 1 });
    await expect(old.run(late)).rejects.toMatchObject({ kind: 'transient' });
    // Given again, as the transport does: now it is known why, and the transport waits for the group's word.
    await expect(old.run({ ...late, takeover: true })).rejects.toBeInstanceOf(FencedError);
    expect(await stored('f1')).toBeUndefined();
    await next.run(batchOf([['shop', { id: 'f1', version: 2, note: 'rightful' }]], { partition: 1 }));
    expect((await eventsOf('f1')).map((e) => e.value?.data.note)).toEqual(['rightful']);
    await old.close();
    await next.close();
  });

  it('a request held back until after a newer revision is refused by the broker', async () => {
    const first = new TransactionalPublisher(kafka, 'transformer.slow.0');
    await first.connect();
    await store.transaction(async (tx) => {
      await lockOwners(tx, [{ topic, partition: 2 }]);
      await giveTo(tx, [first.transactionalId], [{ topic, partition: 2 }]);
    });
    const open = await first.begin();
    await open.send(canonicalTopic('order'), [
      {
        key: 'held',
        value: '{"data":{"note":"old"},"sources":[{"externalId":"held"}]}',
        headers: { [header.revision]: '1' },
      },
    ]);
    const lanes = new Lanes(store, topology, kafka);
    await lanes.assigned(topic, 2);
    await lanes.run(batchOf([['shop', { id: 'held', version: 2, note: 'new' }]], { partition: 2 }));
    await expect(open.send(canonicalTopic('order'), [{ key: 'held', value: '{}', headers: {} }])).rejects.toThrow();
    expect((await eventsOf('held')).map((e) => e.value?.data.note)).toEqual(['new']);
    await first.close();
    await lanes.close();
  });

  it('batches of several partitions go together, and what one of them cannot do the others do without it', async () => {
    const lanes = new Lanes(store, topology, kafka);
    const partitions = [5, 6, 7, 8, 9];
    await Promise.all(partitions.map((partition) => lanes.assigned(topic, partition)));
    const rival = new Lanes(store, topology, kafka);
    await rival.assigned(topic, 9);
    const run = (version: number, takeover: boolean) =>
      Promise.allSettled(
        partitions.map((partition) => {
          const payload = { id: `g${partition}`, version, note: `${version} of ${partition}` };
          return lanes.run(batchOf([['shop', payload]], { partition, takeover, from: BigInt(version) }));
        }),
      );
    // Taking one partition from a living owner ends all its transactions, once.
    expect((await run(1, false)).every(({ status }) => status === 'rejected')).toBe(true);
    expect((await run(1, true)).map(({ status }) => status)).toEqual([...Array(4).fill('fulfilled'), 'rejected']);
    partitions.pop();
    expect((await run(2, false)).map(({ status }) => status)).toEqual(Array(4).fill('fulfilled'));
    for (const partition of partitions)
      expect((await eventsOf(`g${partition}`)).map((e) => e.value?.data.note)).toEqual([
        `1 of ${partition}`,
        `2 of ${partition}`,
      ]);
    // At most two went at once; the others waited for them, and then went together.
    const [row] = await store.query<{ n: number }>(
      'SELECT count(DISTINCT xmin::text)::int AS n FROM progress WHERE partition BETWEEN 5 AND 8',
    );
    expect(row?.n).toBeLessThan(4);
    await lanes.close();
    await rival.close();
  });

  it('an owner whose ids were fenced takes partitions again', async () => {
    const old = new Lanes(store, topology, kafka);
    await old.assigned(topic, 14);
    const next = new Lanes(store, topology, kafka);
    await next.assigned(topic, 14);
    const late = batchOf([['shop', { id: 'c1', version: 1, note: 'late' }]], { partition: 14 });
    await expect(old.run(late)).rejects.toMatchObject({ kind: 'transient' });
    await old.revoked(topic, 14);
    await old.assigned(topic, 14);
    await old.run({ ...late, takeover: true });
    expect((await eventsOf('c1')).map((e) => e.value?.data.note)).toEqual(['late']);
    await old.close();
    await next.close();
  });

  it('a partition given back has nobody to fence', async () => {
    const old = new Lanes(store, topology, kafka);
    await old.assigned(topic, 10);
    await old.assigned(topic, 11);
    await old.revoked(topic, 10);
    const next = new Lanes(store, topology, kafka);
    await next.assigned(topic, 10);
    await next.run(batchOf([['shop', { id: 'b1', version: 1, note: 'next' }]], { partition: 10 }));
    await old.run(batchOf([['shop', { id: 'b2', version: 1, note: 'old, elsewhere' }]], { partition: 11 }));
    expect((await eventsOf('b2')).map((e) => e.value?.data.note)).toEqual(['old, elsewhere']);
    await old.close();
    await next.close();
  });

  it('a partition whose last batch failed is not given back: its next owner ends what may be open', async () => {
    let dies = true;
    const old = new Lanes({ ...store, begin: () => (dies ? diesAtCommit() : store.begin()) }, topology, kafka);
    await old.assigned(topic, 12);
    await old.assigned(topic, 13);
    await expect(old.run(batchOf([['shop', { id: 'b3', version: 1, note: 'x' }]], { partition: 12 }))).rejects.toThrow(
      'killed',
    );
    dies = false;
    await old.revoked(topic, 12);
    const next = new Lanes(store, topology, kafka);
    await next.assigned(topic, 12);
    // Fenced once, by the one that took over.
    const other = batchOf([['shop', { id: 'b4', version: 1, note: 'y' }]], { partition: 13 });
    await expect(old.run(other)).rejects.toMatchObject({ kind: 'transient' });
    // Each of its two ids finds out by itself.
    await old.run({ ...other, takeover: true }).catch(() => old.run({ ...other, takeover: true }));
    expect((await eventsOf('b4')).map((e) => e.value?.data.note)).toEqual(['y']);
    await old.close();
    await next.close();
  });

  it('two batches that make the same record at once leave one record', async () => {
    const a = new Lanes(store, topology, kafka);
    await a.assigned(topic, 3);
    await a.assigned(topic, 4);
    const both: [Batch, Batch] = [
      batchOf([['shop', { id: 'r1', version: 1, note: 'x', joins: 'R' }]], { partition: 3 }),
      batchOf([['other', { id: 'r2', version: 1, note: 'x', joins: 'R' }]], { partition: 4 }),
    ];
    const results = await Promise.allSettled(both.map((b) => a.run(b)));
    for (const [i, r] of results.entries())
      if (r.status === 'rejected') await a.run({ ...(both[i] as Batch), takeover: true });
    expect(new Set([(await eventsOf('r1'))[0]?.id, (await eventsOf('r2'))[0]?.id]).size).toBe(1);
    await a.close();
  });
});
