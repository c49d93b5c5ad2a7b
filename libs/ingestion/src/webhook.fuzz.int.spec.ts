import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { expect, it } from '@jest/globals';
import { broken, checkUnpolluted, fuzzed, fuzzMsMax } from '@syncline/connector-sdk/testing';
import fc from 'fast-check';
import { accepted, carrier, hmac, ofShop, order, post, server, shop } from './testing/endpoint.js';

/** An answer later than this is a hang. */
const answerMsMax = 5_000;

const bodiesOf = (provider: string): unknown[] =>
  ['order', 'fulfillment', 'tracker', 'shipment'].flatMap((noun) => {
    const folder = new URL(`../../connectors/src/${provider}/fixtures/${noun}/`, import.meta.url);
    try {
      return readdirSync(folder)
        .filter((file) => file.endsWith('.json') && !file.endsWith('.canonical.json'))
        .map((file) => JSON.parse(readFileSync(new URL(file, folder), 'utf8')).body);
    } catch {
      return [];
    }
  });

const bodies = fc.oneof(
  {
    arbitrary: broken([...bodiesOf('shopify'), ...bodiesOf('easypost')]).map((b) => JSON.stringify(b) ?? ''),
    weight: 6,
  },
  { arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)), weight: 1 },
  { arbitrary: fc.string({ unit: 'binary' }), weight: 1 },
);
const values = fc.string({ maxLength: 30 }).map((text) => text.replace(/[^\u0020-\u007e]/g, '.').trim());

const { title, ...run } = fuzzed(400);
it(
  `answers every signed or unsigned request with a status of its table, in time (${title})`,
  async () => {
    const statuses = new Map<number, number>();
    const before = accepted;
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          body: bodies,
          to: fc.constantFrom(shop, shop, carrier, 'nobody'),
          signed: fc.constantFrom(true, true, true, false),
          packed: fc.boolean(),
          topic: fc.oneof(fc.constantFrom('orders/updated', 'fulfillments/update', 'app/uninstalled'), values),
          over: fc.dictionary(
            fc.constantFrom('content-type', 'content-encoding', 'x-shopify-webhook-id', 'traceparent', 'x-timestamp'),
            values,
            { maxKeys: 1 },
          ),
        }),
        async ({ body, to, signed, packed, topic, over }) => {
          const plain = Buffer.from(body);
          const headers = {
            ...ofShop(signed ? plain : 'other'),
            'x-hmac-signature': `hmac-sha256-hex=${hmac(signed ? plain : 'other', 'hex')}`,
            'x-shopify-topic': topic,
            ...(packed ? { 'content-encoding': 'gzip' } : {}),
            ...over,
          };
          const at = performance.now();
          const { status } = await post(packed ? gzipSync(plain) : plain, headers, to);
          expect(performance.now() - at).toBeLessThan(answerMsMax);
          expect([200, 400, 401, 404, 413, 415]).toContain(status);
          if (!signed) expect(status).not.toBe(200);
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
        },
      ),
      run,
    );
    checkUnpolluted();
    for (const status of [200, 400, 401, 404, 415]) expect(statuses.get(status) ?? 0).toBeGreaterThan(0);
    expect(accepted - before).toBeLessThanOrEqual(statuses.get(200) ?? 0);
    expect(accepted - before).toBeGreaterThan(0);
  },
  fuzzMsMax(120_000),
);

const { title: rawTitle, ...rawRun } = fuzzed(150);
it(
  `answers or closes whatever comes over a socket, and goes on (${rawTitle})`,
  async () => {
    const body = order(9_001);
    const signature = `x-shopify-hmac-sha256: ${hmac(body)}`;
    const good = [`POST /webhooks/${shop} HTTP/1.1`, 'Host: a', 'content-type: application/json', signature];
    const text = `${[...good, 'x-shopify-topic: orders/updated', `content-length: ${body.length}`].join('\r\n')}\r\n\r\n${body}`;
    const change = fc.record({
      at: fc.nat({ max: text.length }),
      drop: fc.nat({ max: 6 }),
      put: fc.string({ unit: 'binary', maxLength: 6 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(change, { minLength: 1, maxLength: 4 }),
        fc.nat({ max: text.length }),
        async (changes, cut) => {
          const sent = Buffer.from(changes.reduce((t, c) => t.slice(0, c.at) + c.put + t.slice(c.at + c.drop), text));
          const said = await exchange(sent.subarray(0, Math.max(1, cut)), sent.subarray(Math.max(1, cut)));
          if (said !== '') expect(said).toMatch(/^HTTP\/1\.1 (200|40[01345]|408|41[35]|431) /);
        },
      ),
      rawRun,
    );
    expect((await post(body)).status).toBe(200);
  },
  fuzzMsMax(120_000),
);

/** Sends in two parts, ends, and gives what came back until the server closed or was silent for a moment. */
const exchange = (...parts: Buffer[]): Promise<string> =>
  new Promise((resolve) => {
    const { hostname, port } = new URL(server.url);
    let text = '';
    const socket = connect(Number(port), hostname, () => {
      for (const part of parts) socket.write(part);
      socket.end();
    });
    socket.setEncoding('latin1').on('data', (chunk) => {
      text += chunk;
    });
    socket.on('error', () => resolve(text)).on('close', () => resolve(text));
    setTimeout(() => socket.destroy(), answerMsMax).unref();
  });
