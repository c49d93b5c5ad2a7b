import { describe, expect, it } from '@jest/globals';
import type { Connector, ObjectTarget } from '@syncline/connector-sdk';
import type { CanonicalRecord, Source } from '@syncline/contracts';
import { parseEvent, sourceAt, viewOf } from './event.js';
import { kindOfReference, linkedKinds, topicsRead, wantedBy } from './flows.js';
import { testbedConnector } from './testing/testbed.js';

const entry = (externalId: string, over: Partial<Source> = {}): Source => ({
  connection: 'shop',
  noun: 'thing',
  externalId,
  deleted: false,
  seen: 1,
  behind: [],
  native: {},
  ...over,
});
const spec = testbedConnector.targets?.shipment as ObjectTarget;
const record = (data: object) =>
  ({
    id: 'r',
    kind: 'shipment',
    revision: 3,
    changedAt: '',
    sources: [],
    provenance: [],
    data,
  }) as unknown as CanonicalRecord;

describe('the object a record has at the target', () => {
  it('is the one we know, else the one that lives, else the one that was deleted', () => {
    expect(sourceAt([entry('x1'), entry('x2')], 'shop', 'thing', 'x2')?.externalId).toBe('x2');
    expect(sourceAt([entry('x1', { deleted: true }), entry('x2')], 'shop', 'thing', null)?.externalId).toBe('x2');
    expect(sourceAt([entry('x1', { deleted: true })], 'shop', 'thing', null)).toMatchObject({ deleted: true });
  });
  it('is not one of another connection or noun', () =>
    expect(sourceAt([entry('x1', { connection: 'c' }), entry('x2', { noun: 'n' })], 'shop', 'thing', null)).toBeNull());
  it('stays ours while the event does not name it yet', () =>
    expect(sourceAt([entry('x1')], 'shop', 'thing', 'x9')).toBeNull());
  it('gives way to another where the event calls it deleted', () =>
    expect(sourceAt([entry('x1', { deleted: true }), entry('x2')], 'shop', 'thing', 'x1')?.externalId).toBe('x2'));
});

describe('an event', () => {
  it('is refused with the path of what is wrong', () => {
    const wrong = (text: string) => {
      try {
        parseEvent(text, 'r', 'shipment');
        return null;
      } catch (error) {
        return error;
      }
    };
    expect(wrong('{')).toMatchObject({ kind: 'unmappable' });
    expect(wrong('null')).toMatchObject({ kind: 'unmappable' });
    expect(wrong('{"id":"other","kind":"shipment"}')).toMatchObject({ path: 'id' });
    expect(wrong('{"id":"r","kind":"order"}')).toMatchObject({ path: 'kind' });
    expect(wrong('{"id":"r","kind":"shipment","sources":[]}')).toMatchObject({ path: 'data' });
    expect(wrong('{"id":"r","kind":"shipment","data":{}}')).toMatchObject({ path: 'sources' });
  });
  it('says which references are not known at the target', () => {
    const view = (data: object, links = new Map<string, string>()) =>
      viewOf(record({ trackingNumber: 'T', ...data }), null, spec, links);
    expect(view({ orderId: 'o1' })).toMatchObject({ missing: ['orderId'], wanted: true });
    expect(view({ orderId: 'o1' }, new Map([['o1', 'x']]))).toMatchObject({ missing: [], wanted: true });
    expect(view({ orderId: null, trackingNumber: null })).toMatchObject({ missing: ['orderId'], wanted: false });
  });
});

describe('flows', () => {
  const flows = [
    { kinds: ['order', 'shipment'] as const, from: ['shop', 'carrier'], to: ['warehouse'] },
    { kinds: ['shipment'] as const, from: ['shop', 'carrier'], to: ['carrier'] },
  ].map((f) => ({ ...f, kinds: [...f.kinds] }));
  it('bring a record where a flow takes its kind from a connection that holds it', () => {
    const warehouse = wantedBy(flows, 'warehouse');
    expect(warehouse('order', ['shop'])).toBe(true);
    expect(warehouse('order', ['other'])).toBe(false);
    expect(warehouse('product', ['shop'])).toBe(false);
  });
  it('bring nothing back to where it alone lives', () => {
    const carrier = wantedBy(flows, 'carrier');
    expect(carrier('shipment', ['carrier'])).toBe(false);
    expect(carrier('shipment', ['carrier', 'shop'])).toBe(true);
    expect(carrier('order', ['shop'])).toBe(false);
  });
  it('are read with the kinds that writes refer to', () => {
    const linked = linkedKinds(testbedConnector, ['shipment']);
    expect([...linked]).toEqual([['order', 'deal']]);
    expect(topicsRead(['shipment'], linked.keys())).toEqual(['canonical.order', 'canonical.shipment']);
  });
  it('know a reference by its name', () => {
    expect(kindOfReference('orderId')).toBe('order');
    expect(kindOfReference('externalId')).toBeNull();
  });
  it('refuse a need that is no reference', () => {
    const broken = { ...testbedConnector, targets: { shipment: { ...spec, needs: ['status'] } } } as Connector;
    expect(() => linkedKinds(broken, ['shipment'])).toThrow(/testbed needs status/);
  });
});
