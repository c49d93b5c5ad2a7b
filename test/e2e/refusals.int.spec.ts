// What a service cannot work with it refuses at its start: by a sentence that says what to do, and an exit code.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { declaredTopics } from '@syncline/contracts';
import { type Infra, startInfra } from '@syncline/infra';
import { migrateTopics } from '@syncline/messaging';
import { createTestDatabase } from '@syncline/store';

const root = join(import.meta.dirname, '../..');
const mains = {
  ingestor: 'apps/ingestors/shopify/dist/main.js',
  transformer: 'apps/transformer/dist/main.js',
  writer: 'apps/writers/postgres/dist/main.js',
};
type Env = Record<string, string | undefined>;
let folder: string;
let infra: Infra;
let database: { url: string; drop(): Promise<void> };
let sound: Env;
const proxies: Server[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'syncline-refusals-'));
  // Its own servers: topics are spoilt here.
  for (const name of ['KAFKA_BROKERS', 'DATABASE_URL']) delete process.env[name];
  infra = await startInfra({ stateDir: join(folder, 'infra') });
  await migrateTopics({ brokers: [...infra.kafkaBrokers], clientId: 'test' }, declaredTopics(['warehouse']));
  database = await createTestDatabase(infra.databaseUrl);
  writeFileSync(
    join(folder, 'syncline.yaml'),
    `connections:
  shop: { provider: shopify, settings: { url: "http://127.0.0.1:9" }, secrets: { clientId: id, clientSecret: "\${SHOP_SECRET}" } }
  warehouse: { provider: postgres, secrets: { url: "\${WAREHOUSE_URL}" } }
flows: [{ kinds: [order, shipment], from: [shop], to: [warehouse] }]
`,
  );
  sound = {
    PATH: process.env.PATH,
    KAFKA_BROKERS: infra.kafkaBrokers.join(','),
    DATABASE_URL: database.url,
    WAREHOUSE_URL: database.url,
    SYNCLINE_CONFIG: join(folder, 'syncline.yaml'),
    SHOP_SECRET: 'hush-hush-hush',
  };
}, 120_000);

afterAll(async () => {
  for (const proxy of proxies) proxy.close();
  await database?.drop();
  await infra?.stop();
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

/** Starts a compiled service as a supervisor does; what it said, and how it ended. One that is ready is stopped. */
function run(
  service: keyof typeof mains,
  over: Env = {},
  args: string[] = [],
): Promise<{ code: number; said: string }> {
  const env = Object.fromEntries(Object.entries({ ...sound, ...over }).filter(([, v]) => v !== undefined));
  const child = spawn(process.execPath, [...args, join(root, mains[service])], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  let stopped = false;
  const hear = (text: string) => {
    said += text;
    // Once: a second signal ends a service at once.
    if (stopped || !said.includes('"msg":"ready"')) return;
    stopped = true;
    child.kill('SIGTERM');
  };
  child.stdout.setEncoding('utf8').on('data', hear);
  child.stderr.setEncoding('utf8').on('data', hear);
  const timer = setTimeout(() => child.kill('SIGKILL'), 40_000);
  return new Promise((resolve) => {
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code: code ?? -1, said });
    });
  });
}

async function refuses(service: keyof typeof mains, over: Env, sentence: RegExp): Promise<void> {
  const { code, said } = await run(service, over);
  expect(said.replaceAll('\\"', '"')).toMatch(sentence);
  expect(said).toContain('could not start: ');
  expect(said).not.toContain('"msg":"ready"');
  // No stack and no secret: a person reads this.
  expect(said).not.toMatch(/hush|at file:|node:internal/);
  expect(said).not.toContain(`:${new URL(database.url).password}@`);
  expect(code).toBe(1);
}

/** A proxy to a server that changes what comes back. */
async function between(port: number, change: (chunk: Buffer) => Buffer): Promise<number> {
  const proxy = createServer((client) => {
    const server = connect(port, '127.0.0.1');
    client
      .on('data', (chunk) => server.write(chunk))
      .on('close', () => server.destroy())
      .on('error', () => {});
    server
      .on('data', (chunk) => client.write(change(chunk as Buffer)))
      .on('close', () => client.destroy())
      .on('error', () => {});
  });
  proxies.push(proxy);
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  return (proxy.address() as AddressInfo).port;
}

describe('a service refuses', () => {
  it('an environment that lacks what it needs, all of it at once', () =>
    refuses(
      'transformer',
      { KAFKA_BROKERS: 'no-port', DATABASE_URL: undefined },
      /KAFKA_BROKERS: .*host:port[\s\S]*DATABASE_URL: is not set/,
    ));

  it('a configuration that is not there', () =>
    refuses('transformer', { SYNCLINE_CONFIG: join(folder, 'none.yaml') }, /there is no such file/));

  it.each([
    ['missing', undefined],
    ['empty', ''],
  ])('a secret that is %s', (_, value) =>
    refuses(
      'ingestor',
      { SHOP_SECRET: value },
      /line 2, column \d+: connections\.shop\.secrets\.clientSecret: the environment variable SHOP_SECRET is not set/,
    ),
  );

  it('a database that does not answer, or lets nobody in', async () => {
    await refuses(
      'transformer',
      { DATABASE_URL: 'postgres://u:hush@127.0.0.1:9/x' },
      /the database does not answer \(.*\): check DATABASE_URL/,
    );
    const url = new URL(database.url);
    url.password = 'hush';
    await refuses('transformer', { DATABASE_URL: url.href }, /check DATABASE_URL/);
  });

  it('a database of a version that is too old', async () => {
    const old = (chunk: Buffer) => Buffer.from(chunk.toString('latin1').replace(/1[5-9]00\d\d/g, '140018'), 'latin1');
    const url = new URL(database.url);
    url.port = String(await between(Number(url.port), old));
    await refuses('writer', { DATABASE_URL: url.href }, /PostgreSQL 14 is too old: 15 or newer is needed/);
  });

  it('a database whose tables were never made', async () => {
    const url = new URL(database.url);
    url.pathname = '/postgres';
    await refuses('ingestor', { DATABASE_URL: url.href }, /the store is not migrated: run `syncline migrate`/);
  });

  it('a broker that does not answer', () =>
    refuses(
      'writer',
      { KAFKA_BROKERS: '127.0.0.1:9' },
      /Kafka at 127\.0\.0\.1:9 does not answer: start it, or correct KAFKA_BROKERS/,
    ));

  it('a broker that is too old', async () => {
    const old = (chunk: Buffer) => {
      // Produce is the first request a broker lists.
      if (chunk.length > 20 && chunk.readInt16BE(14) === 0) chunk.writeInt16BE(2, 18);
      return chunk;
    };
    const port = await between(Number((infra.kafkaBrokers[0] as string).split(':')[1]), old);
    await refuses(
      'transformer',
      { KAFKA_BROKERS: `127.0.0.1:${port}` },
      /is too old: it knows up to version 2 of the request Produce, version 7 is needed/,
    );
  });

  it('no topics, and topics with wrong settings, each by its name', async () => {
    const kafka = { brokers: [...infra.kafkaBrokers], clientId: 'test' };
    const specs = declaredTopics(['warehouse']);
    const order = specs.find((t) => t.name === 'canonical.order');
    if (!order) throw new Error('canonical.order is not declared');
    await migrateTopics(kafka, [{ ...order, config: { ...order.config, 'cleanup.policy': 'delete' } }]);
    await refuses('writer', {}, /Topic canonical\.order needs cleanup\.policy=compact: run "syncline migrate"/);
    await migrateTopics(kafka, [{ ...order, partitions: order.partitions + 2 }]);
    await refuses('writer', {}, /Topic canonical\.order has 8 partitions, more than the 6 declared/);
    const config = join(folder, 'more.yaml');
    writeFileSync(
      config,
      readFileSync(join(folder, 'syncline.yaml'), 'utf8')
        .replace(/^ {2}warehouse: (.*)$/m, '  warehouse: $1\n  other: $1')
        .replace('flows: [', 'flows: [{ kinds: [order], from: [shop], to: [other] }, '),
    );
    await refuses(
      'writer',
      { SYNCLINE_CONFIG: config },
      /Topic dead-letter\.writer\.other is missing: run "syncline migrate"/,
    );
  }, 120_000);
});

describe('a service starts', () => {
  it('with a clock that is 10 minutes wrong, and says by how much', async () => {
    const skew = join(folder, 'skew.mjs');
    writeFileSync(skew, 'const real = Date.now; Date.now = () => real() + 600_000;\n');
    const { code, said } = await run('ingestor', { WEBHOOKS: 'off' }, ['--import', skew]);
    expect(said).toMatch(/the clock of this machine is 600 s ahead of the database's/);
    expect(said).toContain('"msg":"ready"');
    expect(code).toBe(0);
  });
});
