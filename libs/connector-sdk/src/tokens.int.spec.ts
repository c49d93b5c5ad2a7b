import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { SyncError } from '@syncline/contracts';
import { testInfra } from '@syncline/infra';
import { createTestDatabase, type GrantStore, grantStore, openStore, type Store } from '@syncline/store';
import { createHttpClient } from './client.js';
import { GrantRefused } from './renewal.js';
import type { TokenSet } from './token-store.js';
import { createTokens, type Tokens } from './tokens.js';

const keyOf = () => randomBytes(32).toString('base64');
const key = keyOf();

let server: string;
let database: Awaited<ReturnType<typeof createTestDatabase>>;
let raw: Store;
const closers: (() => unknown)[] = [];

beforeAll(async () => {
  server = (await testInfra()).databaseUrl;
  database = await createTestDatabase(server);
  raw = await openStore({ url: database.url, role: 'grants', applicationName: 'tokens-test' });
}, 120_000);

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

afterAll(async () => {
  await raw?.close();
  await database?.drop();
});

function storeWith({ keys = key, url = database.url } = {}): GrantStore {
  const store = grantStore('needed', { url, keys, applicationName: 'tokens-test' })!;
  closers.push(() => store.close());
  return store;
}

const given = (name: string, lifeMs: number | null): TokenSet => ({
  accessToken: `access-${name}`,
  refreshToken: `refresh-${name}`,
  lifeMs,
  askedAt: performance.now(),
});

/** A process that serves a connection: what it asks the token endpoint, the test answers. */
function processOf(connection: string, url = database.url): Tokens & { asked: PromiseWithResolvers<TokenSet>[] } {
  const asked: PromiseWithResolvers<TokenSet>[] = [];
  const stop = new AbortController();
  const ask = () => {
    const one = Promise.withResolvers<TokenSet>();
    asked.push(one);
    return one.promise;
  };
  const source = { connection, fits: 'ours', granted: true, ask, remedy: 'connect again' };
  const tokens = createTokens(source, storeWith({ url }), stop.signal);
  closers.push(() => stop.abort());
  return { ...tokens, asked };
}

/** The database by a way that can be cut. */
async function wayTo(url: string): Promise<{ url: string; cut(): void; mend(): void }> {
  const { hostname, port } = new URL(url);
  const open = new Set<Socket>();
  let isCut = false;
  const proxy = createTcpServer((client) => {
    if (isCut) return void client.destroy();
    const upstream = connect(Number(port), hostname);
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket.on('error', () => undefined).on('close', () => [client, upstream].map((s) => s.destroy()));
    }
    client.pipe(upstream).pipe(client);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const cut = () => {
    isCut = true;
    for (const socket of open) socket.destroy();
  };
  closers.push(() => {
    cut();
    proxy.close();
  });
  const own = new URL(url);
  own.host = `127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  return {
    url: own.href,
    cut,
    mend: () => {
      isCut = false;
    },
  };
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
async function until(what: string, holds: () => boolean, msMax = 8_000): Promise<void> {
  const end = Date.now() + msMax;
  while (!holds()) {
    if (Date.now() > end) throw new Error(`not in ${msMax} ms: ${what}`);
    await pause(10);
  }
}

/** As though the holder had been held up for longer than its lease lasts. */
const endLease = (connection: string) =>
  raw.query(`UPDATE leases SET expires_at = '-infinity' WHERE name = $1`, [connection]);

/** Two processes in the middle of renewing the same expired token, the second since the first lost its lease. */
async function overtaken(connection: string) {
  await storeWith().save(connection, null, 'ours', given('old', 1));
  const first = processOf(connection);
  const firstGot = first.current();
  await until('the first asks', () => first.asked.length === 1);
  const second = processOf(connection);
  const secondGot = second.current();
  await endLease(connection);
  await until('the second asks', () => second.asked.length === 1);
  return { first, firstGot, second, secondGot };
}

describe('a renewal that lost its lease', () => {
  it('still stores what it was given: a later refusal only says that it came first', async () => {
    const { first, firstGot, second, secondGot } = await overtaken('late-answer');
    second.asked[0]!.reject(new GrantRefused('POST /token answered 400: invalid_grant'));
    await expect(secondGot).rejects.toMatchObject({
      kind: 'unauthorized',
      message: expect.stringMatching(/connect again/),
    });
    first.asked[0]!.resolve(given('new', 60_000));
    expect(await firstGot).toMatchObject({ value: 'access-new' });
    expect(await second.current()).toMatchObject({ value: 'access-new' });
    expect([first.asked.length, second.asked.length]).toEqual([1, 1]);
  });

  it('is given a moment by the next one before that asks with the same refresh token', async () => {
    await storeWith().save('moment', null, 'ours', given('old', 1));
    const first = processOf('moment');
    const firstGot = first.current();
    await until('the first asks', () => first.asked.length === 1);
    const second = processOf('moment');
    const secondGot = second.current();
    await endLease('moment');
    await pause(700);
    first.asked[0]!.resolve(given('new', 60_000));
    expect((await Promise.all([firstGot, secondGot])).map((held) => held.value)).toEqual(['access-new', 'access-new']);
    expect(second.asked).toEqual([]);
  });

  it('does not end the grant by a refusal while a later one is under way', async () => {
    const { first, firstGot, second, secondGot } = await overtaken('late-refusal');
    first.asked[0]!.reject(new GrantRefused('POST /token answered 400: invalid_grant'));
    await pause(600);
    expect(await storeWith().read('late-refusal')).toMatchObject({ refused: null });
    second.asked[0]!.resolve(given('new', 60_000));
    expect((await Promise.all([firstGot, secondGot])).map((held) => held.value)).toEqual(['access-new', 'access-new']);
    expect(first.asked.length).toBe(1);
  });

  it('does not store what it was given over what a person gave since', async () => {
    const { first, firstGot, second, secondGot } = await overtaken('given-again');
    await storeWith().save('given-again', null, 'ours', given('of-the-person', 60_000));
    first.asked[0]!.resolve(given('late', 60_000));
    second.asked[0]!.resolve(given('later', 60_000));
    expect((await Promise.all([firstGot, secondGot])).map((held) => held.value)).toEqual([
      'access-of-the-person',
      'access-of-the-person',
    ]);
  });
});

describe('a renewal', () => {
  it('is stored when the database is back, since there is no other copy of a rotated refresh token', async () => {
    const way = await wayTo(database.url);
    await storeWith().save('away', null, 'ours', given('old', 1));
    const one = processOf('away', way.url);
    const got = one.current();
    await until('it asks', () => one.asked.length === 1);
    way.cut();
    one.asked[0]!.resolve(given('new', 60_000));
    await pause(1_500);
    expect(await storeWith().read('away')).toMatchObject({ refreshToken: 'refresh-old', inDoubt: true });
    way.mend();
    expect(await got).toMatchObject({ value: 'access-new' });
    expect(await storeWith().read('away')).toMatchObject({ refreshToken: 'refresh-new', inDoubt: false });
  });
});

describe('an endpoint that does not take our client', () => {
  it('is not asked again at once, and the grant is kept', async () => {
    await storeWith().save('client', null, 'ours', given('old', 1));
    const one = processOf('client');
    const got = one.current();
    await until('it asks', () => one.asked.length === 1);
    one.asked[0]!.reject(new SyncError('unauthorized', 'no access token, check the client'));
    await expect(got).rejects.toMatchObject({ kind: 'unauthorized' });
    for (let i = 0; i < 5; i += 1) {
      const again = one.current();
      again.catch(() => undefined);
      await pause(20);
      expect(one.asked.length).toBe(1);
      await expect(again).rejects.toMatchObject({ kind: 'unauthorized' });
    }
    expect(await storeWith().read('client')).toMatchObject({ refused: null, inDoubt: false });
  });
});

describe('a process that has a good token', () => {
  it('notices within seconds that a person gave access anew', async () => {
    await storeWith().save('anew', null, 'ours', given('first', 600_000));
    const one = processOf('anew');
    expect(await one.current()).toMatchObject({ value: 'access-first' });
    await storeWith().save('anew', null, 'ours', given('second', 600_000));
    await pause(5_100);
    await one.current();
    await pause(300);
    expect(await one.current()).toMatchObject({ value: 'access-second' });
    expect(one.asked).toEqual([]);
  });
});

describe('client credentials', () => {
  it('are asked for once by all processes that share a store, and not shared with another client', async () => {
    const asked: string[] = [];
    const http = createServer((req, res) => {
      if (req.url !== '/token') return void res.end(JSON.stringify({ sent: req.headers['x-token'] }));
      req.on('data', (form) => asked.push(String(new URLSearchParams(String(form)).get('client_id'))));
      req.on('end', () => setTimeout(() => res.end(`{"access_token":"t${asked.length}","expires_in":600}`), 200));
    });
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    closers.push(() => http.close());
    const baseUrl = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
    const tokenOf = async (clientId: string) => {
      const client = createHttpClient({
        connection: 'shared',
        baseUrl,
        auth: {
          type: 'clientCredentials',
          tokenPath: '/token',
          clientIdSecret: 'clientId',
          clientSecretSecret: 'clientSecret',
          header: 'x-token',
        },
        secrets: { clientId, clientSecret: 'a-secret' },
        limits: { perSecond: 1_000, burst: 100, concurrency: 10 },
        tokens: storeWith(),
      });
      closers.push(() => client.close());
      return (await client.send<{ sent: string }>({ method: 'GET', path: '/thing', safe: true })).json.sent;
    };
    expect(await Promise.all(Array.from({ length: 6 }, () => tokenOf('one')))).toEqual(Array(6).fill('t1'));
    expect(await tokenOf('two')).toBe('t2');
    expect(await tokenOf('two')).toBe('t2');
    expect(asked).toEqual(['one', 'two']);
  });
});

describe('the store of grants', () => {
  it('encrypts under the first key, reads under all, and moves to the first', async () => {
    const next = keyOf();
    await storeWith().save('rotated', null, 'ours', given('kept', null));
    const sealed = async () =>
      (await raw.query<{ sealed: string }>(`SELECT sealed FROM tokens WHERE connection = 'rotated'`))[0]!.sealed;
    const before = await sealed();
    expect(await storeWith({ keys: next }).read('rotated')).toMatchObject({
      accessToken: '',
      refused: expect.stringMatching(
        /^the tokens are encrypted under the key [0-9a-f]{8}, which SYNCLINE_SECRET_KEYS does not hold/,
      ),
    });
    expect(await sealed()).toBe(before);
    expect(await storeWith({ keys: `${next}, ${key}` }).read('rotated')).toMatchObject({
      refreshToken: 'refresh-kept',
    });
    expect(await sealed()).not.toBe(before);
    expect(await storeWith({ keys: next }).read('rotated')).toMatchObject({
      accessToken: 'access-kept',
      refused: null,
    });
  });

  it('gives tokens to no connection but their own, and none that were altered', async () => {
    await storeWith().save('mine', null, 'ours', given('mine', null));
    expect(await storeWith().read('mine')).toMatchObject({ accessToken: 'access-mine', refused: null });
    await raw.query(
      `INSERT INTO tokens (connection, version, fits, sealed)
       SELECT 'stolen', 1, fits, sealed FROM tokens WHERE connection = 'mine'`,
    );
    expect(await storeWith().read('stolen')).toMatchObject({
      accessToken: '',
      refused: expect.stringMatching(/altered/),
    });
    await raw.query(`UPDATE tokens SET sealed = overlay(sealed placing 'AAAA' from 30) WHERE connection = 'mine'`);
    expect(await storeWith().read('mine')).toMatchObject({
      accessToken: '',
      refused: expect.stringMatching(/altered/),
    });
  });

  it('refuses keys that are none, by their place and not by their value, and only where they are needed', () => {
    const options = { url: database.url, applicationName: 'tokens-test' };
    const make =
      (keys: string | undefined, keeping: 'needed' | 'useful' = 'needed') =>
      () =>
        grantStore(keeping, { ...options, keys });
    expect(make(`${key},not-a-key-but-a-secret`)).toThrow(
      /^SYNCLINE_SECRET_KEYS: key 2 is not 32 bytes in base64 or hex/,
    );
    expect(make(`${key},not-a-key-but-a-secret`)).not.toThrow(/secret,|but-a/);
    expect(make(undefined)).toThrow(/SYNCLINE_SECRET_KEYS is not set/);
    expect(make(undefined, 'useful')()).toBeNull();
    expect(make(randomBytes(32).toString('hex'))).not.toThrow();
  });
});
