// What anybody can put into a request to the public endpoint: one test for each kind.
import { createHmac } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import { bodyBytesMax } from './body.js';
import {
  carrier,
  type Headers,
  hmac,
  ofShop,
  order,
  post,
  published,
  raw,
  refuses,
  secret,
  shop,
  topics,
} from './testing/endpoint.js';

describe('size', () => {
  it('a body over the limit → 413', () => refuses(413, Buffer.alloc(bodyBytesMax + 1, 0x20)));
  it('a gzip bomb, also one in several members → 413, with little memory', async () => {
    const bomb = gzipSync(Buffer.alloc(200 << 20));
    const before = process.memoryUsage().arrayBuffers;
    const headers = { ...ofShop(bomb), 'content-encoding': 'gzip' };
    await refuses(413, bomb, headers);
    await refuses(413, Buffer.concat(Array.from({ length: 30 }, () => gzipSync(Buffer.alloc(100_000)))), headers);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50 << 20);
  });
});

describe('type', () => {
  const body = order(1);
  it.each<[string, Headers]>([
    ['no content type', { 'content-type': undefined }],
    ['a form', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['another charset', { 'content-type': 'application/json; charset=utf-7' }],
    ['an unknown encoding', { 'content-encoding': 'zstd' }],
    ['two encodings', { 'content-encoding': 'gzip, gzip' }],
  ])('%s → 415', (_, over) => refuses(415, body, { ...ofShop(body), ...over }));

  it('XML, with entities and a document type that name our own network → 415, and nothing is fetched', async () => {
    let asked = 0;
    const inside: Server = createServer((_, response) => {
      asked++;
      response.end('x');
    });
    await new Promise<void>((resolve) => inside.listen(0, '127.0.0.1', resolve));
    const { port } = inside.address() as { port: number };
    const at = `http://127.0.0.1:${port}/`;
    for (const text of [
      `<?xml version="1.0"?><!DOCTYPE o SYSTEM "${at}a.dtd"><o>&x;</o>`,
      `<?xml version="1.0"?><!DOCTYPE o [<!ENTITY x SYSTEM "${at}b">]><o>&x;</o>`,
      `<?xml version="1.0"?><!DOCTYPE o [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><o>&b;</o>`,
      '<o><p></o>',
    ]) {
      await refuses(415, text, { ...ofShop(text), 'content-type': 'application/xml' });
      await refuses(415, text, { ...ofShop(text), 'content-type': 'text/xml; charset=utf-8' });
      await refuses(400, text, ofShop(text));
    }
    // Nor does an address in a message make us ask it.
    const told = order(2, `,"order_status_url":"${at}c","$schema":"${at}d"`);
    expect((await post(told)).status).toBe(200);
    inside.close();
    expect(asked).toBe(0);
  });
});

describe('content, behind a right signature', () => {
  it.each<[string, Buffer]>([
    ['bad JSON', Buffer.from('{"id":1')],
    ['two values', Buffer.from('{"id":1}{"id":2}')],
    ['invalid UTF-8', Buffer.from('{"id":1,"note":"\u00c3("}', 'latin1')],
    ['an overlong sequence', Buffer.from('{"id":1,"note":"\u00c0\u00af"}', 'latin1')],
    ['UTF-16', Buffer.from('{"id":1}', 'utf16le')],
    ['nesting of 65', Buffer.from(`${'['.repeat(65)}${']'.repeat(65)}`)],
    ['nesting of 100,000', Buffer.from('['.repeat(100_000))],
    ['a message without an id', Buffer.from('{"name":"#1"}')],
  ])('%s → 400, and 401 without the signature', async (_, body) => {
    await refuses(400, body);
    await refuses(401, body, { ...ofShop(body), 'x-shopify-hmac-sha256': hmac('other') });
  });

  it.each<[string, string]>([
    ['__proto__ keys', ',"__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}}'],
    ['duplicate keys', ',"note":"a","note":"b"'],
    ['integers over 2^53', ',"total":9007199254740993'],
    ['1e400', ',"total":1e400,"less":-1e400,"long":0.1000000000000000055511151231257827'],
    ['lone surrogates', ',"note":"\\ud800 \\udfff"'],
    ['NUL', ',"note":"a\\u0000b"'],
  ])('%s → taken, byte by byte', async (_, more) => {
    const id = 1_000 + more.length * 7;
    const body = order(id, more);
    expect((await post(body)).status).toBe(200);
    expect(await published(topics[0] as string, `${shop}/${id}`)).toEqual([body]);
    expect('admin' in {}).toBe(false);
  });
});

describe('signature', () => {
  const body = order(3);
  const right = hmac(body);
  it.each<[string, string | undefined]>([
    ['none', undefined],
    ['an empty one', ''],
    ['a wrong one', hmac('other')],
    ['one of another secret', hmac(body, 'base64', 'sha256', 'guessed')],
    ['one of an empty secret', hmac(body, 'base64', 'sha256', '')],
    ['one that is cut', right.slice(0, -4)],
    ['one that goes on', `${right}AAAA`],
    ['hex instead of base64', hmac(body, 'hex')],
    ['base64 without padding', right.replace(/=+$/, '')],
    ['base64 with spaces inside', `${right.slice(0, 4)} ${right.slice(4)}`],
    ['base64 for URLs', `${hmac(body, 'base64').replace(/[+/]/g, '-')}-`],
    ['sha1', hmac(body, 'base64', 'sha1')],
    ['sha512', hmac(body, 'base64', 'sha512')],
    ['two, joined', `${right}, ${right}`],
    ['one with its algorithm before it', `sha256=${right}`],
  ])('%s → 401', (_, signature) => refuses(401, body, { ...ofShop(body), 'x-shopify-hmac-sha256': signature }));

  it('two headers, both right → 401', async () => {
    const lines = ['Host: a', 'content-type: application/json', `content-length: ${body.length}`];
    const signed = [`x-shopify-hmac-sha256: ${right}`, `x-shopify-hmac-sha256: ${right}`];
    expect((await raw([...lines, ...signed], body)).status).toBe(401);
  });

  it('of a body that was parsed and written anew → 401', () =>
    refuses(401, JSON.stringify(JSON.parse(body), null, 2), ofShop(body)));

  it('of the unpacked body, packed → 200; of the packed bytes → 401', async () => {
    const packed = gzipSync(body);
    const encoded = { 'content-encoding': 'gzip' };
    await refuses(401, packed, { ...ofShop(packed), ...encoded });
    expect((await post(packed, { ...ofShop(body), ...encoded })).status).toBe(200);
  });

  it('a wrong one takes as long whether its first or its last digit is wrong', async () => {
    const flip = (at: number) => right.slice(0, at) + (right[at] === 'A' ? 'B' : 'A') + right.slice(at + 1);
    const [first, last]: [number[], number[]] = [[], []];
    // In turns, so that whatever else the machine does slows both.
    for (let i = 0; i < 120; i++) {
      const at = performance.now();
      await post(body, { ...ofShop(body), 'x-shopify-hmac-sha256': flip(i % 2 === 0 ? 0 : 40) });
      (i % 2 === 0 ? first : last).push(performance.now() - at);
    }
    const median = (times: number[]) => times.sort((x, y) => x - y)[30] as number;
    expect(Math.max(median(first), median(last)) / Math.min(median(first), median(last))).toBeLessThan(3);
  });

  it('again → 200 each time, the same bytes under one id', async () => {
    const again = order(44);
    const headers = { ...ofShop(again), 'x-shopify-webhook-id': 'w-44' };
    expect([(await post(again, headers)).status, (await post(again, headers)).status]).toEqual([200, 200]);
    expect(await published(topics[0] as string, `${shop}/44`)).toEqual([again, again]);
  });
});

describe('time in a signature', () => {
  const event = (id: string) =>
    JSON.stringify({
      ...{ object: 'Event', id: `evt_${id}`, description: 'tracker.updated', created_at: '2020-01-01T00:00:00Z' },
      result: { object: 'Tracker', id: `trk_${id}`, status: 'delivered', updated_at: '2020-01-01T00:00:00Z' },
    });
  const second = (body: string, timestamp: string): Headers => ({
    'content-type': 'application/json',
    'x-timestamp': timestamp,
    'x-path': '/hook',
    'x-hmac-signature-v2': `hmac-sha256-hex=${createHmac('sha256', secret).update(`${timestamp}POST/hook${body}`).digest('hex')}`,
  });
  const agoText = (ms: number) => new Date(Date.now() - ms).toUTCString();

  it('within 300 s → 200', async () => {
    for (const ms of [0, 280_000, -280_000]) {
      const body = event(`in${ms}`);
      expect((await post(body, second(body, agoText(ms)), carrier)).status).toBe(200);
    }
  });

  it.each<[string, () => string]>([
    ['310 s ago', () => agoText(310_000)],
    ['310 s ahead', () => agoText(-310_000)],
    ['of 1970', () => agoText(Date.now())],
    ['no time', () => 'yesterday'],
    ['a negative number', () => '-1'],
    ['not whole', () => '1.5e9.3'],
  ])('%s → 401', async (_, timestamp) => {
    const body = event('out');
    await refuses(401, body, second(body, timestamp()), carrier);
  });

  it('is judged only where the signature covers it: an old event under the first scheme, an old order → 200', async () => {
    const body = event('old');
    const first = { 'x-hmac-signature': `hmac-sha256-hex=${hmac(body, 'hex')}` };
    expect((await post(body, { 'content-type': 'application/json', ...first }, carrier)).status).toBe(200);
    const old = order(45);
    expect((await post(old, { ...ofShop(old), 'x-shopify-triggered-at': '2020-01-01T00:00:00Z' })).status).toBe(200);
  });
});
