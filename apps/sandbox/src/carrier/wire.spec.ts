import { describe, expect, it } from '@jest/globals';
import { createRandom } from '../random.js';
import { sign } from './carrier.js';
import { detectCarrier, newTrackingCode } from './tracking.js';
import { eventJson, wireJson } from './wire.js';

describe('the carrier on the wire', () => {
  it('writes weights and lengths with a point, and nothing else', () => {
    expect(wireJson({ weight: 12, parcel: { length: 10, width: 8.5, height: 4 }, count: 3, note: '"weight":7' })).toBe(
      '{"weight":12.0,"parcel":{"length":10.0,"width":8.5,"height":4.0},"count":3,"note":"\\"weight\\":7"}',
    );
  });

  it("keeps an event's result as it was when it happened", () => {
    const event = {
      id: 'evt_1',
      description: 'tracker.updated',
      createdAt: 0,
      updatedAt: 0,
      previous: { status: 'unknown' },
      status: 'pending',
      pendingUrls: [],
      completedUrls: [],
      result: '{"weight":1.0}',
    } as const;
    const bytes = eventJson({ ...event, pendingUrls: [], completedUrls: [] });
    expect(bytes.endsWith(',"result":{"weight":1.0}}')).toBe(true);
    expect(JSON.parse(bytes)).toMatchObject({
      object: 'Event',
      previous_attributes: { status: 'unknown' },
      result: { weight: 1 },
    });
  });

  it('signs with the secret in its decomposed form', () => {
    expect(sign('{}', '\u00e9')).toBe(sign('{}', 'e\u0301'));
    expect(sign('{}', 'e')).toMatch(/^hmac-sha256-hex=[0-9a-f]{64}$/);
  });

  it.each(['USPS', 'UPS', 'DHLExpress', 'FedEx'])('knows its own %s codes again', (name) => {
    expect(detectCarrier(newTrackingCode(name, createRandom(3)))).toBe(name);
  });

  it('does not guess at other codes', () => expect(detectCarrier('HELLO')).toBeUndefined());
});
