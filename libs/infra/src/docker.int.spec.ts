import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { getContainerRuntimeClient } from 'testcontainers';
import { dockerAnswers, removeDockerData } from './docker.js';
import { dataVolume, stateLabels } from './docker-specs.js';
import { type Infra, startInfra } from './infra.js';
import { acceptsTcp, advertisedBrokers, kafkaIsReady } from './probe.js';
import { sourceFlags } from './test-infra.js';
import { query } from './testing/postgres-wire.js';

const source = dirname(fileURLToPath(import.meta.url));
const portOf = (address: string) => Number(/:(\d+)(\/|$)/.exec(address)?.[1]);

let stateDir: string;
let infra: Infra | undefined;
let starter: ChildProcess | undefined;

async function leftInDocker(): Promise<{ containers: string[]; addresses: string[]; volumes: string[] }> {
  const { dockerode } = (await getContainerRuntimeClient()).container;
  const label = Object.entries(stateLabels(stateDir)).map(([key, value]) => `${key}=${value}`);
  const containers = await dockerode.listContainers({ all: true, filters: { label } });
  const { Volumes } = await dockerode.listVolumes();
  const own = (['kafka', 'postgres'] as const).map((name) => dataVolume(stateDir, name));
  return {
    containers: containers.flatMap(({ Names }) => Names),
    addresses: containers.flatMap(({ Ports }) => Ports.filter(({ PublicPort }) => PublicPort).map(({ IP }) => IP)),
    volumes: Volumes.map(({ Name }) => Name).filter((name) => own.includes(name)),
  };
}

async function until(what: () => boolean | Promise<boolean>, ms = 20_000): Promise<void> {
  for (const end = Date.now() + ms; !(await what()); ) {
    if (Date.now() > end) throw new Error('did not happen in time');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

beforeEach(() => {
  process.env.INFRA = 'docker';
  stateDir = mkdtempSync(join(tmpdir(), 'syncline-docker-int-'));
});

afterEach(async () => {
  starter?.kill('SIGKILL');
  await infra?.stop();
  await removeDockerData(stateDir);
  rmSync(stateDir, { recursive: true });
  delete process.env.INFRA;
});

// Skipped where no daemon answers: the way itself is then not taken either.
((await dockerAnswers()) ? describe : describe.skip)('containers', () => {
  it('survive kill -9 with the data, are found after their starter was killed, and are gone when stopped', async () => {
    const program = join(source, 'testing/starter.ts');
    starter = spawn(process.execPath, [...sourceFlags(pathToFileURL(program).href), program, stateDir], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(starter.stdout!, 'data')) as [Buffer];
    const before = JSON.parse(line.toString()) as Pick<Infra, 'kafkaBrokers' | 'databaseUrl'>;
    await query(before.databaseUrl, 'CREATE TABLE kept AS SELECT 42 AS answer');
    expect((await leftInDocker()).addresses).toEqual(['127.0.0.1', '127.0.0.1']);
    starter.kill('SIGKILL');
    await once(starter, 'exit');
    expect(await kafkaIsReady(portOf(before.kafkaBrokers[0]!))).toBe(true);

    const steps: string[] = [];
    const exits: string[] = [];
    infra = await startInfra({
      stateDir,
      onStep: (step) => steps.push(step),
      onExit: (name, how) => exits.push(`${name}: ${how}`),
    });
    expect(steps).toContain('Removed the container of kafka of an earlier start');
    expect(steps).toContain('Removed the container of postgres of an earlier start');
    const { kafkaBrokers, databaseUrl, warehouseUrl } = infra;
    expect({ kafkaBrokers, databaseUrl }).toEqual({
      kafkaBrokers: before.kafkaBrokers,
      databaseUrl: before.databaseUrl,
    });
    const kafkaPort = portOf(kafkaBrokers[0]!);
    expect(await advertisedBrokers(kafkaPort)).toEqual([{ host: '127.0.0.1', port: kafkaPort }]);
    expect(await query(databaseUrl, 'SELECT answer FROM kept')).toEqual(['42']);
    expect(await query(warehouseUrl, 'SELECT current_database()')).toEqual(['warehouse']);
    await expect(query(databaseUrl.replace(/:[^:@]+@/, ':wrong@'), 'SELECT 1')).rejects.toThrow(/password/);

    await infra.kill('postgres', 'SIGKILL');
    await until(() => exits.length === 1);
    expect(exits).toEqual(['postgres: exit code 137']);
    await expect(infra.kill('postgres', 'SIGTERM')).rejects.toThrow('postgres is not running');
    await infra.restart('postgres');
    expect(await query(databaseUrl, 'SELECT answer FROM kept')).toEqual(['42']);

    // A paused container must not outlive a stop either.
    await infra.kill('kafka', 'SIGSTOP');
    await infra.stop();
    expect(await acceptsTcp('127.0.0.1', kafkaPort)).toBe(false);
    expect(exits).toHaveLength(1);
    const stopped = await leftInDocker();
    expect([stopped.containers, stopped.volumes.length]).toEqual([[], 2]);
    await removeDockerData(stateDir);
    expect(await leftInDocker()).toEqual({ containers: [], addresses: [], volumes: [] });
  }, 180_000);

  it('are gone when a start is called off', async () => {
    const abort = new AbortController();
    const start = startInfra({ stateDir, signal: abort.signal });
    const calledOff = expect(start).rejects.toThrow('called off');
    await until(async () => (await leftInDocker()).containers.length > 0);
    abort.abort(new Error('called off'));
    await calledOff;
    expect((await leftInDocker()).containers).toEqual([]);
  });
});
