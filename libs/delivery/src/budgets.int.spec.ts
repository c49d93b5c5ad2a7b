import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect as connectTo, createServer, type Server, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type BudgetState, type Priority, viewBudget } from '@syncline/connector-sdk';
import { testInfra } from '@syncline/infra';
import { createTestDatabase, openStore, readBudgets, type Store } from '@syncline/store';
import { type Arrival, type MeteredProvider, startMeteredProvider } from './testing/metered-provider.js';
import type { SpenderOrder } from './testing/spender.js';

// Children run what the build made: processes of their own know nothing of Jest.
const program = fileURLToPath(new URL('../dist/testing/spender.js', import.meta.url));
const limits = { perSecond: 40, burst: 80 };

let database: { url: string; drop(): Promise<void> };
let store: Store;
let provider: MeteredProvider;
let connection = '';
let count = 0;
const running = new Set<ChildProcess>();

beforeAll(async () => {
  database = await createTestDatabase((await testInfra()).databaseUrl);
  store = await openStore({ url: database.url, role: 'delivery', applicationName: 'budgets-test', poolSize: 1 });
}, 120_000);

afterEach(async () => {
  for (const child of running) child.kill('SIGKILL');
  await Promise.all([...running].map((child) => once(child, 'exit')));
  await provider?.close();
});

afterAll(async () => {
  await store?.close();
  await database?.drop();
});

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Starts a provider for a connection nobody has used. */
async function begin(real = limits): Promise<void> {
  provider = await startMeteredProvider(real);
  count += 1;
  connection = `shop${count}`;
}

async function spender(priority: Priority, more: Partial<SpenderOrder> = {}): Promise<Spender> {
  const order: SpenderOrder = {
    databaseUrl: database.url,
    providerUrl: provider.url,
    connection,
    name: `${priority}s`,
    priority,
    hands: 12,
    limits,
    ...more,
  };
  const child = spawn(process.execPath, [program, JSON.stringify(order)], { stdio: ['ignore', 'pipe', 'inherit'] });
  running.add(child);
  child.once('exit', () => running.delete(child));
  await once(child.stdout!, 'data');
  return {
    child,
    stop: async () => {
      const said = once(child.stdout!, 'data');
      child.kill('SIGTERM');
      const [line] = (await said) as [Buffer];
      if (child.exitCode === null) await once(child, 'exit');
      return JSON.parse(line.toString()) as { turns: number; sent: number };
    },
  };
}

interface Spender {
  child: ChildProcess;
  stop(): Promise<{ turns: number; sent: number }>;
}

const four = () => Promise.all((['webhook', 'poll', 'write', 'backfill'] as const).map((p) => spender(p)));
const since = (at: number) => provider.arrivals.filter((a) => a.at >= at);
const of = (arrivals: Arrival[], who: string) => arrivals.filter((a) => a.who === who).length;
const refusals = (arrivals: Arrival[]) => arrivals.filter((a) => a.refused).length;

/** The most that any stretch of time had over what a bucket allows in it. */
function mostOver(arrivals: Arrival[], { perSecond, burst }: { perSecond: number; burst: number }): number {
  let most = Number.NEGATIVE_INFINITY;
  for (const [i, from] of arrivals.entries())
    for (let j = i; j < arrivals.length; j += 1) {
      const seconds = ((arrivals[j] as Arrival).at - from.at) / 1000;
      most = Math.max(most, j - i + 1 - (burst + perSecond * seconds));
    }
  return most;
}

async function view() {
  const [row] = await readBudgets<BudgetState>(store, [connection]);
  return viewBudget(row!.state, row!.nowMs);
}

describe('a budget that four processes share', () => {
  it('is never exceeded in any window and wholly used, and every priority makes progress', async () => {
    await begin();
    const spenders = await four();
    const from = performance.now();
    await pause(6_000);
    const seen = since(from);
    const seconds = (performance.now() - from) / 1000;
    expect(await view()).toMatchObject({ sharers: 4, perSecond: 40, learned: false });
    expect((await view()).waiting.map((w) => w.priority)).toContain('backfill');
    await Promise.all(spenders.map((s) => s.stop()));
    expect(refusals(provider.arrivals)).toBe(0);
    expect(mostOver(provider.arrivals, limits)).toBeLessThanOrEqual(0);
    expect(seen.length).toBeGreaterThanOrEqual(0.8 * limits.perSecond * seconds);
    const share = (who: string) => of(seen, who) / seen.length;
    console.info(`served ${seen.length} in ${seconds} s`, ['webhooks', 'polls', 'writes', 'backfills'].map(share));
    expect(share('webhooks')).toBeGreaterThan(0.5);
    expect(share('polls')).toBeGreaterThan(0.08);
    expect(share('writes')).toBeGreaterThan(0.08);
    expect(share('backfills')).toBeGreaterThan(0.02);
    expect((await view()).sharers).toBe(0);
  });

  it('gets back what a killed process held and waited for', async () => {
    await begin();
    const [webhooks, , , backfills] = await four();
    await pause(1_500);
    webhooks!.child.kill('SIGKILL');
    backfills!.child.kill('SIGKILL');
    await pause(2_500);
    const from = performance.now();
    await pause(3_000);
    const seen = since(from);
    expect(seen.length).toBeGreaterThanOrEqual(0.8 * limits.perSecond * 3);
    expect(of(seen, 'polls')).toBeGreaterThan(of(seen, 'writes'));
    expect((await view()).waiting.every((w) => ['poll', 'write'].includes(w.priority))).toBe(true);
    for (const child of running) child.kill('SIGKILL');
    await pause(2_000);
    expect(await view()).toMatchObject({ available: limits.burst / 2, waiting: [] });
    expect(refusals(provider.arrivals)).toBe(0);
    expect(mostOver(provider.arrivals, limits)).toBeLessThanOrEqual(0);
  });

  it('takes on what one process learns of the limit, in all of them', async () => {
    await begin({ perSecond: 200, burst: 200 });
    provider.limit({ perSecond: 200, burst: 200 }, true);
    const spenders = await four();
    await pause(2_000);
    expect(provider.arrivals.length).toBeGreaterThan(200);
    const smaller = { perSecond: 20, burst: 40 };
    provider.limit(smaller, true);
    await pause(3_000);
    const from = performance.now();
    await pause(4_000);
    const seen = since(from);
    expect(refusals(seen)).toBe(0);
    expect(mostOver(seen, smaller)).toBeLessThanOrEqual(0);
    expect(seen.length).toBeGreaterThanOrEqual(0.8 * smaller.perSecond * 4);
    expect(seen.length).toBeLessThanOrEqual(smaller.perSecond * 4 + smaller.burst);
    expect(await view()).toMatchObject({ learned: true, ...smaller });
    expect(spenders.every((s) => s.child.exitCode === null)).toBe(true);
  });

  it('rests in all processes as long as one was told to, and then goes slower', async () => {
    await begin();
    await four();
    await pause(1_000);
    const refusedAt = await provider.refuseOnce(2);
    await pause(4_500);
    const { arrivals } = provider;
    // What was on its way, and what the others still had in hand, ends within a lease.
    const rest = arrivals.filter((a) => a.at > refusedAt + 800 && a.at < refusedAt + 1_950);
    expect(rest).toEqual([]);
    const after = arrivals.filter((a) => a.at > refusedAt + 2_500 && a.at < refusedAt + 4_500);
    expect(after.length).toBeGreaterThan(20);
    expect(after.length).toBeLessThan(60);
    expect(refusals(arrivals)).toBe(1);
  });

  it('costs a busy process far fewer turns than requests', async () => {
    const ample = { perSecond: 2_000, burst: 4_000 };
    await begin(ample);
    const spenders = [await spender('poll', { limits: ample }), await spender('write', { limits: ample })];
    await pause(4_000);
    const said = await Promise.all(spenders.map((s) => s.stop()));
    console.info('turns and requests', said);
    for (const { turns, sent } of said) {
      expect(sent).toBeGreaterThan(500);
      expect(turns).toBeLessThan(sent / 5);
    }
  });
});

describe('with the database away', () => {
  it('every process goes on with its safe share, and shares again when the database is back', async () => {
    await begin();
    const gate = await startGate(new URL(database.url));
    const behind = { databaseUrl: gate.url };
    await Promise.all((['webhook', 'poll', 'write', 'backfill'] as const).map((p) => spender(p, behind)));
    await pause(2_000);
    gate.shut();
    await pause(5_000);
    const from = performance.now();
    await pause(4_000);
    const alone = since(from);
    console.info(
      'requests alone',
      alone.length,
      ['webhooks', 'polls', 'writes', 'backfills'].map((w) => of(alone, w)),
    );
    expect(alone.length).toBeGreaterThan(0.25 * limits.perSecond * 4);
    expect(alone.length).toBeLessThanOrEqual(0.5 * limits.perSecond * 4 + 8);
    for (const who of ['webhooks', 'polls', 'writes', 'backfills']) expect(of(alone, who)).toBeGreaterThan(5);
    gate.open();
    await pause(2_500);
    const back = performance.now();
    await pause(3_000);
    expect(since(back).length).toBeGreaterThanOrEqual(0.8 * limits.perSecond * 3);
    expect(refusals(provider.arrivals)).toBe(0);
    expect(mostOver(provider.arrivals, limits)).toBeLessThanOrEqual(0);
    for (const child of running) child.kill('SIGKILL');
    await gate.close();
  });
});

/** A way to the database that can be shut: connections break, and new ones are refused. */
async function startGate(to: URL): Promise<{ url: string; shut(): void; open(): void; close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  let isOpen = true;
  const server: Server = createServer((client) => {
    if (!isOpen) return void client.resetAndDestroy();
    const behind = connectTo(Number(to.port), to.hostname);
    for (const [a, b] of [
      [client, behind],
      [behind, client],
    ] as const) {
      sockets.add(a);
      a.on('error', () => undefined).on('close', () => {
        sockets.delete(a);
        b.destroy();
      });
      a.pipe(b);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = new URL(to);
  url.hostname = '127.0.0.1';
  url.port = String((server.address() as { port: number }).port);
  return {
    url: url.href,
    shut: () => {
      isOpen = false;
      for (const socket of sockets) socket.destroy();
    },
    open: () => {
      isOpen = true;
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
