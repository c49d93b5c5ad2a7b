import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Connector } from '@syncline/connector-sdk';
import {
  type AuthorizationServer,
  startAuthorizationServer,
} from '@syncline/connector-sdk/testing/authorization-server';
import { granted } from '@syncline/connector-sdk/testing/granted';
import { testInfra } from '@syncline/infra';
import { createTestDatabase, type GrantStore, grantStore } from '@syncline/store';
import { Failure } from '../failure.js';
import { type AccessRequest, giveAccess } from './give-access.js';

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let server: AuthorizationServer;
let tokens: GrantStore;

beforeAll(async () => {
  database = await createTestDatabase((await testInfra()).databaseUrl);
  server = await startAuthorizationServer({ accessTokenSeconds: 600 });
  const keys = randomBytes(32).toString('base64');
  tokens = grantStore('needed', { url: database.url, keys, applicationName: 'connect-test' })!;
}, 120_000);

afterAll(async () => {
  await tokens?.close();
  await server?.close();
  await database?.drop();
});

interface Place {
  url: string;
  redirectUri: string;
}

/** `syncline connect <name>` up to the moment it shows the address. */
async function begun(
  name: string,
  over: Partial<AccessRequest> = {},
): Promise<Place & { ended: ReturnType<typeof giveAccess> }> {
  const shown = Promise.withResolvers<Place>();
  const { clientId, clientSecret } = server;
  const ended = giveAccess({
    connector: granted as unknown as Connector,
    connection: { name, provider: 'granted', settings: { url: server.url }, secrets: { clientId, clientSecret } },
    tokens,
    port: 0,
    show: shown.resolve,
    signal: AbortSignal.timeout(20_000),
    ...over,
  });
  ended.catch(shown.reject);
  return { ...(await shown.promise), ended };
}

describe('the browser round trip', () => {
  it('asks with PKCE and state, stores the grant, and tries it', async () => {
    const { url, redirectUri, ended } = await begun('account');
    const asked = new URL(url);
    expect(redirectUri).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/callback$/);
    expect(Object.fromEntries(asked.searchParams)).toMatchObject({
      response_type: 'code',
      client_id: server.clientId,
      redirect_uri: redirectUri,
      scope: 'orders:read',
      code_challenge_method: 'S256',
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      state: expect.stringMatching(/^[\w-]{43}$/),
    });
    const page = await (await fetch(await server.approve(url))).text();
    expect(page).toContain('Access was given');
    expect(await ended).toEqual({ renewable: true, problem: null });
    expect(await tokens.read('account')).toMatchObject({ version: 1, refused: null });
  });

  it('turns away answers with another state, and waits on', async () => {
    const { url, redirectUri, ended } = await begun('forged');
    for (const query of ['?code=stolen', '?code=stolen&state=guess', `?error=access_denied&state=guess`]) {
      const reply = await fetch(`${redirectUri}${query}`);
      expect([reply.status, await reply.text()]).toEqual([400, expect.stringContaining('does not belong')]);
    }
    expect((await fetch(redirectUri.replace('/callback', '/'))).status).toBe(404);
    expect(await tokens.read('forged')).toBeNull();
    await fetch(await server.approve(url));
    expect(await ended).toMatchObject({ problem: null });
  });

  it('says that the person declined, and keeps the earlier grant', async () => {
    const before = await tokens.read('account');
    const { url, ended } = await begun('account');
    const outcome = ended.catch((error: Failure) => error);
    const page = await (await fetch(await server.approve(url, 'decline'))).text();
    expect(page).toContain('No access');
    expect(await outcome).toMatchObject({
      message: expect.stringMatching(/account was not connected: .*access_denied/),
    });
    expect(await tokens.read('account')).toMatchObject({ version: before!.version, accessToken: before!.accessToken });
  });

  it('says that a code was refused, without telling it', async () => {
    const { url, redirectUri, ended } = await begun('refused');
    const outcome = ended.catch((error: Failure) => error);
    const state = new URL(url).searchParams.get('state')!;
    await fetch(`${redirectUri}?code=a-code-that-nobody-gave&state=${state}`);
    const { message } = (await outcome) as Failure;
    expect(message).toMatch(/refused was not connected: POST \/token answered 400: .*invalid_grant/);
    expect(message).not.toContain('a-code-that-nobody-gave');
  });

  it('gives up when nobody comes, and says where a port is taken', async () => {
    const late = await begun('late', { signal: AbortSignal.timeout(200) });
    await expect(late.ended).rejects.toThrow(/Nobody gave access in time/);
    const { redirectUri, ended, url } = await begun('first');
    await expect(begun('second', { port: Number(new URL(redirectUri).port) })).rejects.toThrow(/Port \d+ is taken/);
    await fetch(await server.approve(url));
    await ended;
  });
});
