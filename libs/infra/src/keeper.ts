import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Infra, startInfra } from './infra.js';
import { isAlive, ownProcess } from './process.js';
import { LockedError, readHolder, writeWhole } from './state.js';
import { clientsFolder, exitLocked, readyFile } from './test-infra.js';

// The process that holds the shared test pair: `node keeper.js <folder> <idle ms>`. It ends when no client process has
// been there for that long, whatever way they ended.

const [stateDir = '', idleMs = '120000'] = process.argv.slice(2);
const checkMs = 1_000;

const abort = new AbortController();
for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => abort.abort());

try {
  const infra = await startInfra({
    stateDir,
    signal: abort.signal,
    fresh: true,
    onStep: (line) => console.log(line),
    onExit: (name, how) => {
      console.log(`${name} ended with ${how}: starting it again`);
      infra.restart(name).catch((error: Error) => {
        console.error(error.message);
        void end(infra, 1);
      });
    },
  });
  abort.signal.addEventListener('abort', () => void end(infra));
  await keep(infra);
} catch (error) {
  console.error((error as Error).message);
  process.exit(error instanceof LockedError ? exitLocked : 1);
}

async function keep(infra: Infra): Promise<void> {
  publish(infra);
  let lastSeenMs = Date.now();
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, checkMs));
    if (clientsAlive()) lastSeenMs = Date.now();
    if (Date.now() - lastSeenMs < Number(idleMs)) continue;
    // A client signs in before it reads the ready file: one that has still read it is seen by this second look.
    rmSync(readyFile(stateDir), { force: true });
    if (!clientsAlive()) return end(infra);
    lastSeenMs = Date.now();
    publish(infra);
  }
}

function publish(infra: Infra): void {
  const { kafkaBrokers, databaseUrl, warehouseUrl } = infra;
  writeWhole(readyFile(stateDir), JSON.stringify({ keeper: ownProcess(), kafkaBrokers, databaseUrl, warehouseUrl }));
}

function clientsAlive(): boolean {
  const folder = clientsFolder(stateDir);
  let alive = false;
  for (const name of readdirSync(folder)) {
    const client = readHolder(join(folder, name));
    if (client && isAlive(client)) alive = true;
    else rmSync(join(folder, name), { force: true });
  }
  return alive;
}

async function end(infra: Infra, code = 0): Promise<void> {
  rmSync(readyFile(stateDir), { force: true });
  await infra.stop();
  process.exit(code);
}
