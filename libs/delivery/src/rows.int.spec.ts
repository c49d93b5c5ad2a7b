import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { testInfra } from '@syncline/infra';
import {
  type Claim,
  claimDue,
  closeDelivery,
  createTestDatabase,
  type DesiredRow,
  deadCauses,
  deliveriesOf,
  extendClaims,
  hastenRetries,
  linksOf,
  openStore,
  type Parking,
  parkDelivery,
  reviveDead,
  type Store,
  storeAttempt,
  storeConfirmed,
  storeDesired,
  storeLinks,
  wakeLinked,
  wakeWaiting,
} from '@syncline/store';
import { until } from './testing/installation.js';

let store: Store;
let database: { url: string; drop(): Promise<void> };
let target = '';
let tests = 0;

beforeAll(async () => {
  database = await createTestDatabase((await testInfra()).databaseUrl);
  store = await openStore({ url: database.url, role: 'delivery', applicationName: 'test' });
}, 180_000);
afterAll(async () => {
  await store.close();
  await database.drop();
});
beforeEach(() => {
  target = `target-${++tests}`;
});

const fresh = { externalId: null, made: false, pendingCreate: false, tries: [] };
const desired = (revision: number, over: Partial<DesiredRow> = {}): DesiredRow => ({
  id: 'r1',
  kind: 'shipment',
  revision,
  deleted: false,
  mergedInto: null,
  wanted: true,
  event: `{"revision":${revision}}`,
  cause: 'shop',
  changedAt: 1,
  receivedAt: 2,
  traceparent: null,
  ...over,
});
const take = (token: string, leaseMs = 5_000, limit = 10) =>
  claimDue(store, target, ['shipment'], token, limit, leaseMs);
const claim = (token: string, id = 'r1'): Claim => ({ target, id, token });
const row = async (id = 'r1') => (await deliveriesOf(store, [target], id))[0];
const closing = (revision: number) => ({ revision, state: fresh, wanted: true, answered: { outcome: 'written' } });
const parking = (revision: number, over: Partial<Parking> = {}): Parking => ({
  revision,
  state: fresh,
  to: 'pending',
  dueInMs: 60_000,
  attempts: 1,
  settleMs: null,
  ...over,
});

describe('what a target is to get', () => {
  it('is the newest revision, whatever order the events come in', async () => {
    expect(await storeDesired(store, target, [desired(5)])).toBe(1);
    expect(await storeDesired(store, target, [desired(4), desired(3, { id: 'r2' })])).toBe(1);
    expect(await row()).toMatchObject({ desiredRevision: 5, deliveredRevision: 0, state: 'pending' });
    expect(await storeDesired(store, target, [desired(5)])).toBe(0);
  });
  it('replaces a parked revision in place, due at once and with no attempts', async () => {
    await storeDesired(store, target, [desired(5)]);
    await take('a');
    await parkDelivery(store, claim('a'), parking(5, { attempts: 7, failure: { kind: 'transient', reason: 'away' } }));
    expect(await take('b')).toEqual([]);
    await storeDesired(store, target, [desired(6)]);
    expect(await take('b')).toEqual([expect.objectContaining({ revision: 6, attempts: 0, event: '{"revision":6}' })]);
  });
  it('is not counted where the record has no place there, unless it has an object there', async () => {
    await storeDesired(store, target, [desired(5, { wanted: false })]);
    expect(await row()).toMatchObject({ state: 'unwanted' });
    await storeDesired(store, target, [desired(6)]);
    await take('a');
    await closeDelivery(store, claim('a'), { ...closing(6), state: { ...fresh, externalId: 'x1' } });
    await storeDesired(store, target, [desired(7, { wanted: false })]);
    expect(await row()).toMatchObject({ state: 'pending' });
  });
  it('keeps the event of an open create when the record is deleted, to look the object up', async () => {
    await storeDesired(store, target, [desired(5)]);
    await take('a');
    await storeAttempt(store, claim('a'), { ...fresh, pendingCreate: true, tries: [{ a: 1 }] }, 0);
    await storeDesired(store, target, [desired(6, { deleted: true, wanted: false, event: null })]);
    expect(await take('b')).toEqual([]);
    await parkDelivery(store, claim('a'), parking(5, { state: { ...fresh, pendingCreate: true }, settleMs: 0 }));
    await until(async () =>
      (await take('b')).some((r) => r.deleted && r.event === '{"revision":5}' && r.pendingCreate),
    );
  });
});

describe('a claimed row', () => {
  it('belongs to one dispatcher at a time', async () => {
    await storeDesired(
      store,
      target,
      Array.from({ length: 20 }, (_, i) => desired(5, { id: `r${i}` })),
    );
    const taken = await Promise.all(['a', 'b', 'c', 'd'].map((token) => take(token, 5_000, 8)));
    const ids = taken.flat().map((r) => r.id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.length + (await take('e', 5_000, 20)).length).toBe(20);
  });
  it('is free again when its holder is gone, who then changes nothing any more', async () => {
    await storeDesired(store, target, [desired(5)]);
    await take('dead', 50);
    await until(async () => (await take('b')).length === 1);
    expect(await storeAttempt(store, claim('dead'), fresh, 0)).toBe(false);
    expect(await closeDelivery(store, claim('dead'), closing(5))).toBe(false);
    expect(await parkDelivery(store, claim('dead'), parking(5))).toBe(false);
    expect(await closeDelivery(store, claim('b'), closing(5))).toBe(true);
    expect(await row()).toMatchObject({ state: 'delivered', deliveredRevision: 5 });
  });
  it('stays with a holder who renews', async () => {
    await storeDesired(store, target, [desired(5)]);
    await take('a', 150);
    for (let i = 0; i < 4; i++) {
      await new Promise((resolve) => setTimeout(resolve, 60));
      await extendClaims(store, target, ['a'], 150, 0);
    }
    expect(await take('b')).toEqual([]);
  });
  it('is left alone while a request of unknown outcome may still arrive', async () => {
    await storeDesired(store, target, [desired(5)]);
    await take('a');
    await parkDelivery(store, claim('a'), parking(5, { dueInMs: 0, settleMs: 300 }));
    await storeDesired(store, target, [desired(6)]);
    expect(await take('b')).toEqual([]);
    await until(async () => (await take('b')).length === 1, 2_000);
  });
  it('is due again at once where a newer revision came while it was closed, parked or given up', async () => {
    for (const end of ['close', 'park', 'dead'] as const) {
      target = `${target}-${end}`;
      await storeDesired(store, target, [desired(5)]);
      await take('a');
      await storeDesired(store, target, [desired(6)]);
      if (end === 'close') await closeDelivery(store, claim('a'), closing(5));
      else await parkDelivery(store, claim('a'), parking(5, { to: end === 'dead' ? 'dead' : 'pending', attempts: 3 }));
      expect(await take('b')).toEqual([expect.objectContaining({ revision: 6, attempts: 0, event: '{"revision":6}' })]);
    }
  });
  it('goes sooner when its target is back, those with the fewest attempts first', async () => {
    const ids = ['r1', 'r2', 'r3'];
    await storeDesired(
      store,
      target,
      ids.map((id) => desired(5, { id })),
    );
    await take('a');
    for (const [i, id] of ids.entries()) {
      const failure = { kind: i === 1 ? 'throttled' : 'transient', reason: 'away' };
      await parkDelivery(store, claim('a', id), parking(5, { attempts: 3 - i, failure }));
    }
    expect(await hastenRetries(store, target, { withinMs: 0, limit: 1, attemptsBelow: 5 })).toBe(1);
    expect((await take('b')).map((r) => r.id)).toEqual(['r3']);
    expect(await hastenRetries(store, target, { withinMs: 0 })).toBe(1);
    expect((await take('b')).map((r) => r.id)).toEqual(['r1']);
  });
});

describe('a row that waits', () => {
  const wait = async (...ids: string[]) => {
    await storeDesired(store, target, [desired(5)]);
    await take('a');
    await parkDelivery(store, claim('a'), parking(5, { to: 'waiting', waitsFor: ids, attempts: 0 }));
    expect(await take('b')).toEqual([]);
  };
  it('is woken by its link', async () => {
    await wait('o1');
    expect(
      await wakeWaiting(store, target, await storeLinks(store, target, [{ kind: 'order', id: 'o2', externalId: 'x' }])),
    ).toBe(0);
    const news = await storeLinks(store, target, [{ kind: 'order', id: 'o1', externalId: 'x1' }]);
    expect(await wakeWaiting(store, target, news)).toBe(1);
    expect(await take('b')).toHaveLength(1);
    expect([...(await linksOf(store, target, ['o1', 'o9']))]).toEqual([['o1', 'x1']]);
  });
  it('is found later where its link was stored in the same moment', async () => {
    await storeLinks(store, target, [{ kind: 'order', id: 'o1', externalId: 'x1' }]);
    await wait('o1');
    expect(await storeLinks(store, target, [{ kind: 'order', id: 'o1', externalId: 'x1' }])).toEqual([]);
    expect(await wakeLinked(store, target)).toBe(1);
    expect(await take('b')).toHaveLength(1);
  });
});

describe('rows of a batch target', () => {
  const confirmed = (
    revision: number,
    failure: { kind: string; reason: string; event: string | null } | null = null,
  ) => {
    const { wanted: _w, event: _e, ...rest } = desired(revision);
    return { ...rest, failure };
  };
  it('never go back, and a refused revision gives way to the same one taken later', async () => {
    await storeConfirmed(store, target, [confirmed(5, { kind: 'rejected', reason: 'no', event: '{}' })]);
    expect(await row()).toMatchObject({ state: 'dead', failureReason: 'no', deliveredRevision: 0 });
    await storeConfirmed(store, target, [confirmed(5)]);
    await storeConfirmed(store, target, [confirmed(4, { kind: 'rejected', reason: 'late', event: '{}' })]);
    expect(await row()).toMatchObject({ state: 'delivered', deliveredRevision: 5, failureKind: null });
  });

  it('are listed by cause, and made due again but for what the target has by now', async () => {
    const [r1, r2, r3] = ['r1', 'r2', 'r3'].map((id) => ({
      ...confirmed(5, { kind: 'rejected', reason: 'no', event: '{}' }),
      id,
    }));
    const other = { ...confirmed(5, { kind: 'defect', reason: 'why', event: '{}' }), id: 'r4' };
    await storeConfirmed(store, target, [r1!, r2!, r3!, other]);
    const causes = await deadCauses(store, [target], {});
    expect(causes).toMatchObject([
      { target, kind: 'rejected', reason: 'no', count: 3 },
      { target, kind: 'defect', reason: 'why', count: 1, examples: ['r4'] },
    ]);
    expect(Math.abs(Date.now() - causes[0]!.since)).toBeLessThan(10_000);
    expect(await deadCauses(store, [target], { failureKind: 'defect' })).toHaveLength(1);
    expect(await deadCauses(store, [target], { id: 'r2' })).toMatchObject([{ count: 1, examples: ['r2'] }]);
    // A write of unknown outcome that was looked up later than it was given up.
    await store.query(`UPDATE deliveries SET delivered_revision = 5 WHERE target = $1 AND id = 'r2'`, [target]);
    expect(await reviveDead(store, target, { failureKind: 'rejected' })).toEqual({ revived: 2, superseded: 1 });
    expect(await reviveDead(store, target, { failureKind: 'rejected' })).toEqual({ revived: 0, superseded: 0 });
    const states = await store.query('SELECT id, state FROM deliveries WHERE target = $1 ORDER BY id', [target]);
    expect(states.map((row) => row.state)).toEqual(['pending', 'delivered', 'pending', 'dead']);
  });
});
