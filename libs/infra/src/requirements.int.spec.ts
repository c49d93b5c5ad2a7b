import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { findJava, kafkaJars } from './kafka-jars.js';
import { launch, readPidFile, startTimeOf, stopStale } from './process.js';
import { choosePorts, lockFile, takeLock } from './state.js';

const outer = { PATH: process.env.PATH, JAVA_HOME: process.env.JAVA_HOME, SYNCLINE_CACHE: process.env.SYNCLINE_CACHE };
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'syncline-requirements-'));
});

afterEach(() => {
  for (const [name, value] of Object.entries(outer)) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
  rmSync(folder, { recursive: true });
});

describe('what is missing', () => {
  it('is named with a way to get it', async () => {
    process.env.PATH = folder;
    delete process.env.JAVA_HOME;
    await expect(findJava()).rejects.toThrow(
      /there is no java on the PATH.*Install.*or start Docker, or set KAFKA_BROKERS/,
    );
    process.env.SYNCLINE_CACHE = join(folder, 'cache');
    await expect(kafkaJars(() => {})).rejects.toThrow(/no mvn on the PATH.*Install/);
  });

  it('includes a Java that is too old', async () => {
    mkdirSync(join(folder, 'bin'));
    writeFileSync(join(folder, 'bin/java'), '#!/bin/sh\necho \'openjdk version "11.0.2" 2019-01-15\' >&2\n');
    chmodSync(join(folder, 'bin/java'), 0o755);
    process.env.JAVA_HOME = folder;
    await expect(findJava()).rejects.toThrow(/Java 17 or newer, but .*bin\/java is 11/);
  });
});

describe('the download', () => {
  it('by two at once ends in one whole folder', async () => {
    process.env.SYNCLINE_CACHE = folder;
    const [one, two] = await Promise.all([kafkaJars(() => {}), kafkaJars(() => {})]);
    expect(one).toBe(two);
    expect(readdirSync(one!).filter((name) => name.endsWith('.jar'))).toHaveLength(45);
    expect(readdirSync(folder)).toHaveLength(1);
    // A folder that lost a jar is not used.
    rmSync(join(one!, readdirSync(one!).find((name) => name.startsWith('zstd'))!));
    expect(readdirSync(await kafkaJars(() => {})).filter((name) => name.endsWith('.jar'))).toHaveLength(45);
  });
});

describe('what a killed starter left', () => {
  it('is not mistaken for a process that has got the same pid since', async () => {
    const pidFile = join(folder, 'x.pid');
    const one = await launch({
      command: 'sleep',
      args: ['60'],
      cwd: '/',
      env: {},
      logFile: join(folder, 'x.log'),
      pidFile,
    });
    while (!readPidFile(pidFile)) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(readPidFile(pidFile)).toEqual({ pid: one.pid, startTime: startTimeOf(one.pid) });
    // The same pid, once started a tick earlier and once in another boot of the machine.
    const [boot, ticks] = one.startTime.split('/');
    for (const [otherTicks, otherBoot] of [
      [Number(ticks) - 1, boot],
      [ticks, 'another-boot'],
    ]) {
      const zeros = Array(18).fill('0').join(' ');
      writeFileSync(join(folder, 'other.pid'), `${one.pid} (a (b) c) S ${zeros} ${otherTicks} 0\n${otherBoot}\n`);
      expect(await stopStale(join(folder, 'other.pid'), 'SIGKILL')).toBeUndefined();
    }
    expect(startTimeOf(one.pid)).toBe(one.startTime);
    expect(await stopStale(pidFile, 'SIGTERM')).toBe(one.pid);
    expect(await one.exited).toBe('signal SIGTERM');
    expect(startTimeOf(one.pid)).toBeUndefined();
  });

  it('does not lock the folder', () => {
    writeFileSync(lockFile(folder), JSON.stringify({ pid: process.ppid, startTime: 'some-boot/1' }));
    const giveBack = takeLock(folder);
    expect(() => takeLock(folder)).toThrow(`process ${process.pid}`);
    giveBack();
    takeLock(folder)();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('has its ports back only where they are free', async () => {
    const first = await choosePorts(['a', 'b'], {});
    expect(await choosePorts(['a', 'b'], first)).toEqual(first);
    const clash = await choosePorts(['a', 'b'], { a: first.a, b: first.a });
    expect(clash.a).toBe(first.a);
    expect(clash.b).not.toBe(first.a);
  });
});
