// The sandbox as a process: settings by environment or --name=value, one JSON line with the addresses when it is ready.
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { startSandbox } from './index.js';

const port = z.coerce.number('must be a port, 0 for a free one').int().min(0).max(65_535).default(0);
const flag = z.stringbool().default(false);

/** Environment variables; each can also be given as a flag, SANDBOX_SHOP_PORT as --sandbox-shop-port. */
const environment = z.object({
  SANDBOX_SHOP_PORT: port,
  SANDBOX_CARRIER_PORT: port,
  SANDBOX_CONTROL_PORT: port,
  SANDBOX_STATE: z.string().min(1).optional(),
  SANDBOX_SEED: z.coerce.number().int().default(1),
  SANDBOX_RETRY_SCALE: z.coerce.number().positive().default(1),
  SANDBOX_LIST_LAG_MS: z.coerce.number().nonnegative().default(300),
  SANDBOX_STORY: flag,
  SANDBOX_STORY_RATE: z.coerce.number().positive().default(1),
  SHOP_ID: z.string().min(1).optional(),
  SHOP_SECRET: z.string().min(1).optional(),
  CARRIER_KEY: z.string().min(1).optional(),
});

type Environment = z.output<typeof environment>;

function readEnvironment(): Environment {
  const names = Object.keys(environment.shape);
  const flags = Object.fromEntries(
    names.map((name) => [name.toLowerCase().replaceAll('_', '-'), { type: 'string' as const }]),
  );
  const { values } = parseArgs({ options: flags, strict: true });
  const given = names.map((name) => [name, values[name.toLowerCase().replaceAll('_', '-')] ?? process.env[name]]);
  const parsed = environment.safeParse(
    Object.fromEntries(given.filter(([, value]) => value !== undefined && value !== '')),
  );
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  throw new Error(`the sandbox cannot start:\n  ${problems.join('\n  ')}`);
}

/** Only what was given: an absent credential is made up at start, and undefined would hide that. */
const given = <T extends object>(values: T) =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: NonNullable<T[K]>;
  };

async function main(): Promise<void> {
  const env = readEnvironment();
  const sandbox = await startSandbox({
    shopPort: env.SANDBOX_SHOP_PORT,
    carrierPort: env.SANDBOX_CARRIER_PORT,
    controlPort: env.SANDBOX_CONTROL_PORT,
    seed: env.SANDBOX_SEED,
    settings: { retryScale: env.SANDBOX_RETRY_SCALE, listLagMs: env.SANDBOX_LIST_LAG_MS },
    story: env.SANDBOX_STORY,
    storyStepsPerSecond: env.SANDBOX_STORY_RATE,
    ...given({
      stateFile: env.SANDBOX_STATE,
      shopId: env.SHOP_ID,
      shopSecret: env.SHOP_SECRET,
      carrierKey: env.CARRIER_KEY,
    }),
  });
  let stopping = false;
  const stop = (): void => {
    if (stopping) return;
    stopping = true;
    sandbox.close().then(
      () => process.exit(0),
      (error: unknown) => {
        process.stderr.write(`${error}\n`);
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', stop).on('SIGINT', stop);
  process.stdout.write(`${JSON.stringify({ ready: true, pid: process.pid, ...sandbox.urls })}\n`);
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exit(1);
});
