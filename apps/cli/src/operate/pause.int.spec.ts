import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { testInfra } from '@syncline/infra';
import { createTestDatabase, openStore, readPauses } from '@syncline/store';
import type { Local, LocalService } from '../local.js';
import { changedLines, setPaused, sidesOf } from './pause.js';

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let local: Local;
let management: Server | undefined;

const service = (name: string, role: LocalService['role'], connections: string[]): LocalService => ({
  name,
  role,
  connections,
  pid: null,
  url: null,
  state: 'restarting',
  restarts: 1,
});

beforeAll(async () => {
  database = await createTestDatabase((await testInfra()).databaseUrl);
  local = {
    kafkaBrokers: '',
    databaseUrl: database.url,
    warehouseUrl: '',
    webhooks: {},
    sandbox: null,
    services: [
      service('ingestor-shopify', 'ingestor', ['shop']),
      service('writer-shopify', 'writer', ['shop']),
      service('writer-postgres', 'writer', ['warehouse']),
    ],
    infra: [],
    config: '',
    connections: { shop: 'shopify', warehouse: 'postgres' },
  };
}, 120_000);
afterEach(async () => {
  await new Promise<void>((resolve) => (management ? management.close(() => resolve()) : resolve()));
  management = undefined;
});
afterAll(() => database?.drop());

const pausesOf = async (role: 'ingestion' | 'delivery') => {
  const store = await openStore({ url: database.url, role, applicationName: 'test', poolSize: 1 });
  try {
    return [...(await readPauses(store, ['shop', 'warehouse'])).keys()];
  } finally {
    await store.close();
  }
};
/** A management port that always says the same of the warehouse. */
async function saying(target: object): Promise<Local> {
  const one = {
    name: 'warehouse',
    desired: 0,
    delivered: 0,
    pending: 0,
    dead: 0,
    freshnessMs: { p50: null, p99: null },
  };
  management = createServer((_, reply) => reply.end(JSON.stringify({ targets: [{ ...one, ...target }] })));
  await new Promise<void>((resolve) => management!.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(management.address() as AddressInfo).port}`;
  return {
    ...local,
    services: local.services.map((s) => (s.name === 'writer-postgres' ? { ...s, url, state: 'ready' } : s)),
  };
}

describe('an order to pause', () => {
  it('is stored on each side of a connection while its services are down, and says so', async () => {
    const changed = await setPaused(() => local, 'shop', sidesOf(local, 'shop', undefined), true);
    expect(changed).toEqual([
      { connection: 'shop', side: 'source', paused: true, was: false, inForce: 'down' },
      { connection: 'shop', side: 'target', paused: true, was: false, inForce: 'down' },
    ]);
    expect([await pausesOf('ingestion'), await pausesOf('delivery')]).toEqual([['shop'], ['shop']]);
    expect(changedLines(changed)[0]).toBe(
      'shop is paused as a source; its service does not run now and will find this when it starts.',
    );
    const back = await setPaused(() => local, 'shop', ['target'], false);
    expect(back).toMatchObject([{ side: 'target', paused: false, was: false }]);
    expect([await pausesOf('ingestion'), await pausesOf('delivery')]).toEqual([['shop'], []]);
  });

  it.each([
    ['the service obeys and nothing is under way', { paused: Date.now(), underWay: 0 }, 'yes'],
    ['a write is still under way', { paused: Date.now(), underWay: 1 }, 'no'],
    ['the service has not heard of it', { paused: null, underWay: 0 }, 'no'],
  ])('is judged by what the service says: %s', async (_what, target, inForce) => {
    const up = await saying(target);
    const changed = await setPaused(() => up, 'warehouse', ['target'], true, 300);
    expect(changed).toMatchObject([{ connection: 'warehouse', inForce }]);
  });

  it('is not said to be in force where a service that runs does not answer', async () => {
    const hung = await saying({});
    management!.removeAllListeners('request');
    const changed = await setPaused(() => hung, 'warehouse', ['target'], true, 300);
    expect(changed).toMatchObject([{ inForce: 'no' }]);
    management!.closeAllConnections();
  }, 10_000);

  it('names what exists', () => {
    expect(() => sidesOf(local, 'warehose', undefined)).toThrow('did you mean "warehouse"?');
    expect(() => sidesOf(local, 'warehouse', 'source')).toThrow('warehouse is no source');
    expect(sidesOf(local, 'shop', undefined)).toEqual(['source', 'target']);
  });
});
