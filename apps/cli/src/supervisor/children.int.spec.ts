import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { launch, type Running, startTimeOf, stopProcess } from '@syncline/infra';

const state = mkdtempSync(join(tmpdir(), 'syncline-cli-'));
// Read when the modules load.
process.env.SYNCLINE_STATE = state;
const { places } = await import('../places.js');
const { createChild } = await import('./child.js');
const { stopLeftovers } = await import('./leftovers.js');
const { openPorts } = await import('./ports.js');
const { rotateLogs } = await import('./log-rotation.js');

beforeAll(() => {
  mkdirSync(places.run, { recursive: true });
  mkdirSync(places.logs, { recursive: true });
  mkdirSync(places.infra, { recursive: true });
});
afterAll(() => rmSync(state, { recursive: true, force: true }));

async function until(what: () => boolean, msMax = 10_000): Promise<void> {
  const endMs = Date.now() + msMax;
  while (!what()) {
    if (Date.now() > endMs) throw new Error(`not within ${msMax} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const good = `import { writeFileSync } from 'node:fs';
  writeFileSync(process.env.SYNCLINE_READY_FILE, JSON.stringify({ pid: process.pid, url: 'http://127.0.0.1:1' }));
  console.log('life with ' + process.env.MARK);
  setInterval(() => {}, 1000);`;

function program(name: string, source: string): string {
  const file = join(state, `${name}.mjs`);
  writeFileSync(file, source);
  return file;
}

describe('a supervised child', () => {
  let stop: () => Promise<void> = async () => {};
  afterEach(() => stop());

  function child(name: string, source: string) {
    const steps: string[] = [];
    let starts = 0;
    const made = createChild({
      name,
      program: program(name, source),
      env: async () => ({ MARK: `mark ${++starts}` }),
      onChange: () => {},
      onStep: (line) => steps.push(line),
    });
    stop = () => made.stop();
    return { made, steps };
  }

  it('is started again when it is killed, with a fresh environment', async () => {
    const { made, steps } = child('phoenix', good);
    await made.start();
    const first = made.pid!;
    process.kill(first, 'SIGKILL');
    await until(() => made.state === 'ready' && made.pid !== first);
    expect(made.restarts).toBe(1);
    expect(made.ready?.pid).toBe(made.pid);
    expect(steps).toEqual(['phoenix ended (signal SIGKILL), starting it again', 'phoenix is ready again']);
    expect(readFileSync(join(places.logs, 'phoenix.log'), 'utf8')).toBe('life with mark 1\nlife with mark 2\n');
  });

  it('shows the end of its log when it does not come up', async () => {
    const { made } = child('stillborn', "console.error('topics are missing: run syncline migrate'); process.exit(3)");
    await expect(made.start()).rejects.toThrow(/stillborn did not start \(exit code 3\)[\s\S]*topics are missing/);
  });

  it('is not started again once it was stopped', async () => {
    const { made } = child('mortal', good);
    await made.start();
    const id = made.pid!;
    await made.stop();
    expect(startTimeOf(id)).toBeUndefined();
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(made).toMatchObject({ state: 'stopped', pid: null, restarts: 0 });
    expect(existsSync(join(places.run, 'mortal.pid'))).toBe(false);
  });
});

describe('what a killed supervisor left', () => {
  let left: Running | undefined;
  afterEach(async () => {
    if (left) await stopProcess(left, 'SIGKILL');
  });

  const start = async (name: string): Promise<Running> => {
    left = await launch({
      command: process.execPath,
      args: ['-e', 'setInterval(() => {}, 1000)'],
      cwd: state,
      env: {},
      logFile: join(places.logs, `${name}.log`),
      pidFile: join(places.run, `${name}.pid`),
    });
    await until(() => statSync(join(places.run, `${name}.pid`)).size > 0);
    return left;
  };

  it('is ended', async () => {
    const { pid } = await start('orphan');
    expect(await stopLeftovers({ infra: true })).toEqual(['orphan']);
    expect(startTimeOf(pid)).toBeUndefined();
    expect(await stopLeftovers({ infra: true })).toEqual([]);
  });

  it('is not mistaken for another process that got its pid', async () => {
    const { pid } = await start('stranger');
    const file = join(places.run, 'stranger.pid');
    const before = readFileSync(file, 'utf8');
    // The start time is the 22nd word of the line that proc(5) describes.
    const words = before.split(' ');
    words[21] = String(Number(words[21]) - 100);
    if (process.platform === 'linux') writeFileSync(file, words.join(' '));
    else writeFileSync(file, `${pid} Thu Jan 1 00:00:00 1970\n`);
    expect(await stopLeftovers({ infra: false })).toEqual([]);
    expect(startTimeOf(pid)).toBeDefined();
  });
});

describe('ports', () => {
  it('are kept from start to start, unless somebody else has one', async () => {
    const first = await openPorts().take(['a', 'b']);
    expect(await openPorts().take(['b', 'a'])).toEqual(first);
    const squatter = createServer();
    await new Promise<void>((resolve) => squatter.listen(first.a, '127.0.0.1', resolve));
    try {
      const second = await openPorts().take(['a', 'b']);
      expect(second.b).toBe(first.b);
      expect(second.a).not.toBe(first.a);
    } finally {
      await new Promise((resolve) => squatter.close(resolve));
    }
  });

  it('are given to one name only, also when asked for at once', async () => {
    const ports = openPorts();
    const taken = await Promise.all(Array.from({ length: 20 }, (_, i) => ports.take([`many-${i}`])));
    expect(new Set(taken.flatMap((one) => Object.values(one))).size).toBe(20);
  });
});

describe('log rotation', () => {
  it('cuts what is too long, keeps one older part, and lets the writer go on', () => {
    const path = join(places.logs, 'long.log');
    writeFileSync(path, 'x'.repeat(2_000));
    writeFileSync(join(places.logs, 'short.log'), 'short');
    expect(rotateLogs(places.logs, 1_000)).toEqual(['long.log']);
    appendFileSync(path, 'next');
    expect(readFileSync(path, 'utf8')).toBe('next');
    expect(statSync(`${path}.1`).size).toBe(2_000);
    expect(readFileSync(join(places.logs, 'short.log'), 'utf8')).toBe('short');
  });
});
