// What anybody can do with a connection to the public endpoint: one test for each kind, on sockets of its own.
import { connect } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { accepted, hmac, order, post, raw, refused, server, shop, shop2, start } from './testing/endpoint.js';
import { sendRaw } from './testing/raw-http.js';

describe('framing', () => {
  const body = order(5);
  const signed = [
    'content-type: application/json',
    'x-shopify-topic: orders/updated',
    `x-shopify-hmac-sha256: ${hmac(body)}`,
  ];
  const length = `content-length: ${body.length}`;
  it.each<[string, string[]]>([
    ['two Host headers', ['Host: a', 'Host: a', length]],
    ['no Host header', [length]],
    ['Content-Length with Transfer-Encoding', ['Host: a', length, 'Transfer-Encoding: chunked']],
    ['Transfer-Encoding with Content-Length', ['Host: a', 'Transfer-Encoding: chunked', length]],
    ['Transfer-Encoding that does not end chunked', ['Host: a', 'Transfer-Encoding: chunked, identity']],
    ['two Content-Lengths', ['Host: a', length, length]],
    ['a list of lengths', ['Host: a', `content-length: ${body.length}, ${body.length}`]],
    ['a signed length', ['Host: a', `content-length: +${body.length}`]],
    ['a length in hex', ['Host: a', 'content-length: 0x2d']],
    ['a negative length', ['Host: a', 'content-length: -1']],
    ['a space before the colon', ['Host: a', `content-length : ${body.length}`]],
    ['a folded header', ['Host: a', length, 'x-a: b', ' c']],
    ['a NUL in a header', ['Host: a', length, 'x-a: b\u0000c']],
  ])('%s → 400', async (_, lines) => {
    const before = accepted;
    expect((await raw([...lines, ...signed], body)).status).toBe(400);
    expect(accepted).toBe(before);
  });

  it('a request hidden in another’s body is not answered', async () => {
    const hidden = `GET /webhooks/${shop} HTTP/1.1\r\nHost: a\r\n\r\n`;
    const text = await conversation(
      `POST /webhooks/${shop} HTTP/1.1\r\nHost: a\r\ncontent-length: 6\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`,
    );
    expect(text.match(/HTTP\/1\.1 /g)).toHaveLength(1);
    expect(text).toMatch(/^HTTP\/1\.1 400 /);
  });

  it('headers over 16 KiB → 431, another protocol → 400', async () => {
    expect((await raw(['Host: a', `x: ${'y'.repeat(20_000)}`])).status).toBe(431);
    expect((await sendRaw(server.url, ['\u0016\u0003\u0001hello\r\n\r\n'])).status).toBe(400);
    expect((await raw(['Host: a'], '', 'POST / HTTP/9.9')).status).toBe(400);
  });

  it('headers that do not end → 408 within 10 s, the endpoint’s own bound', async () => {
    const began = Date.now();
    const drip = Array.from({ length: 40 }, (_, i) => `x-${i}: y\r\n`);
    const answer = await sendRaw(server.url, [`POST /webhooks/${shop} HTTP/1.1\r\nHost: a\r\n`, ...drip], 400);
    expect(answer.status).toBe(408);
    expect(Date.now() - began).toBeGreaterThan(9_000);
    expect(Date.now() - began).toBeLessThan(12_500);
  }, 20_000);
});

describe('address and method', () => {
  it.each([
    'nobody',
    '__proto__',
    'toString',
    'a%0d%0aset-cookie%3A%20x%3Dy',
    '%00',
    'x'.repeat(300),
    '..%2f..%2fstatus',
  ])('connection %s → 404, told as a wrong signature is', async (name) => {
    const answer = await raw(
      ['Host: a', 'content-type: application/json', 'content-length: 0'],
      '',
      `POST /webhooks/${name} HTTP/1.1`,
    );
    expect([answer.status, answer.body, answer.headers['set-cookie']]).toEqual([404, refused, undefined]);
  });

  it.each(['GET', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'])('%s → 405 with Allow', async (method) => {
    const answer = await raw(['Host: a'], '', `${method} /webhooks/${shop} HTTP/1.1`);
    expect([answer.status, answer.headers.allow]).toEqual([405, 'POST']);
  });

  it('HEAD → 405 with Allow', async () => {
    const answer = await fetch(`${server.url}/webhooks/${shop}`, { method: 'HEAD' });
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'POST']);
  });

  it.each(['/', '/metrics', '/status', '/health/live', '/webhooks', `/webhooks/${shop}/`])(
    '%s → 404: nothing else is here',
    async (path) => {
      expect((await raw(['Host: a', 'content-length: 0'], '', `POST ${path} HTTP/1.1`)).status).toBe(404);
    },
  );
});

describe('too much', () => {
  it('a flood of one connection → 429 with Retry-After, and another connection is served', async () => {
    const narrow = await start(5);
    try {
      const flood = Array.from({ length: 40 }, (_, i) => post(order(6_000 + i), undefined, shop, narrow));
      const answers = await Promise.all(flood);
      const late = answers.filter((a) => a.status === 429);
      expect(late.length).toBeGreaterThanOrEqual(25);
      expect(new Set(late.map((a) => a.headers.get('retry-after')))).toEqual(new Set(['1']));
      expect((await post(order(7), undefined, shop2, narrow)).status).toBe(200);
      await new Promise((resolve) => setTimeout(resolve, 1_100));
      expect((await post(order(8), undefined, shop, narrow)).status).toBe(200);
    } finally {
      await narrow.close();
    }
  });
});

/** All that a connection says until it is closed. */
const conversation = (sent: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(server.url);
    let text = '';
    const socket = connect(Number(port), hostname, () => socket.write(sent));
    socket.setEncoding('utf8').on('data', (chunk) => {
      text += chunk;
    });
    socket.on('close', () => resolve(text)).on('error', reject);
    setTimeout(() => socket.destroy(), 1_000);
  });
