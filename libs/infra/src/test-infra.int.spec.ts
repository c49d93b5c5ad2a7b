import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { kafkaIsReady } from './probe.js';
import { isAlive } from './process.js';
import { lockFile, readHolder } from './state.js';
import { sourceFlags, stopTestInfra, testInfra } from './test-infra.js';
import { query } from './testing/postgres-wire.js';

const outer = {
  INFRA: process.env.INFRA,
  KAFKA_BROKERS: process.env.KAFKA_BROKERS,
  DATABASE_URL: process.env.DATABASE_URL,
};
let stateDir: string;

beforeAll(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'syncline-test-infra-int-'));
  process.env.INFRA = 'native';
  delete process.env.KAFKA_BROKERS;
  delete process.env.DATABASE_URL;
});

afterAll(async () => {
  await stopTestInfra({ stateDir });
  for (const [name, value] of Object.entries(outer)) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
  rmSync(stateDir, { recursive: true });
});

/** Asks for the pair from a process of its own, prints what it got, and ends. */
async function ask(idleMs: number): Promise<string> {
  const module = new URL('./test-infra.ts', import.meta.url).href;
  const script = `import { testInfra } from ${JSON.stringify(module)};
    console.log(JSON.stringify(await testInfra({ stateDir: ${JSON.stringify(stateDir)}, idleMs: ${idleMs} })));`;
  const child = spawn(process.execPath, [...sourceFlags(import.meta.url), '--input-type=module', '-e', script], {
    env: process.env, // Jest's copy: without it a child sees the environment of the test runner
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let out = '';
  child.stdout.on('data', (chunk) => {
    out += chunk;
  });
  const [code] = (await once(child, 'close')) as [number];
  expect(code).toBe(0);
  return out.trim();
}

describe('the shared pair', () => {
  it('is one for processes that ask at once, ends when nobody is left, and starts again', async () => {
    const answers = await Promise.all([ask(2_500), ask(2_500), ask(2_500)]);
    expect(new Set(answers).size).toBe(1);
    const keeper = readHolder(lockFile(stateDir))!;
    const services = ['kafka.pid', 'postgres.pid'].map((name) =>
      Number.parseInt(readFileSync(join(stateDir, name), 'utf8'), 10),
    );
    expect(isAlive(keeper)).toBe(true);

    // This process joins, so the pair outlives its idle time.
    const joined = await testInfra({ stateDir });
    expect(JSON.stringify(joined)).toBe(answers[0]);
    await new Promise((resolve) => setTimeout(resolve, 4_500));
    expect(await query(joined.warehouseUrl, 'SELECT 1')).toEqual(['1']);
    expect(await kafkaIsReady(Number(joined.kafkaBrokers[0]!.split(':')[1]))).toBe(true);

    await stopTestInfra({ stateDir });
    expect(isAlive(keeper)).toBe(false);
    for (const pid of services) expect(() => process.kill(pid, 0)).toThrow('ESRCH');
    rmSync(join(stateDir, 'clients', String(process.pid)));

    await ask(1_000);
    const next = readHolder(lockFile(stateDir))!;
    for (const end = Date.now() + 20_000; isAlive(next); await new Promise((resolve) => setTimeout(resolve, 100))) {
      if (Date.now() > end) throw new Error('the keeper did not end by itself');
    }
    expect(readHolder(lockFile(stateDir))).toBeUndefined();
  });
});
