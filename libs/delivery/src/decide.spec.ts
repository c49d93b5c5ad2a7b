import { describe, expect, it } from '@jest/globals';
import type { Held } from '@syncline/connector-sdk';
import type { Fields } from '@syncline/contracts';
import {
  type Action,
  type DeliveryState,
  deadReceipt,
  decide,
  type EventView,
  settle,
  type TargetForm,
} from './decide.js';

const form: TargetForm = { updates: ['a', 'b'], creates: ['a', 'b', 'c'], removes: true };
const fresh: DeliveryState = { externalId: null, made: false, pendingCreate: false, tries: [] };
const linked: DeliveryState = { ...fresh, externalId: 'x1' };
const event = (over: Partial<EventView> = {}): EventView => ({
  revision: 7,
  deleted: false,
  fields: { a: '1', b: '2', c: '3' },
  source: null,
  wanted: true,
  missing: [],
  ...over,
});
const source = (behind: string[], seen = 5) => ({ externalId: 'x1', deleted: false, seen, behind });
const held = (fields: Fields, version = 5, over: Partial<Held> = {}): Held => ({
  externalId: 'x1',
  version,
  observation: { kind: 'shipment', noun: 'tracker', externalId: 'x1', version, fields, native: {}, keys: [], refs: [] },
  ...over,
});
const tombstone = event({ deleted: true, wanted: false, fields: {} });
const gone = held({}, 6, { deleted: true });
const given = (delivery: DeliveryState, e: EventView, h: Held | null | 'unread' = 'unread', f = form) =>
  decide({ delivery, event: e, held: h, form: f });

describe('a record without an object at the target', () => {
  it('is looked for before it is created', () => expect(given(fresh, event()).do).toBe('find'));
  it('is created with all that the target takes, and the create is remembered before it', () => {
    const action = given(fresh, event(), null);
    expect(action).toMatchObject({ do: 'create', fields: { a: '1', b: '2', c: '3' } });
    expect(action.delivery).toEqual({ ...fresh, pendingCreate: true, tries: [{ a: '1', b: '2', c: '3' }] });
  });
  it('is created without values the target cannot hold', () => {
    const normalise: TargetForm['normalise'] = (field, value) => (field === 'b' ? undefined : value);
    expect(given(fresh, event(), null, { ...form, normalise })).toMatchObject({ fields: { a: '1', c: '3' } });
  });
  it('is linked, not created, where somebody made it already', () => {
    const action = given(fresh, event(), held({ a: '9' }));
    expect(action).toMatchObject({ do: 'finish', delivery: { externalId: 'x1', made: false }, unwanted: false });
    expect(action).toMatchObject({ receipt: { outcome: 'declined', externalId: 'x1', sent: {}, tries: [] } });
  });
  it('waits for a reference before anything is asked of the target', () =>
    expect(given(fresh, event({ missing: ['orderId'] })).do).toBe('wait'));
  it('is left alone where it does not belong', () =>
    expect(given(fresh, event({ wanted: false }))).toMatchObject({ do: 'finish', receipt: null, unwanted: true }));
  it('is never made again after it was deleted there', () => {
    const e = event({ source: { ...source([]), deleted: true } });
    expect(given(fresh, e)).toMatchObject({ do: 'finish', receipt: null });
  });
  it('needs nothing to be deleted', () =>
    expect(given(fresh, tombstone)).toMatchObject({ do: 'finish', receipt: null }));
});

describe('a create of unknown outcome', () => {
  const tries = [{ a: '1' }];
  const open: DeliveryState = { ...fresh, pendingCreate: true, tries };
  it('is looked up first', () => expect(given(open, event()).do).toBe('find'));
  it('is linked as ours with what it holds and what was tried', () => {
    const action = given(open, event(), held({ a: '1' }));
    expect(action).toMatchObject({
      do: 'finish',
      delivery: { externalId: 'x1', made: true, pendingCreate: false, tries: [] },
    });
    expect(action).toMatchObject({
      receipt: { outcome: 'declined', sent: {}, tries, observed: { fields: { a: '1' } } },
    });
  });
  it('is sent again where nothing is found, with only the new attempt among the tries', () => {
    const action = given(open, event(), null);
    expect(action).toMatchObject({ do: 'create', delivery: { pendingCreate: true } });
    expect(action.delivery.tries).toHaveLength(1);
  });
  it('is looked up and removed when the record was deleted meanwhile', () => {
    expect(given(open, tombstone).do).toBe('find');
    expect(given(open, tombstone, held({}))).toMatchObject({
      do: 'remove',
      externalId: 'x1',
      delivery: { made: true },
    });
    expect(given(open, tombstone, null)).toMatchObject({ do: 'finish', receipt: null });
  });
  it('goes on with the object the event names where the look-up finds none', () =>
    expect(given({ ...open, externalId: 'x1' }, event({ source: source(['a']) }), null)).toMatchObject({ do: 'read' }));
  it('counts a deleted find as none', () => expect(given(open, event(), gone).do).toBe('create'));
});

describe('a record with an object at the target', () => {
  it('asks for nothing where nothing is behind', () =>
    expect(given(linked, event({ source: source([]) }))).toMatchObject({ do: 'finish', receipt: null }));
  it('keeps its tries where nothing is behind', () =>
    expect(given({ ...linked, tries: [{ a: '0' }] }, event({ source: source([]) })).delivery.tries).toEqual([
      { a: '0' },
    ]));
  it('is read before it is written', () => expect(given(linked, event({ source: source(['a']) })).do).toBe('read'));
  it('says gone where it is not there any more', () => {
    for (const nothing of [null, gone])
      expect(given(linked, event({ source: source(['a']) }), nothing)).toMatchObject({ receipt: { outcome: 'gone' } });
  });
  it('is only observed while the event does not know it as a source', () =>
    expect(given({ ...linked, made: true }, event(), held({ a: '9' }))).toMatchObject({
      receipt: { outcome: 'declined' },
    }));
  it('declines onto a state the event has not seen', () => {
    const action = given({ ...linked, tries: [{ a: '0' }] }, event({ source: source(['a']) }), held({ a: '9' }, 6));
    expect(action).toMatchObject({ do: 'finish', delivery: { tries: [] } });
    expect(action).toMatchObject({
      receipt: { outcome: 'declined', sent: {}, tries: [{ a: '0' }], observed: { version: 6 } },
    });
  });
  it('is done where it holds all that is behind, whatever its version', () => {
    for (const version of [5, 6])
      expect(given(linked, event({ source: source(['a']) }), held({ a: '1' }, version))).toMatchObject({
        receipt: { outcome: 'written', sent: {} },
      });
  });
  it('gets only the fields that are behind and differ', () => {
    const action = given(linked, event({ source: source(['a', 'b']) }), held({ a: '1', b: '9', c: '9' }));
    expect(action).toMatchObject({ do: 'update', fields: { b: '2' }, held: { version: 5 } });
    expect(action.delivery.tries).toEqual([{ b: '2' }]);
  });
  it('does not get fields it takes only at its creation', () =>
    expect(given(linked, event({ source: source(['c']) }), held({ c: '9' }))).toMatchObject({
      receipt: { outcome: 'written' },
    }));
  it('compares in the form the target keeps', () => {
    const normalise: TargetForm['normalise'] = (_, value) => String(value).trim();
    const e = event({ fields: { a: ' 1 ' }, source: source(['a']) });
    expect(given(linked, e, held({ a: '1' }), { ...form, normalise })).toMatchObject({
      receipt: { outcome: 'written' },
    });
  });
  it('compares values by what they say, not by their order', () => {
    const e = event({ fields: { a: { x: 1, y: [1, 2] } }, source: source(['a']) });
    expect(given(linked, e, held({ a: { y: [1, 2], x: 1 } })).do).toBe('finish');
    expect(given(linked, e, held({ a: { y: [2, 1], x: 1 } })).do).toBe('update');
  });
  it('is read and removed by a tombstone, where the target removes at all', () => {
    expect(given(linked, tombstone)).toMatchObject({ do: 'read' });
    expect(given(linked, tombstone, held({}))).toMatchObject({ do: 'remove', externalId: 'x1' });
    expect(given(linked, tombstone, null)).toMatchObject({ do: 'finish', receipt: null });
    expect(given(linked, tombstone, 'unread', { ...form, removes: false })).toMatchObject({ do: 'finish' });
  });
});

describe('what a reply means', () => {
  const update = given({ ...linked, tries: [{ b: '0' }] }, event({ source: source(['a']) }), held({ a: '9' }));
  const create = given(fresh, event(), null);
  type Change = Extract<Action, { do: 'create' | 'update' | 'remove' }>;
  it('closes a write with what was sent, what was tried and what the target then held', () => {
    const after = settle(update as Change, { outcome: 'done', held: held({ a: '1' }, 6) });
    expect(after).toMatchObject({ finished: true, delivery: { tries: [] } });
    expect(after.receipt).toMatchObject({
      outcome: 'written',
      sent: { a: '1' },
      tries: [{ b: '0' }, { a: '1' }],
      observed: { version: 6 },
    });
  });
  it('links what a create made', () => {
    const after = settle(create as Change, { outcome: 'done', held: held({ a: '1' }) });
    expect(after.delivery).toEqual({ externalId: 'x1', made: true, pendingCreate: false, tries: [] });
    expect(after.receipt).toMatchObject({ outcome: 'written', externalId: 'x1', sent: { a: '1', b: '2', c: '3' } });
  });
  it('forgets an attempt that is known to have changed nothing', () => {
    expect(settle(update as Change, { outcome: 'not-done' })).toMatchObject({
      finished: false,
      delivery: { tries: [{ b: '0' }] },
    });
    expect(settle(create as Change, { outcome: 'not-done' }).delivery).toEqual(fresh);
  });
  it('keeps an attempt of unknown outcome', () => {
    expect(settle(update as Change, { outcome: 'unknown' }).delivery.tries).toEqual([{ b: '0' }, { a: '1' }]);
    expect(settle(create as Change, { outcome: 'unknown' }).delivery.pendingCreate).toBe(true);
  });
  it('ends with gone or superseded where the target says so', () => {
    expect(settle(update as Change, { outcome: 'gone' }).receipt).toMatchObject({ outcome: 'gone' });
    expect(settle(update as Change, { outcome: 'superseded' }).receipt).toMatchObject({
      outcome: 'superseded',
      tries: [{ b: '0' }],
    });
  });
  it('needs no receipt for a removal', () => {
    const remove = given(linked, tombstone, held({})) as Change;
    expect(settle(remove, { outcome: 'done', held: null })).toMatchObject({ finished: true, receipt: null });
    expect(settle(remove, { outcome: 'unknown' }).finished).toBe(false);
  });
  it('closes the asks of a revision that is given up, with its open tries', () =>
    expect(deadReceipt({ ...linked, tries: [{ a: '1' }] }, 'no such carrier')).toMatchObject({
      outcome: 'dead',
      tries: [{ a: '1' }],
      reason: 'no such carrier',
    }));
});
