import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { deadLetterTopic, writerGroup } from '@syncline/contracts';
import type { RunningService } from '@syncline/runtime';
import { deliveriesOf } from '@syncline/store';
import { startWriter } from './start-writer.js';
import { Installation, until } from './testing/installation.js';
import { shipmentsTo, Testbed, testbedConnector } from './testing/testbed.js';

const own = new Installation();
const bed = new Testbed();
let writer: RunningService;

const start = () =>
  startWriter({
    connector: testbedConnector,
    env: own.env,
    ownsProcess: false,
    timing: { tickMs: 50, leaseMs: 2_000, recheckMs: 200, mergeWaitMs: 50 },
  });
const row = async (id: string) => (await deliveriesOf(own.store, [own.target], id))[0];
const settled = (id: string, state: string, revision?: number) =>
  until(
    async () => {
      const r = await row(id);
      return r?.state === state && (revision === undefined || r.deliveredRevision === revision);
    },
    15_000,
    `state ${state} of ${id}`,
  );
const get = async (path: string) => (await fetch(writer.url + path)).json() as Promise<Record<string, unknown>>;

/** An order the target knows, so that shipments may refer to it. */
async function linkedOrder(): Promise<string> {
  const { id } = await own.publish({
    kind: 'order',
    sources: [{ noun: 'deal', externalId: `d-${randomUUID()}` }],
  });
  return id;
}
const shipment = (orderId: string, over: Record<string, string> = {}) => ({
  status: 'pending',
  trackingNumber: 'T1',
  orderId,
  ...over,
});

beforeAll(async () => {
  await bed.start();
  await own.open(shipmentsTo(bed));
  writer = await start();
}, 180_000);
afterAll(async () => {
  await writer?.close();
  await own.close();
  await bed.stop();
});
afterEach(() => {
  bed.faults = [];
  bed.refused = null;
});

describe('a writer of objects', () => {
  it('announces a create, makes the object once, answers with a receipt and closes the row', async () => {
    const orderId = await linkedOrder();
    const { id, revision } = await own.publish({ fields: shipment(orderId) });
    await settled(id, 'delivered', revision);
    const [thing] = bed.of(id);
    expect(thing?.fields).toMatchObject({ trackingNumber: 'T1', orderId: expect.stringMatching(/^d-/) });
    const [intent, receipt] = await own.receipts(id);
    expect(intent).toMatchObject({ type: 'intent', id, connection: own.target, noun: 'thing', revision });
    expect(receipt).toMatchObject({ type: 'receipt', outcome: 'written', externalId: thing?.id, revision });
    expect(receipt).toMatchObject({ sent: { trackingNumber: 'T1' }, observed: { version: thing?.version } });
    // The receipt is durable before the row is closed.
    expect(receipt!.at).toBeLessThan((await row(id))!.updatedAt);
  });

  it('writes what is behind onto the version that was seen, and declines onto another', async () => {
    const orderId = await linkedOrder();
    const { id } = await own.publish({ fields: shipment(orderId) });
    await settled(id, 'delivered');
    const [thing] = bed.of(id);
    const source = { externalId: thing!.id, seen: thing!.version, behind: ['status'] };
    const second = await own.publish({ id, fields: shipment(orderId, { status: 'in_transit' }), sources: [source] });
    await settled(id, 'delivered', second.revision);
    expect(thing?.fields.status).toBe('in_transit');
    bed.edit(thing!.id, { status: 'failed' });
    const stale = { ...source, seen: thing!.version - 1 };
    const third = await own.publish({ id, fields: shipment(orderId, { status: 'delivered' }), sources: [stale] });
    await settled(id, 'delivered', third.revision);
    expect(thing?.fields.status).toBe('failed');
    const receipts = (await own.receipts(id)).filter((r) => r.type === 'receipt');
    expect(receipts.map((r) => r.outcome)).toEqual(['written', 'written', 'declined']);
    expect(receipts[2]).toMatchObject({ observed: { fields: { status: 'failed' } }, sent: {} });
  });

  it('makes no second object when the reply to a create is lost', async () => {
    const orderId = await linkedOrder();
    bed.faults = [{ on: 'POST', fault: 'lose reply' }];
    const { id, revision } = await own.publish({ fields: shipment(orderId) });
    await settled(id, 'delivered', revision);
    expect(bed.of(id)).toHaveLength(1);
    const said = await own.receipts(id);
    expect(said.map((r) => r.type)).toEqual(['intent', 'receipt']);
    expect(said[1]).toMatchObject({ outcome: 'declined', sent: {}, tries: [{ trackingNumber: 'T1' }] });
    expect((await row(id))?.externalId).toBe(bed.of(id)[0]?.id);
  });

  it('creates after all when the request itself was lost', async () => {
    const orderId = await linkedOrder();
    bed.faults = [{ on: 'POST', fault: 'lose request' }];
    const { id, revision } = await own.publish({ fields: shipment(orderId) });
    await settled(id, 'delivered', revision);
    expect(bed.of(id)).toHaveLength(1);
  });

  it('removes an object whose create was never confirmed, when the record is deleted', async () => {
    const orderId = await linkedOrder();
    bed.faults = [{ on: 'POST', fault: 'lose reply' }];
    const { id } = await own.publish({ fields: shipment(orderId) });
    await until(() => bed.of(id).length === 1);
    const { revision } = await own.publish({ id, deleted: true });
    await settled(id, 'delivered', revision);
    expect(bed.of(id)).toEqual([]);
  });

  it('lets a waiting record wait without attempts, and wakes it when its order is known', async () => {
    const orderId = randomUUID();
    const { id, revision } = await own.publish({ fields: shipment(orderId) });
    await settled(id, 'waiting');
    expect(await row(id)).toMatchObject({ attempts: 0, waitsFor: [orderId] });
    await own.publish({ id: orderId, kind: 'order', sources: [{ noun: 'deal', externalId: 'd9' }], connections: [] });
    await settled(id, 'delivered', revision);
    expect(bed.of(id)[0]?.fields.orderId).toBe('d9');
  });

  it('parks a failing record alone: others of its partition go on', async () => {
    const orderId = await linkedOrder();
    bed.refused = randomUUID();
    await own.publish({ id: bed.refused, fields: shipment(orderId) });
    const others = await Promise.all(Array.from({ length: 20 }, () => own.publish({ fields: shipment(orderId) })));
    for (const { id, revision } of others) await settled(id, 'delivered', revision);
    await settled(bed.refused, 'dead');
    expect(await row(bed.refused)).toMatchObject({
      failureKind: 'rejected',
      failureReason: expect.stringContaining('not served'),
    });
    expect((await own.receipts(bed.refused)).at(-1)).toMatchObject({ outcome: 'dead' });
    const dead = await own.failed(deadLetterTopic(writerGroup(own.target)));
    expect(dead).toEqual([{ key: bed.refused, kind: 'rejected', reason: expect.stringContaining('not served') }]);
    const listed = (await get('/dead')).dead as { id: string }[];
    expect(listed.map((d) => d.id)).toContain(bed.refused);
    const id = bed.refused;
    bed.refused = null;
    const again = async () => (await fetch(`${writer.url}/retry?record=${id}`, { method: 'POST' })).json();
    expect(await again()).toEqual({ retried: 1, superseded: 0, refused: 0 });
    await settled(id, 'delivered');
    expect(await again()).toEqual({ retried: 0, superseded: 0, refused: 0 });
  });

  it('leaves out what does not belong at the target, and takes it up once it does', async () => {
    const orderId = await linkedOrder();
    const { id } = await own.publish({ fields: { status: 'pending', orderId, trackingNumber: null } });
    await settled(id, 'unwanted');
    const stranger = await own.publish({ fields: shipment(orderId), connections: ['elsewhere-entirely'] });
    const { revision } = await own.publish({ id, fields: shipment(orderId) });
    await settled(id, 'delivered', revision);
    expect(await row(stranger.id)).toBeUndefined();
  });

  it('waits as long as a throttled target asks, counting no attempt', async () => {
    const orderId = await linkedOrder();
    bed.faults = [{ on: 'POST', fault: 429 }];
    const began = Date.now();
    const { id, revision } = await own.publish({ fields: shipment(orderId) });
    await until(async () => (await row(id))?.failureKind === 'throttled');
    expect(await row(id)).toMatchObject({ attempts: 0, state: 'pending' });
    await settled(id, 'delivered', revision);
    expect(Date.now() - began).toBeGreaterThan(950);
    expect(bed.of(id)).toHaveLength(1);
  });

  it('parks the connection without credentials, burns nothing, and goes on by itself', async () => {
    const orderId = await linkedOrder();
    bed.faults = [
      { on: 'GET /things', fault: 401, always: true },
      { on: 'GET /check', fault: 401, always: true },
    ];
    const { id, revision } = await own.publish({ fields: shipment(orderId) });
    await until(async () => ((await get('/status')).targets as { state: string }[])[0]?.state === 'unauthorized');
    expect(await row(id)).toMatchObject({ attempts: 0, state: 'pending', failureKind: 'unauthorized' });
    bed.faults = [];
    await settled(id, 'delivered', revision);
  });

  it('opens the circuit when the target is away, sends it little, and catches up when it is back', async () => {
    const orderId = await linkedOrder();
    bed.faults = [{ on: '', fault: 503, always: true }];
    const sent = await Promise.all(Array.from({ length: 12 }, () => own.publish({ fields: shipment(orderId) })));
    await until(async () => ((await get('/status')).targets as { circuit: string }[])[0]?.circuit !== 'closed');
    const before = bed.requests.length;
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(bed.requests.length - before).toBeLessThan(6);
    bed.faults = [];
    for (const { id, revision } of sent) await settled(id, 'delivered', revision);
    for (const { id } of sent) expect(bed.of(id)).toHaveLength(1);
  });

  it('moves the object of a record that was joined into another, and deletes nothing', async () => {
    const orderId = await linkedOrder();
    const alias = await own.publish({ fields: shipment(orderId) });
    await settled(alias.id, 'delivered');
    const [thing] = bed.of(alias.id);
    const survivor = randomUUID();
    await own.publish({ id: alias.id, deleted: true, mergedInto: survivor });
    await settled(alias.id, 'delivered');
    await until(async () => (await row(survivor))?.externalId === thing?.id);
    expect((await row(alias.id))?.externalId).toBeNull();
    expect(bed.things.has(thing!.id)).toBe(true);
    expect(await row(survivor)).toMatchObject({ state: 'unwanted', externalId: thing?.id });
  });

  it('removes its own duplicate where both records had an object', async () => {
    const orderId = await linkedOrder();
    const [alias, survivor] = [
      await own.publish({ fields: shipment(orderId) }),
      await own.publish({ fields: shipment(orderId) }),
    ];
    await settled(alias.id, 'delivered');
    await settled(survivor.id, 'delivered');
    const { revision } = await own.publish({ id: alias.id, deleted: true, mergedInto: survivor.id });
    await settled(alias.id, 'delivered', revision);
    expect(bed.of(alias.id)).toEqual([]);
    expect(bed.of(survivor.id)).toHaveLength(1);
  });

  it('removes the object of a deleted record and counts it no longer', async () => {
    const orderId = await linkedOrder();
    const { id } = await own.publish({ fields: shipment(orderId) });
    await settled(id, 'delivered');
    const before = ((await get('/status')).targets as { desired: number }[])[0]!.desired;
    const { revision } = await own.publish({ id, deleted: true });
    await settled(id, 'delivered', revision);
    expect(bed.of(id)).toEqual([]);
    expect(((await get('/status')).targets as { desired: number }[])[0]!.desired).toBe(before - 1);
  });

  it('goes on after a restart in the middle, with one object per record, and repeats have no effect', async () => {
    const orderId = await linkedOrder();
    bed.faults = [{ on: 'POST', fault: 'stall' }];
    const sent = await Promise.all(Array.from({ length: 30 }, () => own.publish({ fields: shipment(orderId) })));
    await until(() => sent.some(({ id }) => bed.of(id).length === 1));
    await writer.close();
    writer = await start();
    for (const { id, revision } of sent) await settled(id, 'delivered', revision);
    for (const { id } of sent) expect(bed.of(id)).toHaveLength(1);
    const requests = bed.requests.length;
    for (const { id, revision } of sent)
      await own.publish({ id, revision, fields: shipment(orderId, { status: 'failed' }) });
    const last = await own.publish({ fields: { trackingNumber: null } });
    await settled(last.id, 'unwanted');
    expect(bed.requests.length).toBe(requests);
  });

  it('says how it is doing', async () => {
    const status = await get('/status');
    expect(status.targets).toEqual([
      expect.objectContaining({
        name: own.target,
        provider: 'testbed',
        state: 'ok',
        circuit: 'closed',
        pending: 0,
        dead: 0,
      }),
    ]);
    const lag = status.consumers as { group: string; topic: string }[];
    expect(lag.map((l) => l.topic).sort()).toEqual(['canonical.order', 'canonical.shipment']);
    const recent = (await get('/recent?after=0')).recent as { target: string }[];
    expect(Array.isArray(recent)).toBe(true);
  });
});
