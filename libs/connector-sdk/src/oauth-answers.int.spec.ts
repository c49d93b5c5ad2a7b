import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { beginGrant, endGrant, type OAuthSpec, oauthClient, renewGrant } from './oauth.js';
import { GrantRefused } from './renewal.js';

const secrets = { clientId: 'an id', clientSecret: 'a/secret' };
const spec: OAuthSpec = {
  type: 'authorizationCode',
  authorizePath: '/authorize?tenant=7',
  tokenPath: '/token',
  clientIdSecret: 'clientId',
  clientSecretSecret: 'clientSecret',
  scopes: [],
  parameters: { access_type: 'offline' },
  header: 'authorization',
};

const closers: (() => unknown)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** A token endpoint that answers this, however odd, and what it was asked. */
async function endpoint(status: number, body: unknown, headers: Record<string, string> = {}) {
  const asked: { authorization: string | undefined; form: Record<string, string> }[] = [];
  const server = createServer((req, res) => {
    let form = '';
    req.on('data', (data) => {
      form += data;
    });
    req.on('end', () => {
      asked.push({ authorization: req.headers.authorization, form: Object.fromEntries(new URLSearchParams(form)) });
      res.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

const renewedAt = (url: string, over: Partial<OAuthSpec> = {}) =>
  renewGrant(oauthClient({ ...spec, ...over } as OAuthSpec, url, secrets), 'the-refresh-token');

describe('a token endpoint', () => {
  it('is asked with the client secret in the header, in the form, or with none', async () => {
    const { url, asked } = await endpoint(200, { access_token: 'a', token_type: 'Bearer' });
    await renewedAt(url);
    await renewedAt(url, { clientAuth: 'post' });
    const { clientSecretSecret: _, ...open } = spec;
    await renewGrant(oauthClient(open, url, secrets), 'the-refresh-token');
    const form = { grant_type: 'refresh_token', refresh_token: 'the-refresh-token' };
    expect(asked).toEqual([
      // RFC 6749, 2.3.1: both are form-encoded before they are joined.
      { authorization: `Basic ${Buffer.from('an+id:a%2Fsecret').toString('base64')}`, form },
      { authorization: undefined, form: { ...form, client_id: 'an id', client_secret: 'a/secret' } },
      { authorization: undefined, form: { ...form, client_id: 'an id' } },
    ]);
  });

  it.each([
    ['no token_type', { access_token: 'a', refresh_token: 'r2', expires_in: 60 }],
    ['a token_type of its own', { access_token: 'a', refresh_token: 'r2', token_type: 'offline', expires_in: 60 }],
    ['a life as text', { access_token: 'a', refresh_token: 'r2', token_type: 'bearer', expires_in: '60' }],
    [
      'a broken id_token',
      { access_token: 'a', refresh_token: 'r2', token_type: 'bearer', expires_in: 60, id_token: 'x' },
    ],
    ['odd scopes', { access_token: 'a', refresh_token: 'r2', token_type: 'bearer', expires_in: 60, scope: ['x'] }],
  ])('may answer with %s, and its refresh token is not lost', async (_, body) => {
    const { url } = await endpoint(200, body);
    expect(await renewedAt(url)).toMatchObject({ accessToken: 'a', refreshToken: 'r2', lifeMs: 60_000 });
  });

  it('may give no new refresh token: the old one serves on', async () => {
    const { url } = await endpoint(200, { access_token: 'a', token_type: 'bearer' });
    expect(await renewedAt(url)).toMatchObject({ refreshToken: 'the-refresh-token', lifeMs: null });
  });

  it.each([
    [400, { error: 'invalid_grant' }, {}, 'unauthorized', true, false],
    [401, { error: 'invalid_grant' }, { 'www-authenticate': 'Basic realm="x"' }, 'unauthorized', true, false],
    [401, { error: 'invalid_client' }, { 'www-authenticate': 'Basic realm="x"' }, 'unauthorized', false, false],
    [400, { error: 'invalid_request' }, {}, 'unauthorized', false, false],
    [400, '<html>', {}, 'unauthorized', false, false],
    [403, '<html>', {}, 'unauthorized', false, false],
    [302, '', { location: 'https://elsewhere.example/' }, 'unauthorized', false, false],
    [400, { error: 'temporarily_unavailable' }, {}, 'transient', false, false],
    [409, { error: 'invalid_grant' }, {}, 'transient', false, false],
    [429, { error: 'invalid_grant' }, { 'retry-after': '7' }, 'throttled', false, false],
    [500, { error: 'invalid_grant' }, {}, 'transient', false, true],
    [503, 'busy', {}, 'transient', false, false],
    [200, { ok: false, error: 'invalid_grant' }, {}, 'transient', false, true],
  ] as const)('that answers %i %j %j: %s, the grant over: %s', async (status, body, headers, kind, over, unknown) => {
    const { url } = await endpoint(status, body, headers);
    const error = await renewedAt(url).catch((thrown) => thrown);
    expect(error).toMatchObject({ kind, outcomeUnknown: unknown });
    expect(error instanceof GrantRefused).toBe(over);
  });

  it('may repeat our secrets: no message does', async () => {
    const words = 'a/secret of an id with the-refresh-token is wrong';
    for (const status of [400, 401, 500]) {
      const { url } = await endpoint(status, { error: 'invalid_grant', error_description: words });
      const error = (await renewedAt(url).catch((thrown) => thrown)) as Error;
      expect(error.message).toContain('is wrong');
      expect(error.message).not.toMatch(/a\/secret|the-refresh-token/);
      expect(JSON.stringify(error.cause ?? null)).not.toMatch(/secret|refresh/);
    }
  });

  it('is not asked without encryption, unless it is on this machine', async () => {
    await expect(renewedAt('http://shop.example')).rejects.toMatchObject({
      kind: 'rejected',
      message: 'the token endpoint of shop.example must be asked by https',
    });
  });
});

describe('an authorization', () => {
  it('adds to the address what the connector declares', async () => {
    const { url } = await beginGrant(
      oauthClient(spec, 'https://shop.example/api/', secrets),
      'http://127.0.0.1:1/callback',
    );
    expect(url).toMatch(
      /^https:\/\/shop\.example\/api\/authorize\?tenant=7&access_type=offline&response_type=code&client_id=an\+id&/,
    );
  });

  it('takes no answer to another request', async () => {
    const { url, asked } = await endpoint(200, { access_token: 'a', token_type: 'bearer' });
    const client = oauthClient(spec, url, secrets);
    const pending = await beginGrant(client, 'http://127.0.0.1:1/callback');
    for (const query of ['code=c', 'code=c&state=other', `code=c&state=${pending.state}&state=${pending.state}`])
      await expect(endGrant(client, pending, new URL(`${pending.redirectUri}?${query}`))).rejects.toMatchObject({
        kind: 'rejected',
      });
    expect(asked).toEqual([]);
    await endGrant(
      client,
      pending,
      new URL(`${pending.redirectUri}?code=c&state=${pending.state}&iss=https%3A%2F%2Fx.example`),
    );
    expect(asked[0]!.form).toEqual({
      grant_type: 'authorization_code',
      code: 'c',
      redirect_uri: pending.redirectUri,
      code_verifier: pending.verifier,
    });
  });
});
