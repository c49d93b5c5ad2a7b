import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTimeOf } from '@syncline/infra';
import { type LocalSystem, type System, startSystem } from '../support/system.js';

const startMsMax = 120_000;
let system: System;
let before: LocalSystem;

async function until<T>(look: () => T | undefined | false, msMax: number): Promise<T> {
  const endMs = Date.now() + msMax;
  for (;;) {
    const found = look();
    if (found) return found;
    if (Date.now() > endMs) throw new Error(`not within ${msMax} ms: ${look}\n${system.said()}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const pidsOf = (local: LocalSystem): number[] =>
  [...local.services, ...local.infra, ...(local.sandbox ? [local.sandbox] : [])].flatMap(({ pid }) =>
    pid ? [pid] : [],
  );
const isGone = (pid: number): boolean => startTimeOf(pid) === undefined;

beforeAll(async () => {
  system = await startSystem();
  before = system.local();
}, startMsMax);

afterAll(() => system?.stop(), 90_000);

// One system through its life, in this order: each test goes on where the one before ended.
describe('the supervisor', () => {
  it('starts what the configuration needs and tells where it is', async () => {
    expect(before.services.map(({ name, state }) => `${name} ${state}`).sort()).toEqual([
      'ingestor-easypost ready',
      'ingestor-shopify ready',
      'transformer ready',
      'writer-easypost ready',
      'writer-postgres ready',
      'writer-shopify ready',
    ]);
    expect(Object.keys(before.webhooks).sort()).toEqual(['carrier', 'shop']);
    const { code, stdout } = await system.cli('status', '--json');
    const status = JSON.parse(stdout);
    expect(code).toBe(0);
    expect(status.connections.map((c: { name: string }) => c.name)).toEqual(['shop', 'carrier']);
    expect(status.targets.map((t: { name: string }) => t.name).sort()).toEqual(['carrier', 'shop', 'warehouse']);
    for (const { reason, paused, ...figures } of status.targets) {
      expect([reason, paused]).toEqual([null, null]);
      expect(Object.values(figures)).not.toContain(null);
    }
  });

  it('finds every credential good', async () => {
    expect(await system.cli('check')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('✓ warehouse (postgres)'),
    });
  });

  it('refuses a second start beside it', async () => {
    const { code, stderr } = await system.cli('up');
    expect(code).toBe(1);
    expect(stderr).toContain(`Syncline already runs here (process ${system.pid})`);
  });

  it.each(['transformer', 'ingestor-shopify'])(
    'starts a killed %s again',
    async (name) => {
      const find = () => system.local().services.find((service) => service.name === name)!;
      const { pid } = find();
      process.kill(pid!, 'SIGKILL');
      const again = await until(() => (find().state === 'ready' && find().pid !== pid ? find() : undefined), 60_000);
      expect(again.restarts).toBe(1);
      expect(system.local().webhooks).toEqual(before.webhooks);
    },
    70_000,
  );

  it('starts a killed Kafka again', async () => {
    const find = () => system.local().infra.find((server) => server.name === 'kafka')!;
    const { pid } = find();
    process.kill(pid!, 'SIGKILL');
    await until(() => find().state === 'ready' && find().pid !== pid && find(), 90_000);
  }, 100_000);

  it(
    'when it is killed itself, the next start ends what it left and goes on with the same data',
    async () => {
      const left = pidsOf(system.local());
      process.kill(system.pid, 'SIGKILL');
      await until(() => isGone(system.pid), 5_000);
      expect(left.some((pid) => !isGone(pid))).toBe(true);
      expect((await system.cli('status')).code).toBe(1);

      system = await startSystem({ stateDir: system.stateDir });
      expect(system.said()).toContain('Ended what a killed start had left');
      expect(left.filter((pid) => !isGone(pid))).toEqual([]);
      const { webhooks, sandbox, databaseUrl } = system.local();
      expect(webhooks).toEqual(before.webhooks);
      expect({ ...sandbox, pid: 0 }).toEqual({ ...before.sandbox, pid: 0 });
      expect(databaseUrl).toBe(before.databaseUrl);
    },
    startMsMax + 30_000,
  );

  it('leaves no process and no addresses when it ends', async () => {
    const running = pidsOf(system.local());
    await system.stop({ keep: true });
    expect(running.filter((pid) => !isGone(pid))).toEqual([]);
    expect(existsSync(join(system.stateDir, 'local.json'))).toBe(false);
  }, 90_000);
});
