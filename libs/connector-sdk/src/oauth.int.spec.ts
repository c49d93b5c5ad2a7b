import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { testInfra } from '@syncline/infra';
import { createTestDatabase, type GrantStore, grantStore, openStore, type Store } from '@syncline/store';
import { type AuthorizationServer, startAuthorizationServer } from './testing/authorization-server.js';
import { type Crew, startCrew } from './testing/crew.js';
import { giveGrant } from './testing/granted.js';

const accessTokenSeconds = 4;
/** Tokens are renewed when a tenth of their life is left. */
const periodMs = accessTokenSeconds * 1_000 * 0.9;
const processes = 8;
const key = randomBytes(32).toString('base64');

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let server: AuthorizationServer;
let tokens: GrantStore;
let raw: Store;

beforeAll(async () => {
  database = await createTestDatabase((await testInfra()).databaseUrl);
  server = await startAuthorizationServer({ accessTokenSeconds });
  tokens = grantStore('needed', { url: database.url, keys: key, applicationName: 'oauth-test' })!;
  raw = await openStore({ url: database.url, role: 'grants', applicationName: 'oauth-test' });
}, 120_000);

afterAll(async () => {
  await tokens?.close();
  await raw?.close();
  await server?.close();
  await database?.drop();
});

const secretsOf = () => ({ clientId: server.clientId, clientSecret: server.clientSecret });

/** Begins a chapter: nothing broken, nothing counted, a fresh grant. */
async function chapter(connection: string): Promise<void> {
  server.faults = {};
  await giveGrant(server, connection, tokens);
  server.requests.length = 0;
  server.refusals.length = 0;
}

const crewOf = (name: string, size = processes): Crew =>
  startCrew({ name, ...secretsOf(), url: server.url }, { databaseUrl: database.url, key, size });

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
async function until(what: string, holds: () => boolean | Promise<boolean>, msMax = 45_000): Promise<void> {
  const end = Date.now() + msMax;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`not in ${msMax} ms: ${what}`);
    await pause(20);
  }
}

/** Nothing that a process said, and nothing in the database, holds a token, a code or a key. */
async function expectNothingTold(crew: Crew, connection: string): Promise<void> {
  const rows = JSON.stringify(await raw.query('SELECT * FROM tokens WHERE connection = $1', [connection]));
  for (const text of [crew.said(), rows])
    for (const secret of [...server.given, server.clientSecret, key]) expect(text.includes(secret)).toBe(false);
}

describe(`${processes} processes with one rotating refresh token`, () => {
  it('renew once an expiry at a slow endpoint, and no request notices', async () => {
    await chapter('race');
    server.faults = { before: () => pause(700), after: () => pause(500) };
    const crew = crewOf('race');
    try {
      await until('four renewals', () => server.requests.filter((r) => r.answeredAt !== null).length >= 4, 40_000);
      await pause(500);
    } finally {
      await crew.stop();
    }
    expect(server.refusals).toEqual([]);
    expect(crew.failures()).toEqual([]);
    expect(crew.working()).toBe(processes);
    const asked = server.requests.map((r) => r.at);
    // A token's life counts from the moment its request left, which a busy machine may do late.
    for (const [i, at] of asked.slice(1).entries()) expect(at - asked[i]!).toBeGreaterThan(periodMs / 2);
    const [row] = await raw.query<{ version: string }>("SELECT version FROM tokens WHERE connection = 'race'");
    expect(Number(row!.version)).toBe(1 + server.requests.length);
    await expectNothingTold(crew, 'race');
  }, 90_000);

  it('renew once also where the endpoint takes longer than a lease lasts', async () => {
    await chapter('slow');
    server.faults = { before: () => pause(10_500) };
    const crew = crewOf('slow', 3);
    try {
      await until('the slow renewal', () => server.requests.some((r) => r.answeredAt !== null), 40_000);
      server.faults = {};
      await pause(1_000);
    } finally {
      await crew.stop();
    }
    expect(server.refusals).toEqual([]);
    expect(crew.failures()).toEqual([]);
    expect(server.requests.filter((r) => r.at < server.requests[0]!.answeredAt!)).toHaveLength(1);
  }, 90_000);

  it('go on when the one that renews is killed before the server hears it', async () => {
    await chapter('killed');
    const gone = Promise.withResolvers<void>();
    server.faults = { before: () => gone.promise };
    const first = crewOf('killed', 1);
    await until('its renewal', () => server.requests.length === 1);
    const others = crewOf('killed', processes - 1);
    await pause(2_000);
    await first.kill();
    server.faults = { before: () => pause(300) };
    gone.resolve();
    try {
      await until('the next renewal', () => server.requests.some((r) => r.answeredAt !== null), 30_000);
      await until('good answers again', () => others.lastAreOk());
    } finally {
      await others.stop();
    }
    expect(server.refusals).toEqual([]);
    expect(server.requests[0]).toMatchObject({ acted: false, answeredAt: null });
    // Those that wait longer than a request may are told so, and nothing else fails.
    expect(
      others.failures().filter((line) => !/^transient: the access token is still being renewed/.test(line)),
    ).toEqual([]);
  }, 90_000);

  it('park with a sentence when the answer was lost with the one that renewed, and serve again after the next connect', async () => {
    await chapter('lost');
    const gone = Promise.withResolvers<void>();
    server.faults = { after: () => gone.promise };
    const first = crewOf('lost', 1);
    await until('its renewal', () => server.requests[0]?.acted === true);
    const others = crewOf('lost', 3);
    await first.kill();
    server.faults = {};
    gone.resolve();
    try {
      await until('the refusal', () => others.failures().some((line) => /invalid_grant/.test(line)), 30_000);
      const parked = others.failures().find((line) => /^unauthorized/.test(line))!;
      expect(parked).toMatch(/connection lost .*an earlier renewal was cut off.*syncline connect lost/);
      await until('all of them parked', () => others.lastAre(/^unauthorized/));
      await pause(1_000);
      // The grant is over: one asked, nobody asks again.
      expect(server.requests).toHaveLength(2);
      await giveGrant(server, 'lost', tokens);
      await until('good answers again', () => others.lastAreOk());
    } finally {
      await others.stop();
    }
    await expectNothingTold(others, 'lost');
  }, 90_000);

  it('lose nothing when they are stopped in the middle of a renewal', async () => {
    await chapter('stopped');
    const gone = Promise.withResolvers<void>();
    server.faults = { after: () => gone.promise };
    const crew = crewOf('stopped', 2);
    await until('the renewal', () => server.requests[0]?.acted === true);
    const stopped = crew.stop();
    await pause(500);
    gone.resolve();
    await stopped;
    expect(server.requests).toHaveLength(1);
    expect(await tokens.read('stopped')).toMatchObject({ version: 2, inDoubt: false, refused: null });
  }, 60_000);

  it('keep the grant through failures of the endpoint', async () => {
    await chapter('failing');
    const crew = crewOf('failing', 3);
    try {
      await until('all at work', () => crew.working() === 3);
      for (const answer of [
        { status: 500, body: '{"error":"server_error"}' },
        { status: 502, body: '<html>Bad gateway</html>' },
        { status: 429, body: '{}', headers: { 'retry-after': '1' } },
        { status: 403, body: '<html>blocked</html>' },
        { status: 200, body: '{"ok":false}' },
      ]) {
        server.faults = { answer };
        const before = server.requests.length;
        await until(`requests answered ${answer.status}`, () => server.requests.length > before + 1, 30_000);
      }
      const failed = crew.failures();
      expect(failed.length).toBeGreaterThan(0);
      // Their own requests were never sent.
      expect(failed.filter((line) => /outcome unknown/.test(line))).toEqual([]);
      server.faults = {};
      await until('good answers again', () => crew.lastAreOk(), 45_000);
    } finally {
      await crew.stop();
    }
    expect(server.refusals).toEqual([]);
    expect(await tokens.read('failing')).toMatchObject({ refused: null });
    expect(server.requests.length).toBeLessThan(120);
    await expectNothingTold(crew, 'failing');
  }, 120_000);

  it('park when the person takes access back, which one of them finds out', async () => {
    await chapter('revoked');
    const crew = crewOf('revoked');
    try {
      await until('all at work', () => crew.working() === processes);
      await server.revokeAll();
      await until('all parked', () => crew.lastAre(/^unauthorized: connection revoked .*syncline connect revoked/));
      await pause(1_500);
    } finally {
      await crew.stop();
    }
    expect(server.requests.filter((r) => r.status === 400)).toHaveLength(1);
    expect(await tokens.read('revoked')).toMatchObject({ refused: expect.stringContaining('invalid_grant') });
    await expectNothingTold(crew, 'revoked');
  }, 60_000);
});
