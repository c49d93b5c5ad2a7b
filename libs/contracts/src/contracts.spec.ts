import { describe, expect, it } from '@jest/globals';
import { carrierCode, trackingKey } from './carriers.js';
import { canonicalHeaders, header, rawHeaders, readCanonicalHeaders, readRawHeaders } from './envelope.js';
import { asSyncError, SyncError } from './failure.js';
import { toInstant } from './parts.js';
import { declaredTopics, parseTopic, transformerTopics } from './topics.js';

describe('instants', () => {
  it.each([
    ['2021-01-25T16:32:23-05:00', '2021-01-25T21:32:23.000Z'],
    ['2025-03-06T19:48:05.456Z', '2025-03-06T19:48:05.456Z'],
    ['2026-02-30T00:00:00Z', '2026-03-02T00:00:00.000Z'],
  ])('%s is %s', (text, instant) => {
    expect(toInstant(text)).toBe(instant);
  });

  it.each(['2021-01-25', '2021-01-25T16:32:23', 'soon', '', null, 7])('%j has no zone or is no time', (text) => {
    expect(toInstant(text)).toBeNull();
  });

  it("takes the connection's zone where the text has none", () => {
    expect(toInstant('2021-01-25 16:32:23', '+02:00')).toBe('2021-01-25T14:32:23.000Z');
    expect(toInstant('2021-01-25', 'Z')).toBe('2021-01-25T00:00:00.000Z');
  });
});

describe('carriers', () => {
  it('knows the names people and providers write', () => {
    expect(
      ['USPS', 'us postal service', 'U.S. Postal Service', 'DHL Express', 'DHLExpress', 'Canada Post'].map(carrierCode),
    ).toEqual(['usps', 'usps', 'usps', 'dhl_express', 'dhl_express', 'canada_post']);
  });

  it('does not guess: an unknown carrier gives a number no identity', () => {
    expect(carrierCode('My cousin with a van')).toBeNull();
    expect(trackingKey(carrierCode('DHL something new'), '123')).toBeNull();
    expect(trackingKey('usps', ' 9400 1000-2000 ')).toEqual({ scope: 'tracking', key: 'usps:940010002000' });
    expect(trackingKey('usps', ' - ')).toBeNull();
  });
});

describe('headers', () => {
  const raw = {
    eventId: 'e1',
    connection: 'shop',
    type: 'orders/updated',
    externalId: '450',
    occurredAt: 1_700_000_000_123,
    origin: 'webhook' as const,
    apiVersion: '2026-07',
    receivedAt: 1_700_000_000_500,
    readAt: null,
  };

  it('come back as they went', () => {
    expect(readRawHeaders(rawHeaders(raw, 'shopify'))).toEqual(raw);
    const event = {
      id: 'r',
      kind: 'order',
      revision: 7,
      cause: 'shop',
      connections: ['shop', 'carrier'],
      changedAt: 5,
      receivedAt: 6,
      mergedInto: 'q',
    };
    expect(readCanonicalHeaders('r', 'order', canonicalHeaders(event))).toEqual(event);
  });

  it.each([header.id, header.source, header.type, header.subject, header.origin])(
    'name what is missing: %s',
    (name) => {
      const { [name]: _, ...rest } = rawHeaders(raw, 'shopify');
      expect(() => readRawHeaders(rest)).toThrow(expect.objectContaining({ kind: 'unmappable', path: name }));
    },
  );

  it('refuse a revision that is no number', () => {
    expect(() => readCanonicalHeaders('r', 'order', {})).toThrow(expect.objectContaining({ kind: 'unmappable' }));
  });
});

describe('topics', () => {
  it('are declared once each, with those of every target', () => {
    const names = declaredTopics(['warehouse', 'shop']).map((t) => t.name);
    expect(new Set(names).size).toBe(names.length);
    expect(names).toEqual(
      expect.arrayContaining([
        ...transformerTopics(),
        'canonical.order',
        'canonical.shipment',
        'dead-letter.writer.warehouse',
        'invalid.transformer',
      ]),
    );
  });

  it('keep canonical state for ever and tombstones a week', () => {
    const spec = declaredTopics([]).find((t) => t.name === 'canonical.order');
    expect(spec?.config).toMatchObject({
      'cleanup.policy': 'compact',
      'delete.retention.ms': String(7 * 24 * 3600 * 1000),
    });
  });

  it('say what they carry', () => {
    expect(parseTopic('raw.shopify.order')).toEqual({ role: 'raw', provider: 'shopify', noun: 'order' });
    expect(parseTopic('canonical.invoice')).toBeNull();
    expect(parseTopic('__consumer_offsets')).toBeNull();
  });
});

describe('failures', () => {
  it('keep what was thrown and let no text of strangers out', () => {
    const error = asSyncError(new TypeError('customer ada@example.com is odd'));
    expect(error).toBeInstanceOf(SyncError);
    expect(error.kind).toBe('defect');
    expect(error.message).not.toContain('ada');
    const own = new SyncError('throttled', 'wait', { retryAfterMs: 5 });
    expect(asSyncError(own)).toBe(own);
  });
});
