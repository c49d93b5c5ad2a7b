import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { BatchItem } from '@syncline/connector-sdk';
import { SyncError } from '@syncline/contracts';
import { testDatabase } from './testing/database.js';
import { deleted, idOf, line, order, shipment } from './testing/records.js';
import { type OpenWarehouse, warehouse } from './warehouse.js';

let database: Awaited<ReturnType<typeof testDatabase>>;
let open: OpenWarehouse;

const openWith = (settings: Record<string, unknown>, url = database.url): Promise<OpenWarehouse> =>
  warehouse.open({ connection: 'warehouse', settings, secrets: { url } });
const write = (items: BatchItem[], to = open): Promise<(Error | null)[]> => to.targets.order.write(items);
const row = async (key: string, table = 'orders') =>
  (await database.client.query(`SELECT * FROM ${table} WHERE id = $1`, [idOf(key)])).rows[0];
const lines = async (key: string) =>
  (await database.client.query('SELECT * FROM order_lines WHERE order_id = $1 ORDER BY position', [idOf(key)])).rows;

beforeAll(async () => {
  database = await testDatabase();
  open = await openWith({});
});
afterAll(async () => {
  await open.close();
  await database.drop();
});

describe('orders', () => {
  it('fills the typed columns, the lines and the full record', async () => {
    const address = {
      name: 'A',
      company: null,
      lines: ['Street 1'],
      city: 'Bern',
      region: 'BE',
      postalCode: '3000',
      country: 'CH',
      countryName: null,
      phone: null,
      email: null,
    };
    const item = order('typed', 1, {
      financialStatus: 'paid',
      placedAt: '2026-11-19T08:00:00.000Z',
      currency: 'EUR',
      presentmentCurrency: 'JPY',
      total: { shop: { minor: 19905, currency: 'EUR' }, presentment: { minor: 3200, currency: 'JPY' } },
      taxTotal: { shop: { minor: 333, currency: 'EUR', exact: '3.33333' }, presentment: null },
      shippingAddress: address,
      email: 'a@example.com',
      tags: ['a', 'b'],
      lines: [line('9', { unitPrice: { shop: { minor: 1234567, currency: 'KWD' }, presentment: null } })],
    });
    expect(await write([item])).toEqual([null]);
    expect(await row('typed')).toMatchObject({
      name: '#typed',
      status: 'open',
      financial_status: 'paid',
      placed_at: new Date('2026-11-19T08:00:00Z'),
      currency: 'EUR',
      total: '199.0500',
      total_minor: '19905',
      tax_total: '3.3333',
      presentment_currency: 'JPY',
      presentment_total: '3200.0000',
      refunded_total: null,
      shipping_city: 'Bern',
      shipping_country: 'CH',
      billing_city: null,
      email: 'a@example.com',
      tags: ['a', 'b'],
      external_refs: ['shop/ext-typed'],
      native_status: { 'shop/order': { financial_status: 'paid', fulfillment_status: null } },
      revision: '1',
      deleted_at: null,
      record: JSON.parse(item.value ?? ''),
    });
    expect(await lines('typed')).toMatchObject([
      { line_id: '9', position: 1, sku: 'SKU-9', quantity: 2, currency: 'KWD', unit_price: '1234.5670', grams: '500' },
    ]);
  });

  it('never goes back to an older revision, in later batches or within one', async () => {
    await write([order('back', 12, { name: '#twelve' }), order('back', 11, { name: '#eleven' })]);
    await write([order('back', 10, { name: '#ten', lines: [] })]);
    expect(await row('back')).toMatchObject({ name: '#twelve', revision: '12' });
    expect(await lines('back')).toHaveLength(2);
  });

  it('leaves rows alone that already hold the revision, and lines that did not change', async () => {
    const versions =
      'SELECT xmin::text, 0 AS n FROM orders WHERE id = $1 UNION ALL SELECT xmin::text, position FROM order_lines WHERE order_id = $1 ORDER BY 2';
    const read = async () => (await database.client.query(versions, [idOf('still')])).rows.map((r) => r.xmin);
    await write([order('still', 1)]);
    const before = await read();
    await write([order('still', 1)]);
    expect(await read()).toEqual(before);
    await write([order('still', 2, { lines: [line('1'), line('2', { currentQuantity: 0 })] })]);
    const after = await read();
    expect([after[0] === before[0], after[1] === before[1], after[2] === before[2]]).toEqual([false, true, false]);
    await write([order('still', 3, { lines: [line('2')] })]);
    expect(await lines('still')).toMatchObject([{ line_id: '2', position: 1, current_quantity: 2 }]);
    await write([order('still', 4, { lines: undefined })]);
    expect(await lines('still')).toEqual([]);
  });

  it('ends on the newest revision when many writers race, children included', async () => {
    const keys = Array.from({ length: 20 }, (_, i) => `race-${i}`);
    const batch = (revision: number): BatchItem[] =>
      keys.map((key) =>
        order(key, revision, {
          lines: Array.from({ length: revision % 4 }, (_, i) => line(`${i}`, { quantity: revision })),
        }),
      );
    const revisions = Array.from({ length: 40 }, (_, i) => i + 1).sort(() => Math.random() - 0.5);
    const others = await openWith({ connections: 8 });
    await Promise.all(revisions.map((r, i) => write(batch(r), i % 2 ? open : others)));
    await others.close();
    for (const key of keys) {
      expect(await row(key)).toMatchObject({ revision: '40' });
      expect((await lines(key)).map((l) => l.quantity)).toEqual([]);
    }
    await write(batch(43));
    expect((await lines('race-0')).map((l) => l.quantity)).toEqual([43, 43, 43]);
  });
});

describe('shipments', () => {
  it('of which nothing is known leave their row all the same', async () => {
    await open.targets.shipment.write([{ id: idOf('bare'), revision: 3, value: '{}' }]);
    expect(await row('bare', 'shipments')).toMatchObject({ revision: '3', status: null, external_refs: null });
  });

  it('fills shipment and tracking events', async () => {
    const place = { city: 'Houston', region: 'TX', postalCode: '77063', country: 'US' };
    const event = {
      at: '2026-11-20T09:00:00.000Z',
      status: 'in_transit',
      native: 'in_transit',
      message: 'Arrived',
      place,
    } as const;
    const data = {
      orderId: idOf('typed'),
      grams: 436.58,
      cost: { minor: 607, currency: 'USD' },
      trackingNumbers: ['EZs'],
    };
    await open.targets.shipment.write([
      shipment('s', 5, { ...data, events: [event, { ...event, at: null, place: null }] }),
    ]);
    expect(await row('s', 'shipments')).toMatchObject({
      order_id: idOf('typed'),
      carrier: 'usps',
      tracking_number: 'EZs',
      tracking_numbers: ['EZs'],
      cost: '6.0700',
      currency: 'USD',
      grams: '436.58',
      external_refs: ['shop/ext-s', 'carrier/trk-s'],
      native_status: {
        'shop/fulfillment': { shipment_status: 'in_transit' },
        'carrier/tracker': { status: 'in_transit' },
      },
    });
    const { rows } = await database.client.query('SELECT * FROM tracking_events WHERE shipment_id = $1 ORDER BY seq', [
      idOf('s'),
    ]);
    expect(rows).toMatchObject([
      { seq: 1, at: new Date(event.at), native_status: 'in_transit', city: 'Houston', country: 'US' },
      { seq: 2, at: null, city: null },
    ]);
  });
});

describe('deletes', () => {
  it('archives: the row stays, marked, until a newer revision brings it back', async () => {
    await write([order('del', 1)]);
    await write([deleted('del', 3), order('del', 2)]);
    expect(await row('del')).toMatchObject({ revision: '3', name: '#del', deleted_at: expect.any(Date) });
    await write([order('del', 2)]);
    expect((await row('del')).deleted_at).toEqual(expect.any(Date));
    await write([order('del', 4)]);
    expect(await row('del')).toMatchObject({ revision: '4', deleted_at: null });
  });

  it('remembers the deletion of a record it never saw', async () => {
    await write([deleted('unseen', 9)]);
    await write([order('unseen', 8)]);
    expect(await row('unseen')).toMatchObject({
      revision: '9',
      name: null,
      record: null,
      deleted_at: expect.any(Date),
    });
  });

  it('points a joined record to the one it lives on under, whatever the policy', async () => {
    const ignoring = await openWith({ onDelete: 'ignore' });
    await write([order('alias', 1), order('kept', 1)]);
    await write([deleted('alias', 2, idOf('typed')), deleted('kept', 2)], ignoring);
    await ignoring.close();
    expect(await row('alias')).toMatchObject({ merged_into: idOf('typed'), deleted_at: expect.any(Date) });
    expect(await row('kept')).toMatchObject({ revision: '1', deleted_at: null });
  });

  it('deletes: nothing of the record is left, and an older event does not bring it back', async () => {
    const deleting = await openWith({ onDelete: 'delete' });
    await write([order('gone', 1)], deleting);
    await write([deleted('gone', 3), deleted('never', 7)], deleting);
    await write([order('gone', 2), order('never', 6)], deleting);
    expect([await row('gone'), await lines('gone'), await row('never')]).toEqual([undefined, [], undefined]);
    await Promise.all([write([deleted('duel', 2)], deleting), write([order('duel', 1)], deleting)]);
    expect(await row('duel')).toBeUndefined();
    await write([order('gone', 4)], deleting);
    expect(await lines('gone')).toHaveLength(2);
    await deleting.close();
  });
});

describe('poison', () => {
  const poisoned = (key: string, change: (text: string) => string): BatchItem => {
    const item = order(key, 1);
    return { ...item, value: change(item.value ?? '') };
  };
  const cases: [string, BatchItem][] = [
    ['a NUL', poisoned('nul', (t) => t.replace('#nul', 'secret\\u0000'))],
    ['a lone surrogate', poisoned('surrogate', (t) => t.replace('#surrogate', 'secret\\ud800'))],
    ['an amount out of range', poisoned('range', (t) => t.replace('19900', '99999999999999999999'))],
    ['a date out of range', poisoned('date', (t) => t.replace('2026-11-20T10', '299999-11-20T10'))],
    ['broken JSON', poisoned('broken', (t) => t.slice(0, -20))],
    ['no object', { ...order('text', 1), value: '"secret"' }],
    ['an id that is none', { ...order('id', 1), id: 'secret' }],
    [
      'a name too long to index',
      poisoned('long', (t) => t.replace('#long', Array.from({ length: 900 }, (_, i) => idOf(`${i}`)).join(''))),
    ],
    ['a line named twice', order('twice', 1, { lines: [line('1'), line('1')] })],
  ];

  it.each(cases)('%s is refused alone, without quoting it', async (_, poison) => {
    const items = [order(`before-${poison.id}`, 1), poison, order(`after-${poison.id}`, 1)];
    const outcomes = await write(items);
    expect([outcomes[0], outcomes[2]]).toEqual([null, null]);
    const outcome = outcomes[1] as SyncError;
    expect(outcome).toBeInstanceOf(SyncError);
    expect(outcome.kind).toBe('rejected');
    expect(outcome.message).toMatch(/^PostgreSQL \([0-9A-Z]{5}\): .{10}/);
    expect(outcome.message).not.toMatch(/secret|9999|2026|SKU/);
    for (const item of [items[0], items[2]])
      expect((await database.client.query('SELECT FROM orders WHERE id = $1', [item?.id])).rowCount).toBe(1);
  });

  it('among 1,000 leaves 999 written', async () => {
    const items = Array.from({ length: 1000 }, (_, i) => order(`many-${i}`, 1));
    items[617] = poisoned('many-617', (t) => t.replace('#many-617', '\\u0000'));
    const outcomes = await write(items);
    expect(outcomes.flatMap((outcome, i) => (outcome ? [i] : []))).toEqual([617]);
    const { rows } = await database.client.query(`SELECT count(*)::int AS n FROM orders WHERE name LIKE '#many-%'`);
    expect(rows[0].n).toBe(999);
  });
});
