import '@shopify/shopify-api/adapters/node';
import { createHmac } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { ApiVersion, shopifyApi } from '@shopify/shopify-api';
import type { WebhookRequest } from '@syncline/connector-sdk';
import { corruptions } from '@syncline/connector-sdk/testing';
import { shopify } from './index.js';

const secret = 'shpss_4f0c7d';
const theirs = shopifyApi({
  apiKey: 'client',
  apiSecretKey: secret,
  hostName: 'app.example.com',
  isEmbeddedApp: false,
  apiVersion: ApiVersion.July26,
  logger: { level: 0 },
});

const body = Buffer.from(JSON.stringify({ id: 450789469, note: 'ünïcode "quoted" \\ / 😀', total_price: '10.00' }));
const valid: WebhookRequest = {
  headers: {
    'x-shopify-topic': 'orders/updated',
    'x-shopify-shop-domain': 'acme.myshopify.com',
    'x-shopify-api-version': '2026-07',
    'x-shopify-webhook-id': 'b54557e4',
    'x-shopify-hmac-sha256': createHmac('sha256', secret).update(body).digest('base64'),
  },
  body,
  receivedAt: 0,
};

/** The verdict of Shopify's own library. */
async function theirVerdict(request: WebhookRequest): Promise<boolean> {
  const headers = Object.fromEntries(Object.entries(request.headers).filter(([, v]) => v !== undefined));
  const asked = {
    rawBody: request.body.toString('utf8'),
    rawRequest: { method: 'POST', url: '/', headers },
    rawResponse: {},
  };
  return (await theirs.webhooks.validate(asked)).valid;
}
const ourVerdict = (request: WebhookRequest): boolean => shopify.webhook?.verify(request, [secret]).ok === true;

describe("our verdict and that of Shopify's own library", () => {
  it('are both yes for a valid request', async () => {
    expect([await theirVerdict(valid), ourVerdict(valid)]).toEqual([true, true]);
  });

  it.each(Object.entries(corruptions('x-shopify-hmac-sha256')))('are both no for %s', async (name, corrupt) => {
    const request = corrupt(valid);
    expect(ourVerdict(request)).toBe(false);
    // Their library takes the first of two headers; a list is ambiguous, so we refuse it.
    if (name !== 'two signature headers') expect(await theirVerdict(request)).toBe(false);
  });
});
