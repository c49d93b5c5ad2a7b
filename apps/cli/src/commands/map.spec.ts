import { describe, expect, it } from '@jest/globals';
import { connectors } from '@syncline/connectors';
import { Failure } from '../failure.js';
import { mapPayload } from './map.js';

const tracker = {
  object: 'Tracker',
  id: 'trk_1',
  tracking_code: 'EZ1000000001',
  status: 'in_transit',
  carrier: 'USPS',
  created_at: '2026-11-20T08:00:00Z',
  updated_at: '2026-11-23T08:00:00Z',
  tracking_details: [],
};

describe('mapPayload', () => {
  it('takes the provider’s noun', () => {
    const [shipment] = mapPayload(connectors.easypost, 'carrier', 'tracker', tracker);
    expect(shipment).toMatchObject({ kind: 'shipment', noun: 'tracker', externalId: 'trk_1' });
    expect(shipment?.fields).toMatchObject({ status: 'in_transit', trackingNumber: 'EZ1000000001' });
  });

  it('takes a canonical kind, and finds out which of the provider’s objects the payload is', () => {
    expect(mapPayload(connectors.easypost, 'carrier', 'shipment', tracker)).toBeDefined();
    const order = {
      id: 450789469,
      name: '#1042',
      updated_at: '2026-11-23T08:00:00Z',
      created_at: '2026-11-23T08:00:00Z',
    };
    expect(mapPayload(connectors.shopify, 'shop', 'order', order)[0]).toMatchObject({
      kind: 'order',
      externalId: '450789469',
    });
  });

  it('names the objects there are, and says what is wrong with a payload', () => {
    expect(() => mapPayload(connectors.shopify, 'shop', 'parcel', {})).toThrow(
      new Failure('shopify has no "parcel": use one of order (order), fulfillment (shipment)'),
    );
    expect(() => mapPayload(connectors.shopify, 'shop', 'order', [])).toThrow(/^The payload cannot be mapped: /);
  });
});
