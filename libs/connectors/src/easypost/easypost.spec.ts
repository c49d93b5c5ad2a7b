import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import EasyPost from '@easypost/api';
import { describe, expect, it } from '@jest/globals';
import type { WebhookRequest } from '@syncline/connector-sdk';
import { describeConformance, fixtureEnvelope } from '@syncline/connector-sdk/testing';
import type { CanonicalRecord, Observation } from '@syncline/contracts';
import { easypost } from './index.js';
import { secrets, settings } from './manifest.js';
import { statuses, toCanonical } from './shipment.js';
import { parse, verify } from './webhook.js';
import { shipmentTarget } from './write.js';

const secret = 'sécret-of-a-webhook';
const sign = (body: Buffer | string, key = secret): string =>
  `hmac-sha256-hex=${createHmac('sha256', key.normalize('NFKD')).update(body).digest('hex')}`;
const fixture = (name: string): { body: Record<string, unknown> } =>
  JSON.parse(readFileSync(new URL(`./fixtures/${name}.json`, import.meta.url), 'utf8'));
const eventText = JSON.stringify(fixture('tracker/delivered-event').body);

describeConformance({
  connector: easypost,
  fixtures: new URL('./fixtures/', import.meta.url),
  webhook: {
    header: 'x-hmac-signature',
    sign: (body, key) => ({ 'x-hmac-signature': sign(body, key) }),
    body: eventText,
  },
});

const request = (body: string | Buffer, headers: WebhookRequest['headers'], receivedAt = 0): WebhookRequest => ({
  body: Buffer.from(body),
  headers,
  receivedAt,
});

describe('signatures, judged beside the official client', () => {
  // Its types name a namespace where the module gives a class.
  const Client = EasyPost as unknown as new (
    key: string,
  ) => { Utils: { validateWebhook(body: Buffer, headers: object, secret: string): object } };
  const client = new Client('EZTKtest');
  const official = (r: WebhookRequest, key: string): boolean => {
    try {
      client.Utils.validateWebhook(r.body, r.headers, key);
      return true;
    } catch {
      return false;
    }
  };
  const served =
    '{"id":"evt_1","description":"tracker.updated","result":{"id":"trk_1","object":"Tracker","weight":12.0}}';
  const lost = served.replace('12.0', '12');
  const spaced =
    '{"description": "tracker.updated", "result": {"id": "trk_1", "weight": 12 , "weight":7}, "weight":1.5}';
  const cases: [string, WebhookRequest, string, boolean][] = [
    ['as the servers send it', request(served, { 'x-hmac-signature': sign(served) }), secret, true],
    [
      'a whole weight whose point a JSON library lost',
      request(lost, { 'x-hmac-signature': sign(served) }),
      secret,
      true,
    ],
    ['a whole weight signed without its point', request(lost, { 'x-hmac-signature': sign(lost) }), secret, false],
    [
      'spaces around weights',
      request(spaced, { 'x-hmac-signature': sign(spaced.replace('12 ', '12.0').replace('7}', '7.0}')) }),
      secret,
      true,
    ],
    [
      'the secret in another Unicode form',
      request(served, { 'x-hmac-signature': sign(served) }),
      secret.normalize('NFC'),
      true,
    ],
    [
      'the key used without normalising',
      request(served, {
        'x-hmac-signature': `hmac-sha256-hex=${createHmac('sha256', secret.normalize('NFC')).update(served).digest('hex')}`,
      }),
      secret,
      false,
    ],
    ['another secret', request(served, { 'x-hmac-signature': sign(served) }), 'another', false],
    ['no signature', request(served, {}), secret, false],
    ['only the digits', request(served, { 'x-hmac-signature': sign(served).slice(16) }), secret, false],
    [
      'capital digits',
      request(served, { 'x-hmac-signature': sign(served).replace(/[a-f0-9]+$/, (d) => d.toUpperCase()) }),
      secret,
      false,
    ],
    ['cut short', request(served, { 'x-hmac-signature': sign(served).slice(0, -2) }), secret, false],
    [
      'base64',
      request(served, {
        'x-hmac-signature': `hmac-sha256-hex=${createHmac('sha256', secret).update(served).digest('base64')}`,
      }),
      secret,
      false,
    ],
    ['a changed weight', request(served.replace('12.0', '13.0'), { 'x-hmac-signature': sign(served) }), secret, false],
    ['a changed body', request(served.replace('trk_1', 'trk_2'), { 'x-hmac-signature': sign(served) }), secret, false],
    [
      'a body written anew',
      request(JSON.stringify(JSON.parse(served), null, 2), { 'x-hmac-signature': sign(served) }),
      secret,
      false,
    ],
    [
      'text beyond ASCII',
      request(served.replace('trk_1', 'trk_é✓'), { 'x-hmac-signature': sign(served.replace('trk_1', 'trk_é✓')) }),
      secret,
      true,
    ],
    ['the other header in its old place', request(served, { 'x-hmac-signature-v2': sign(served) }), secret, false],
    [
      'a second signature nobody can confirm',
      request(served, {
        'x-hmac-signature': sign(served),
        'x-hmac-signature-v2': 'x',
        'x-timestamp': 'y',
        'x-path': '/',
      }),
      secret,
      true,
    ],
  ];

  it.each(cases)('%s', (_, r, key, valid) => {
    expect(official(r, key)).toBe(valid);
    expect(verify(r, [key]).ok).toBe(valid);
  });
});

describe('the second signature', () => {
  const at = Date.parse('Tue, 19 Aug 2025 20:37:09 -0000');
  const stamp = 'Tue, 19 Aug 2025 20:37:09 -0000';
  const second = (over: Record<string, string> = {}, receivedAt = at): WebhookRequest => {
    const signed = sign(`${stamp}POST/webhooks/carrier${eventText}`);
    const headers = { 'x-timestamp': stamp, 'x-path': '/webhooks/carrier', 'x-hmac-signature-v2': signed, ...over };
    return request(eventText, headers, receivedAt);
  };

  it('alone is enough, with and without its prefix', () => {
    expect(verify(second(), [secret])).toEqual({ ok: true });
    const digits = String(second().headers['x-hmac-signature-v2']).slice(16);
    expect(verify(second({ 'x-hmac-signature-v2': digits }), ['old', secret])).toEqual({ ok: true });
  });

  it('covers the time: a request of more than 5 minutes ago or ahead is stale, whatever the first one says', () => {
    const first = { 'x-hmac-signature': sign(eventText) };
    for (const shift of [300_001, -300_001])
      expect(verify(second(first, at + shift), [secret])).toEqual({ ok: false, reason: 'stale' });
    expect(verify(second(first, at + 299_000), [secret]).ok).toBe(true);
  });

  it('covers path, time and body', () => {
    expect(verify(second({ 'x-path': '/other' }), [secret]).ok).toBe(false);
    expect(verify(second({ 'x-timestamp': 'Tue, 19 Aug 2025 20:38:09 -0000' }), [secret]).ok).toBe(false);
    expect(verify({ ...second(), body: Buffer.from(`${eventText} `) }, [secret]).ok).toBe(false);
    expect(
      verify(second({ 'x-hmac-signature-v2': sign(`${stamp}POST/webhooks/carrier${eventText}`, '') }), ['']).ok,
    ).toBe(false);
  });
});

describe('events', () => {
  const event = (over: Record<string, unknown>) => ({ ...fixture('tracker/delivered-event').body, ...over });

  it('about trackers and shipments are items, with their bytes as they came', () => {
    expect(parse(request(eventText, {}), JSON.parse(eventText))).toEqual({
      kind: 'item',
      item: {
        noun: 'tracker',
        aggregateId: 'trk_4f0c8d1be0e84c1fb0a1f7a1c2d3e4f5',
        externalId: 'trk_4f0c8d1be0e84c1fb0a1f7a1c2d3e4f5',
        version: '2026-11-05T16:20:31Z',
        body: eventText,
      },
      eventId: 'evt_9d3f6a0ecafe11f0b1a20242ac120002',
      type: 'tracker.updated',
      occurredAt: Date.parse('2026-11-05T16:20:32.123Z'),
      apiVersion: null,
      also: [],
    });
    const bought = fixture('shipment/bought-event').body;
    expect(parse(request('', {}), bought)).toMatchObject({ kind: 'item', item: { noun: 'shipment' } });
  });

  it('of a bought label name its shipment, which no Event of its own tells of', () => {
    const made = { ...(JSON.parse(eventText) as { result: object }), description: 'tracker.created' };
    const withShipment = { ...made, result: { ...made.result, shipment_id: 'shp_1' } };
    expect(parse(request('', {}), withShipment)).toMatchObject({ also: [{ noun: 'shipment', externalId: 'shp_1' }] });
    expect(parse(request('', {}), { ...made, result: { ...made.result, shipment_id: null } })).toMatchObject({
      also: [],
    });
  });

  it.each(['batch.updated', 'refund.successful', 'shipment.invoice.created', 'scan_form.created'])(
    '%s is ignored',
    (description) => {
      const result = { id: 'x_1', object: 'Other' };
      expect(parse(request('', {}), event({ description, result }))).toEqual({ kind: 'ignored', type: description });
    },
  );

  it('about a tracker without one cannot be mapped', () => {
    expect(() => parse(request('', {}), event({ result: null }))).toThrow(
      expect.objectContaining({ kind: 'unmappable', path: 'result' }),
    );
  });
});

describe('mapping', () => {
  const map = (body: unknown): Observation[] => toCanonical({ envelope: fixtureEnvelope({}), body });
  const tracker = {
    id: 'trk_1',
    object: 'Tracker',
    tracking_code: '1Z999',
    carrier: 'UPSDAP',
    updated_at: '2026-11-05T16:20:31Z',
  };

  it.each(Object.entries(statuses))('status %s means %s', (native, status) => {
    expect(map({ ...tracker, status: native })[0]).toMatchObject({ fields: { status }, native: { status: native } });
  });

  it('takes a bare object, an Event, a list, and an Event of something else', () => {
    const key = { scope: 'tracking', key: 'ups:1Z999' };
    for (const body of [tracker, { object: 'Event', result: tracker }, { trackers: [tracker], has_more: false }])
      expect(map(body)).toMatchObject([{ externalId: 'trk_1', keys: [key] }]);
    const other = { id: 'evt_1', object: 'Event', description: 'batch.updated' };
    for (const body of [other, { events: [other], has_more: true }, { trackers: [] }]) expect(map(body)).toEqual([]);
    expect(() => map({ object: 'Rate', id: 'rate_1' })).toThrow(expect.objectContaining({ kind: 'unmappable' }));
    expect(() => map({ ...tracker, id: null })).toThrow(expect.objectContaining({ kind: 'unmappable', path: 'id' }));
  });

  it('says nothing of what the message does not carry', () => {
    expect(Object.keys(map({ id: 'trk_1', object: 'Tracker', status: 'in_transit' })[0]?.fields ?? {})).toEqual([
      'status',
    ]);
  });

  it('orders webhooks of one second by the time of their events', () => {
    const ties = ['2026-11-05T16:20:31.100Z', '2026-11-05T16:20:31.900Z'].map(
      (created_at) => map({ object: 'Event', created_at, result: tracker })[0]?.tie ?? 0,
    );
    expect(ties[0]).toBeLessThan(ties[1] ?? 0);
  });
});

describe('README.md', () => {
  it('names every setting and secret with its description', () => {
    const readme = readFileSync(new URL('./README.md', import.meta.url), 'utf8').replace(/ +/g, ' ');
    for (const [name, field] of [...Object.entries(settings.shape), ...Object.entries(secrets.shape)])
      expect(readme).toContain(`| ${name} | ${field.description} |`);
  });

  it('lists every status', () => {
    const readme = readFileSync(new URL('./README.md', import.meta.url), 'utf8').replace(/ +/g, ' ');
    for (const [native, status] of Object.entries(statuses)) expect(readme).toContain(`| ${native} | ${status} |`);
  });
});

describe('as a target', () => {
  const record = (data: object): CanonicalRecord => ({
    kind: 'shipment',
    id: 'x',
    revision: 1,
    changedAt: '2026-11-20T10:00:00.000Z',
    sources: [],
    provenance: [],
    data,
  });

  it('wants shipments with a tracking number that are not cancelled', () => {
    expect(shipmentTarget.applies(record({ trackingNumber: '1Z' }))).toBe(true);
    expect(shipmentTarget.applies(record({ trackingNumber: ' - ' }))).toBe('has no tracking number');
    expect(shipmentTarget.applies(record({}))).toBe('has no tracking number');
    expect(shipmentTarget.applies(record({ trackingNumber: '1Z', status: 'cancelled' }))).toBe('is cancelled');
  });

  it('is behind in nothing but the number', () => {
    expect(shipmentTarget.normalise?.('trackingNumber', '94 00-1a')).toBe('94001A');
    expect(shipmentTarget.normalise?.('status', 'delivered')).toBeUndefined();
  });
});
