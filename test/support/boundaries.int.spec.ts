import { execFile } from 'node:child_process';
import { appendFileSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

const root = join(import.meta.dirname, '../..');
const run = promisify(execFile);
let copy: string;

beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), 'syncline-boundaries-'));
  for (const folder of ['libs', 'apps']) {
    cpSync(join(root, folder), join(copy, folder), {
      recursive: true,
      filter: (source) => !/\/(node_modules|dist|fixtures|schema)$/.test(source),
    });
  }
  cpSync(join(root, 'package.json'), join(copy, 'package.json'));
  mkdirSync(join(copy, 'node_modules/@syncline'), { recursive: true });
  for (const lib of readdirSync(join(copy, 'libs'))) {
    symlinkSync(`../../libs/${lib}`, join(copy, 'node_modules/@syncline', lib));
  }
});

afterAll(() => rmSync(copy, { recursive: true, force: true }));

/** What the check says of the copy after a line was added to one of its files. */
async function checkWith(file: string, line: string): Promise<{ code: number; said: string }> {
  const path = join(copy, file);
  cpSync(path, `${path}.bak`);
  appendFileSync(path, `\n${line}\n`);
  try {
    return await check();
  } finally {
    cpSync(`${path}.bak`, path);
    rmSync(`${path}.bak`);
  }
}

async function check(): Promise<{ code: number; said: string }> {
  try {
    const { stdout } = await run(process.execPath, [join(root, 'tools/boundaries.mjs'), copy]);
    return { code: 0, said: stdout };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, said: stdout + stderr };
  }
}

describe('module boundaries', () => {
  it('hold in the sources as they are', async () => {
    expect(await check()).toEqual({ code: 0, said: 'Every import keeps to the boundaries.\n' });
  });

  it.each([
    [
      'a contract that uses the runtime',
      'libs/contracts/src/index.ts',
      "export * from '@syncline/runtime';",
      'libs/contracts (type:contracts) may use no other package',
    ],
    [
      'a connector that knows the store',
      'libs/connectors/src/index.ts',
      "import '@syncline/store';",
      'libs/connectors (type:connectors) may use',
    ],
    [
      'a connector that knows Kafka',
      'libs/connectors/src/index.ts',
      "import 'kafkajs';",
      'Kafka is spoken in libs/messaging only',
    ],
    ['a connector that knows Nest', 'libs/connectors/src/index.ts', "import '@nestjs/common';", 'know nothing of Nest'],
    [
      'an app that speaks to PostgreSQL itself',
      'apps/cli/src/main.ts',
      "await import('pg');",
      'PostgreSQL is spoken in',
    ],
    [
      'an engine that sets up telemetry',
      'libs/delivery/src/index.ts',
      "import '@opentelemetry/sdk-node';",
      'set up in libs/runtime only',
    ],
    [
      'a way past an index',
      'apps/cli/src/main.ts',
      "import '../../../libs/infra/src/process.js';",
      'is used through its index only',
    ],
    [
      'a type from past an index',
      'libs/delivery/src/index.ts',
      "export type { Store } from '../../store/src/store.js';",
      'is used through its index only',
    ],
    [
      'a package that is not named',
      'libs/contracts/src/index.ts',
      "import 'left-pad';",
      'libs/contracts/package.json does not name left-pad',
    ],
  ])('find %s', async (_, file, line, sentence) => {
    const { code, said } = await checkWith(file, line);
    expect(said).toContain(sentence);
    expect(said).toContain(file);
    expect(code).toBe(1);
  });
});
