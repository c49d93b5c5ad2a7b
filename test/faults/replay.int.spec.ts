// Backfill and replay on a whole system, as a user would run them: with kill -9 in the middle of a backfill and live edits
// beside it. What is done again must have no effect where it was done already.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { header, headerText, type RawHeaders, rawTopic } from '@syncline/contracts';
import { MicroBatchProducer, readTopic } from '@syncline/messaging';
import pg from 'pg';
import { jsonOf } from '../support/ask.js';
import { control } from '../support/sandbox.js';
import { type System, startSystem } from '../support/system.js';
import { untilEqual } from '../support/truth.js';
import { rowsOf } from './nemesis.js';
import { pause, until } from './patience.js';
import { inverted, recordWrites, watchRevisions, wentBack } from './promises.js';

const ordersPlaced = 60;
const ordersEdited = 10;
const code = '9400111899223197428917';
let system: System;
let recorded: ReturnType<typeof recordWrites>;

beforeAll(async () => {
  // A poll now and then, and a backfill of about a request a second: a page of 20 orders.
  system = await startSystem({ env: { POLL_INTERVAL_MS: '600000', BACKFILL_SHARE: '0.05' } });
  await watchRevisions(system);
  // What a killed ingestor missed comes again within seconds, not minutes: no poll repairs it here.
  await control(system, 'POST', '/settings', { retryScale: 0.02, costMaximum: 20_000, costRestoreRate: 2_000 });
  await control(system, 'POST', '/orders', { count: ordersPlaced });
  await control(system, 'POST', '/orders/1003/fulfil', { trackingNumber: code, company: 'USPS' });
  await untilEqual(system, 30_000);
  recorded = recordWrites(system);
}, 150_000);

afterAll(async () => {
  await system?.stop();
}, 90_000);

const kafka = () => ({ brokers: system.local().kafkaBrokers.split(','), clientId: 'replay-test' });
const rowsOfStore = async (sql: string) => {
  const client = new pg.Client({ connectionString: system.local().databaseUrl });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
};
const warehouse = async (columns: string) =>
  JSON.stringify([
    await rowsOf(system, `SELECT ${columns} FROM orders ORDER BY id`),
    await rowsOf(system, `SELECT ${columns} FROM shipments ORDER BY id`),
  ]);
/** Everything that stands in the warehouse, down to the place of each row: written again, it would be elsewhere. */
const placed = () => warehouse('ctid::text AS place, *');
const cursors = () => rowsOfStore(`SELECT * FROM ingestion.cursors ORDER BY 1, 2`);
const origins = async (topic: string, origin: string) => {
  const ids: string[] = [];
  for await (const { headers } of readTopic(kafka(), topic))
    if (headerText(headers, header.origin) === origin) ids.push(headerText(headers, header.subject) ?? '');
  return ids;
};
const settled = () =>
  until('nothing behind', 30_000, async () => {
    const status = await jsonOf(system, 'status');
    const late = status.consumers.some((c: { lagRecords: number }) => c.lagRecords > 0);
    return !late && status.targets.every((t: { pending: number }) => t.pending === 0);
  });
const effects = async () => {
  await recorded.note();
  return recorded.writes.filter((write) => write.effects.length > 0).length;
};

describe('a backfill', () => {
  it('counts and publishes nothing where it is dry', async () => {
    const { backfills } = await jsonOf(system, 'backfill', 'shop', 'order', '--since', '1h', '--dry-run');
    expect(backfills).toMatchObject([{ noun: 'order', state: 'done', found: ordersPlaced, published: 0 }]);
    expect(await origins(rawTopic('shopify', 'order'), 'backfill')).toEqual([]);
  }, 40_000);

  it('goes on where it was after kill -9, beside live edits, and brings no older state', async () => {
    const before = await cursors();
    const topic = rawTopic('shopify', 'order');
    const { backfills } = await jsonOf(system, 'backfill', 'shop', 'order', '--since', '1h', '--no-wait');
    expect(backfills).toMatchObject([{ state: 'running', found: 0 }]);
    let editing = true;
    const edits = (async () => {
      for (let n = 0; editing; n++) {
        const name = 1001 + (n % ordersEdited);
        await control(system, 'PATCH', `/orders/${name}`, { note: `edit ${n}` });
        await pause(60);
      }
      return true;
    })();
    const show = async () => (await jsonOf(system, 'backfill', 'shop', '--status')).backfills[0];
    const killed = await until('a page', 20_000, async () => {
      const b = await show();
      return b.found > 0 && b;
    });
    expect(killed).toMatchObject({ state: 'running', perSecond: expect.any(Number), leftMs: expect.any(Number) });
    const ingestor = system.local().services.find((s) => s.name === 'ingestor-shopify')!;
    process.kill(ingestor.pid!, 'SIGKILL');
    const ended = await until('the end', 60_000, async () => {
      const b = await show();
      return b?.state !== 'running' && b;
    });
    editing = false;
    await edits;
    expect(ended).toMatchObject({ id: killed.id, state: 'done', reason: null });
    expect(killed.found).toBeLessThan(ordersPlaced - ordersEdited);
    expect(ended.found).toBeGreaterThanOrEqual(ordersPlaced - ordersEdited);
    // What was durable and not yet noted may be read again: a page at most. Edited ones left the window, live brought them.
    const published = await origins(topic, 'backfill');
    expect(new Set(published).size).toBeGreaterThanOrEqual(ordersPlaced - ordersEdited);
    expect(published.length - new Set(published).size).toBeLessThanOrEqual(20);
    expect(await cursors()).toEqual(before);
    await untilEqual(system, 30_000);
    expect(await wentBack(system)).toEqual([]);
    expect((await inverted(system)).found).toEqual([]);
  }, 120_000);

  it('reads named objects, and says what is wrong with an order for one', async () => {
    const { orders } = await control(system, 'GET', '/truth');
    const done = await jsonOf(system, 'backfill', 'shop', 'order', '--ids', `${orders[0].id},1`);
    expect(done.backfills).toMatchObject([{ state: 'done', found: 1, missing: 1 }]);
    const shown = await system.cli('backfill', '--status');
    expect(shown.stdout).toMatch(/^shop order: done, 1 published, 1 do not exist, [\d.]+\/s$/m);
    for (const [args, said] of [
      [['nobody', 'order'], /No ingestor serves "nobody"\. Connections there are: .*shop/],
      [['shop', 'parcel'], /shopify has no "parcel"/],
      [['shop', 'shipment'], /cannot list fulfillment: backfill order/],
      [['shop'], /Name a connection and a kind/],
    ] as const) {
      const { code: exit, stderr } = await system.cli('backfill', ...args);
      expect([exit, stderr]).toEqual([2, expect.stringMatching(said)]);
    }
  }, 60_000);
});

describe('a replay of raw messages', () => {
  it('shows that nothing would change, and changes nothing, at any target, from the first offset', async () => {
    await settled();
    const [before, did, revisions] = [
      await placed(),
      await effects(),
      await rowsOfStore('SELECT max(revision) FROM transformer.records'),
    ];
    for (const [connection, kind] of [
      ['shop', 'order'],
      ['shop', 'shipment'],
      ['carrier', 'shipment'],
    ] as const) {
      const { topics } = await jsonOf(system, 'replay', 'raw', connection, kind, '--from-offset', '0', '--dry-run');
      for (const topic of topics) expect(topic).toMatchObject({ records: 0, added: 0, fields: {}, unmappable: 0 });
    }
    expect(await origins(rawTopic('shopify', 'order'), 'replay')).toEqual([]);
    expect((await system.cli('replay', 'raw', 'shop', 'order', '--from-offset', '0')).code).toBe(2);
    for (const [connection, kind] of [
      ['shop', 'order'],
      ['shop', 'shipment'],
      ['carrier', 'shipment'],
    ] as const)
      await jsonOf(system, 'replay', 'raw', connection, kind, '--from-offset', '0', '--yes');
    expect(await origins(rawTopic('shopify', 'order'), 'replay')).toHaveLength(ordersPlaced);
    expect((await origins(rawTopic('easypost', 'tracker'), 'replay')).length).toBeGreaterThan(0);
    await pause(1_000);
    await settled();
    expect(await placed()).toBe(before);
    expect(await effects()).toBe(did);
    expect(await rowsOfStore('SELECT max(revision) FROM transformer.records')).toEqual(revisions);
  }, 90_000);
});

describe('a record published once more', () => {
  it('has a new revision at the warehouse, the same content everywhere, and no effect at the carrier or the shop', async () => {
    const columns = `to_jsonb(t) - 'record' - 'revision' - 'synced_at' AS row, record::jsonb - 'revision' AS record`;
    const content = async () =>
      JSON.stringify(await rowsOf(system, `SELECT ${columns} FROM shipments t WHERE tracking_number = '${code}'`));
    const [before, did] = [await content(), await effects()];
    const { id, before: was, revision } = await jsonOf(system, 'replay', 'record', code);
    expect(revision).toBeGreaterThan(was);
    await until('the warehouse has it', 10_000, async () => {
      const [row] = await rowsOf<{ revision: string }>(system, 'SELECT revision FROM shipments WHERE id = $1', [id]);
      return Number(row?.revision) === revision;
    });
    await settled();
    expect(await content()).toBe(before);
    expect(await effects()).toBe(did);
    expect((await system.cli('replay', 'record', 'nothing-like-it')).code).toBe(1);
  }, 40_000);
});

describe('what was given up', () => {
  it('is listed by cause, and delivered when the cause is gone', async () => {
    await rowsOf(
      system,
      `ALTER TABLE orders ADD CONSTRAINT no_bell CHECK (record->'data'->>'note' IS DISTINCT FROM 'bell') NOT VALID`,
    );
    for (const name of [1001, 1002]) await control(system, 'PATCH', `/orders/${name}`, { note: 'bell' });
    const [cause] = await until('two dead deliveries', 20_000, async () => {
      const { causes } = await jsonOf(system, 'replay', 'dead', '--target', 'warehouse');
      return causes[0]?.count === 2 && causes;
    });
    expect(cause).toMatchObject({ target: 'warehouse', kind: 'rejected', reason: expect.any(String) });
    expect((await jsonOf(system, 'replay', 'dead', '--id', '1001')).deliveries).toMatchObject({
      retried: 0,
      refused: 1,
    });
    await rowsOf(system, 'ALTER TABLE orders DROP CONSTRAINT no_bell');
    // Superseded by a newer state: there is nothing to replay of it any more.
    await control(system, 'PATCH', '/orders/1002', { note: 'knock' });
    await until('the newer state', 20_000, async () => {
      const rows = await rowsOf<{ note: string }>(
        system,
        `SELECT record->'data'->>'note' AS note FROM orders WHERE name = '#1002'`,
      );
      return rows[0]?.note === 'knock';
    });
    await settled();
    expect((await jsonOf(system, 'replay', 'dead', '--cause', 'rejected', '--target', 'warehouse')).deliveries).toEqual(
      {
        retried: 1,
        superseded: 0,
        refused: 0,
      },
    );
    await untilEqual(system, 20_000);
    expect((await system.cli('replay', 'dead', '--id', '1001')).code).toBe(1);
  }, 90_000);

  it('is published to its raw topic again where it could not be mapped, once', async () => {
    const producer = new MicroBatchProducer(kafka());
    await producer.connect();
    let headers: RawHeaders = {};
    for await (const record of readTopic(kafka(), rawTopic('shopify', 'order'))) headers = record.headers;
    const topic = rawTopic('shopify', 'order');
    await producer.send({ topic, key: 'shop/broken', value: 'no json', headers: headers as Record<string, Buffer> });
    await producer.disconnect();
    const [cause] = await until('a dead letter', 20_000, async () => {
      const { causes } = await jsonOf(system, 'replay', 'dead', '--cause', 'unmappable', '--list');
      return causes.length > 0 && causes;
    });
    expect(cause).toMatchObject({ target: 'transformer', reason: 'the message is no JSON', count: 1, replayed: 0 });
    const once = () => jsonOf(system, 'replay', 'dead', '--id', cause.examples[0]);
    expect((await once()).deadLetters).toEqual({ replayed: 1, before: 0, lost: 0 });
    expect((await once()).deadLetters).toEqual({ replayed: 0, before: 1, lost: 0 });
    const listed = await until('it failed again', 20_000, async () => {
      const { stdout } = await system.cli('replay', 'dead', '--target', 'transformer');
      return /transformer +unmappable +1 +1 .*no JSON/.test(stdout) && stdout;
    });
    expect(listed).toContain('FOR EXAMPLE');
  }, 60_000);
});
