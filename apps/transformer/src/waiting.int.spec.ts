import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Observation, type Receipt, rawTopic, receiptsTopic } from '@syncline/contracts';
import { testInfra } from '@syncline/infra';
import type { InboundRecord } from '@syncline/messaging';
import { createTestDatabase, type Db, giveTo, lockOwners, openStore, overdueHeld, type Store } from '@syncline/store';
import { mapBatch, type OutboundEvent } from './batch.js';
import { decisionRoutes } from './decisions.js';
import { decode } from './decode.js';
import { type Payload, rawMessage, twoWayTopology } from './testing/bench-connector.js';
import { whereaboutsRoutes } from './whereabouts.js';

// What waits for a receipt of ours, against a real PostgreSQL: per record and per announced create, in order, for a bounded time.
const topology = twoWayTopology();
let database: Awaited<ReturnType<typeof createTestDatabase>>;
let store: Store;
let offset = 0n;

const owner = ['waiting-test'];

beforeAll(async () => {
  database = await createTestDatabase((await testInfra()).databaseUrl);
  store = await openStore({ url: database.url, role: 'transformer', applicationName: 'waiting-test' });
  const topics = [rawTopic('shopify', 'order'), rawTopic('easypost', 'tracker'), receiptsTopic('easypost')];
  const places = topics.map((topic) => ({ topic, partition: 0 }));
  await store.transaction(async (tx) => {
    await lockOwners(tx, places);
    await giveTo(tx, owner, places);
  });
}, 120_000);

afterAll(async () => {
  await store?.close();
  await database?.drop();
});

/** Maps one message and commits; returns what would be published. */
async function map(
  record: Omit<InboundRecord, 'offset' | 'partition' | 'timestamp'>,
  force = false,
): Promise<OutboundEvent[]> {
  const whole: InboundRecord = { ...record, offset: offset++, partition: 0, timestamp: Date.now() };
  const work = {
    steps: decode(whole, topology),
    places: [{ topic: whole.topic, partition: 0, next: offset }],
    owner,
    redo: force ? { below: 0n, aside: [] } : null,
  };
  return store.transaction(async (tx) => (await mapBatch(tx, topology, work)).events);
}

const shop = (p: Payload, force = false) => {
  const m = rawMessage('shop', p);
  return map(
    { topic: rawTopic('shopify', 'order'), key: m.key, value: Buffer.from(m.value), headers: m.headers },
    force,
  );
};
const target = (p: Payload) => {
  const m = rawMessage('target', p, 'easypost', 'tracker');
  return map({ topic: rawTopic('easypost', 'tracker'), key: m.key, value: Buffer.from(m.value), headers: m.headers });
};
const say = (r: Receipt) =>
  map({ topic: receiptsTopic('easypost'), key: r.id, value: Buffer.from(JSON.stringify(r)), headers: {} });

const about = (id: string, revision: number) =>
  ({ id, kind: 'order', connection: 'target', noun: 'tracker', revision, at: Date.now() }) as const;
const observed = (externalId: string, version: number, note: string): Observation => ({
  kind: 'order',
  noun: 'tracker',
  externalId,
  version,
  readAt: version + 1,
  fields: { name: `#${externalId}`, note },
  native: {},
  keys: [],
  refs: [],
});
const written = (id: string, revision: number, o: Observation): Receipt => ({
  type: 'receipt',
  ...about(id, revision),
  outcome: 'written',
  externalId: o.externalId,
  sent: { note: o.fields.note as string },
  observed: o,
  tries: [],
});
const note = (events: OutboundEvent[]) =>
  events.map((e) => (JSON.parse(e.value ?? '{}') as { data: { note: string } }).data.note);
const revisionOf = (events: OutboundEvent[]) => Number(events.at(-1)?.headers['sync-revision']);

/** What the management port answers to a path. */
const told = (path: string, query: Record<string, string>) =>
  [...decisionRoutes(() => store), ...whereaboutsRoutes(() => store, topology)]
    .find((route) => route.path === path)!
    .handler(() => undefined as never, query);

/** An order of the shop that is at the target too, with nothing open. */
async function linked(n: string): Promise<string> {
  const made = await shop({ id: `s${n}`, version: 10, note: 'first' });
  const id = made[0]?.key as string;
  await say(written(id, revisionOf(made), observed(`t${n}`, 20, 'first')));
  return id;
}

describe('an edit at the target while a write of ours is unanswered', () => {
  it('waits for the receipt, and is then taken: the newer edit wins', async () => {
    const id = await linked('1');
    const asked = await shop({ id: 's1', version: 30, note: 'from the shop' });
    expect(note(asked)).toEqual(['from the shop']);
    expect(await target({ id: 't1', version: 40, note: 'by a person there' })).toEqual([]);
    expect(await told('/records/whereabouts', { id })).toMatchObject({
      name: '#t1',
      revision: revisionOf(asked),
      sources: [
        { connection: 'shop', behind: [] },
        { connection: 'target', noun: 'tracker', externalId: 't1', behind: ['note'] },
      ],
      held: [{ connection: 'target', noun: 'tracker', since: expect.any(Number) }],
    });
    const declined: Receipt = {
      type: 'receipt',
      ...about(id, revisionOf(asked)),
      outcome: 'declined',
      externalId: 't1',
      sent: {},
      observed: observed('t1', 40, 'by a person there'),
      tries: [],
    };
    expect(note(await say(declined)).at(-1)).toBe('by a person there');
    expect(await store.query('SELECT 1 FROM held WHERE id = $1', [id])).toEqual([]);
    // Two edits met: the decision stays to be seen, without the words, which may be about a person.
    expect(await told('/conflicts', { record: id })).toMatchObject({
      conflicts: [
        { id, name: '#t1', field: 'note', winner: 'target', winnerAt: 40, loser: 'shop', loserAt: 30, values: null },
      ],
      unstable: [],
    });
    expect(await told('/records/whereabouts', { id })).toMatchObject({ held: [] });
  });

  it('does not wait where it plainly is our write', async () => {
    await linked('2');
    await shop({ id: 's2', version: 30, note: 'asked' });
    await target({ id: 't2', version: 31, note: 'asked' });
    expect(await store.query("SELECT 1 FROM held WHERE observation->>'externalId' = 't2'")).toEqual([]);
  });

  it('keeps later messages of that object behind it, and a release lets them go in order', async () => {
    const id = await linked('3');
    await shop({ id: 's3', version: 30, note: 'asked' });
    await target({ id: 't3', version: 40, note: 'one' });
    await target({ id: 't3', version: 41, note: 'two' });
    const due = await overdueHeld(store, -1_000);
    expect(due.filter((d) => d.id === id)).toEqual([
      { id, connection: 'target', kind: 'order', noun: 'tracker', provider: 'easypost' },
    ]);
    const events = await say({ type: 'release', ...about(id, 0) });
    expect(note(events).at(-1)).toBe('two');
    expect(await say({ type: 'release', ...about(id, 0) })).toEqual([]);
  });

  it('does not wait in the first batch after a takeover', async () => {
    const id = await linked('4');
    await shop({ id: 's4', version: 30, note: 'asked' });
    await shop({ id: 's4', version: 30, note: 'asked' }, true);
    expect(await store.query('SELECT 1 FROM held WHERE id = $1', [id])).toEqual([]);
  });
});

describe('an object nobody knows while a create of ours is under way', () => {
  it('waits for the receipt, which says whose it is: one record', async () => {
    const made = await shop({ id: 's5', version: 10, note: 'x' });
    const id = made[0]?.key as string;
    await say({ type: 'intent', ...about(id, revisionOf(made)) });
    expect(await target({ id: 't5', version: 20, note: 'x' })).toEqual([]);
    await say(written(id, revisionOf(made), observed('t5', 20, 'x')));
    const rows = await store.query<{ id: string }>("SELECT DISTINCT id FROM identity WHERE key IN ('s5', 't5')");
    expect(rows).toEqual([{ id }]);
    expect(await store.query('SELECT 1 FROM intents')).toEqual([]);
    expect(await store.query('SELECT 1 FROM held')).toEqual([]);
  });

  it('does not go on to wait for a create that was announced after it was seen', async () => {
    const [one, two] = [
      await shop({ id: 's7', version: 10, note: 'x' }),
      await shop({ id: 's8', version: 10, note: 'x' }),
    ];
    const [first, second] = [one[0]?.key as string, two[0]?.key as string];
    await say({ type: 'intent', ...about(first, revisionOf(one)) });
    expect(await target({ id: 'seen-between', version: 20, note: 'y' })).toEqual([]);
    await say({ type: 'intent', ...about(second, revisionOf(two)) });
    const events = await say(written(first, revisionOf(one), observed('t7', 20, 'x')));
    expect(events.map((e) => e.value && JSON.parse(e.value).data.note)).toContain('y');
    await say(written(second, revisionOf(two), observed('t8', 20, 'x')));
  });

  it('gets a newer revision than its record got meanwhile, also in the first batch after a takeover', async () => {
    const made = await shop({ id: 's9', version: 10, note: 'x' });
    await say({ type: 'intent', ...about(made[0]?.key as string, revisionOf(made)) });
    expect(await target({ id: 't9', version: 20, note: 'y', joins: 'NINE' })).toEqual([]);
    const [holder] = await shop({ id: 's10', version: 10, note: 'has the key', joins: 'NINE' });
    let meanwhile: OutboundEvent[] = [];
    const record = (
      m: { key: string; value: string; headers: InboundRecord['headers'] },
      of: string,
    ): InboundRecord => ({
      ...m,
      value: Buffer.from(m.value),
      topic: of,
      offset: offset++,
      partition: 0,
      timestamp: Date.now(),
    });
    const release = { key: 'shop', value: JSON.stringify({ type: 'release', ...about('', 0) }), headers: {} };
    const steps = [
      ...decode(
        record(rawMessage('shop', { id: 's11', version: 1, note: 'first' }), rawTopic('shopify', 'order')),
        topology,
      ),
      ...decode(record(release, receiptsTopic('easypost')), topology),
    ];
    const places = [{ topic: rawTopic('easypost', 'tracker'), partition: 0, next: 2n }];
    const { events } = await store.transaction((tx) => {
      const query: Db['query'] = async (sql, params) => {
        if (sql.includes('DELETE FROM held')) meanwhile = await shop({ id: 's10', version: 30, note: 'in between' });
        return tx.query(sql, params);
      };
      return mapBatch({ query }, topology, { steps, places, owner, redo: { below: 0n, aside: [] } });
    });
    const late = events.filter((e) => e.key === holder?.key);
    expect(meanwhile).toHaveLength(1);
    expect(revisionOf(late)).toBeGreaterThan(revisionOf(meanwhile));
  });

  it('becomes a record of its own where the wait ends without one', async () => {
    const made = await shop({ id: 's6', version: 10, note: 'x' });
    await say({ type: 'intent', ...about(made[0]?.key as string, revisionOf(made)) });
    expect(await target({ id: 'somebody-elses', version: 20, note: 'y' })).toEqual([]);
    const events = await say({ type: 'release', ...about('', 0) });
    expect(note(events)).toEqual(['y']);
  });
});

describe('a key that two records of one connection have', () => {
  it('joins nothing, and is told of both', async () => {
    const [one] = await shop({ id: 's20', version: 10, note: 'x', joins: 'SAME' });
    const [two] = await shop({ id: 's21', version: 10, note: 'y', joins: 'SAME' });
    expect(one?.key).not.toBe(two?.key);
    const ambiguous = [{ scope: 'shared', connection: 'shop', externalId: 's21', id: one?.key }];
    for (const event of [one, two])
      expect(await told('/records/whereabouts', { id: event?.key as string })).toMatchObject({ ambiguous });
  });
});
