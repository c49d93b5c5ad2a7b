import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type AuthorizationServer,
  startAuthorizationServer,
} from '@syncline/connector-sdk/testing/authorization-server';
import { giveGrant, granted } from '@syncline/connector-sdk/testing/granted';
import { testInfra } from '@syncline/infra';
import { createLogger } from '@syncline/runtime';
import { createTestDatabase, type GrantStore, grantStore } from '@syncline/store';
import { type RunningIngestor, startIngestor } from './start.js';

const key = randomBytes(32).toString('base64');
const logged: string[] = [];
let database: Awaited<ReturnType<typeof createTestDatabase>>;
let brokers: string;
let folder: string;
let server: AuthorizationServer;
let tokens: GrantStore;

beforeAll(async () => {
  const infra = await testInfra();
  brokers = infra.kafkaBrokers.join(',');
  database = await createTestDatabase(infra.databaseUrl);
  folder = await mkdtemp(join(tmpdir(), 'grant-'));
  server = await startAuthorizationServer({ accessTokenSeconds: 2 });
  tokens = grantStore('needed', { url: database.url, keys: key, applicationName: 'test' })!;
}, 120_000);

afterAll(async () => {
  await tokens?.close();
  await server?.close();
  await database?.drop();
  await rm(folder, { recursive: true, force: true });
});

async function start(env: NodeJS.ProcessEnv): Promise<RunningIngestor> {
  const path = join(folder, 'syncline.yaml');
  await writeFile(
    path,
    `connections:
  account:
    { provider: granted, settings: { url: "${server.url}" }, secrets: { clientId: "\${ID}", clientSecret: "\${SECRET}" } }
  warehouse: { provider: postgres }
flows: [{ kinds: [order], from: [account], to: [warehouse] }]
`,
  );
  return startIngestor(granted, {
    env: {
      KAFKA_BROKERS: brokers,
      DATABASE_URL: database.url,
      SYNCLINE_CONFIG: path,
      ID: server.clientId,
      SECRET: server.clientSecret,
      ...env,
    },
    logger: createLogger('test', 'trace', { write: (line: string) => void logged.push(line) }),
    times: { parkedMs: 200 },
    ownsProcess: false,
  });
}

async function connectionIs(ingestor: RunningIngestor, state: string): Promise<string | null> {
  const end = Date.now() + 20_000;
  for (;;) {
    const status = (await (await fetch(`${ingestor.url}/status`)).json()) as {
      connections: { state: string; reason: string | null }[];
    };
    const [connection] = status.connections;
    if (connection?.state === state) return connection.reason;
    if (Date.now() > end) throw new Error(`the connection is ${connection?.state}, not ${state}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** What an alert goes by. */
async function alarm(ingestor: RunningIngestor): Promise<string | undefined> {
  const page = await (await fetch(`${ingestor.url}/metrics`)).text();
  return /^syncline_connection_unauthorized\{[^}]*connection="account"[^}]*\} (\d)/m.exec(page)?.[1];
}

describe('a connection that lives by a grant', () => {
  it('is unauthorized before somebody gave access, works then, is parked when access is taken back, and works again', async () => {
    const ingestor = await start({ SYNCLINE_SECRET_KEYS: key });
    try {
      expect(await connectionIs(ingestor, 'unauthorized')).toBe(
        'connection account has no grant: give access with `syncline connect account`',
      );
      await giveGrant(server, 'account', tokens);
      expect(await connectionIs(ingestor, 'connected')).toBeNull();
      await server.revokeAll();
      // The keeper's own pace finds out: a check is due every five minutes, unless somebody asks sooner.
      await ingestor.close();
      const next = await start({ SYNCLINE_SECRET_KEYS: key });
      try {
        expect(await connectionIs(next, 'unauthorized')).toMatch(
          /invalid_grant.*give access with `syncline connect account`/,
        );
        expect(await alarm(next)).toBe('1');
        await giveGrant(server, 'account', tokens);
        await connectionIs(next, 'connected');
        expect(await alarm(next)).toBe('0');
      } finally {
        await next.close();
      }
    } finally {
      await ingestor.close().catch(() => undefined);
    }
    for (const secret of [...server.given, server.clientSecret, key]) expect(logged.join('')).not.toContain(secret);
  }, 60_000);

  it('makes its service refuse to start without a key to keep grants with', async () => {
    await expect(start({})).rejects.toThrow(/SYNCLINE_SECRET_KEYS is not set.*openssl rand/);
  });
});
