import { chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Account, postgresFiles, reachableName, unprivilegedAccount } from './postgres-files.js';
import { postgresIsReady } from './probe.js';
import { runToEnd, startedAtMs } from './process.js';
import { nativeService, type OnExit, type Service } from './service.js';

const settings = fileURLToPath(new URL('../native/postgresql.conf', import.meta.url));
const hostRules =
  '# Local connections with the generated password, nothing else.\nhost all all 127.0.0.1/32 scram-sha-256\n';
// Boot time plus ticks is off by as much as the clock was set since.
const clockSlackMs = 10_000;

/** The role of both addresses, and the two databases made at first start. */
export const databaseRole = 'syncline';
export const databases = { store: 'syncline', warehouse: 'warehouse' } as const;

/** Where and how the server runs. */
export interface PostgresOptions {
  readonly stateDir: string;
  readonly logDir: string;
  readonly port: number;
  readonly password: string;
  readonly onStep: (line: string) => void;
  readonly onExit?: OnExit;
}

/** Prepares a PostgreSQL server; throws when there are no binaries for this platform or they cannot run. */
export async function postgresService(options: PostgresOptions): Promise<Service> {
  if (!/^[\w-]+$/.test(options.password)) throw new Error('password: only letters, digits, - and _');
  const account = unprivilegedAccount();
  const bin = join(await postgresFiles(account, options.onStep), 'bin');
  const data = join(options.stateDir, 'postgres');
  if (!existsSync(data)) await createCluster(bin, data, account, options);
  const name = await reachableName(data, account);
  return nativeService(
    {
      name: 'postgres',
      launch: {
        command: join(bin, 'postgres'),
        args: ['-D', name],
        cwd: data,
        env: { LC_ALL: 'C' },
        ...(account ? { account } : {}),
        logFile: join(options.logDir, 'postgres.log'),
        pidFile: join(options.stateDir, 'postgres.pid'),
      },
      // Fast shutdown: clients are disconnected, everything is written. SIGTERM would wait for the clients.
      politeSignal: 'SIGINT',
      readyMsMax: 60_000,
      isReady: () => postgresIsReady(options.port, databaseRole, databases.store),
      prepare: async () => {
        configure(data, options.port, account);
        dropForeignPidFile(join(data, 'postmaster.pid'));
      },
      // Workers of a killed server notice within moments that it is gone, and hold the shared memory until then.
      isPassing: (log) => /shared memory block .* is still in use|lock file "postmaster.pid" already exists/.test(log),
    },
    options.onExit,
  );
}

/** The address of a database of this server; it holds the password. */
export function databaseUrl(port: number, password: string, database: string): string {
  return `postgres://${databaseRole}:${password}@127.0.0.1:${port}/${database}`;
}

/** Makes cluster, role password and databases under another name first, so that a kill half way leaves none. */
async function createCluster(
  bin: string,
  data: string,
  account: Account | undefined,
  options: PostgresOptions,
): Promise<void> {
  options.onStep('Creating the PostgreSQL databases');
  const draft = `${data}.new`;
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { mode: 0o700 });
  if (account) chownSync(draft, account.uid, account.gid);
  const name = await reachableName(draft, account);
  const how = { ...account, cwd: draft, timeoutMs: 120_000 };
  // --auth is for the moment before pg_hba.conf is replaced; the server does not run yet.
  const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
  await runToEnd(join(bin, 'initdb'), ['-D', name, '-U', databaseRole, '--auth=trust', ...locale], how);
  const statements = [
    `ALTER ROLE ${databaseRole} PASSWORD '${options.password}'`,
    ...Object.values(databases).map((database) => `CREATE DATABASE ${database}`),
  ];
  const single = ['--single', '-D', name, '-c', 'exit_on_error=on', 'postgres'];
  await runToEnd(join(bin, 'postgres'), single, { ...how, input: `${statements.join('\n')}\n` });
  configure(draft, options.port, account);
  renameSync(draft, data);
}

function configure(data: string, port: number, account: Account | undefined): void {
  const files = { 'postgresql.conf': `${readFileSync(settings, 'utf8')}\nport = ${port}\n`, 'pg_hba.conf': hostRules };
  for (const [name, text] of Object.entries(files)) {
    const path = join(data, name);
    writeFileSync(path, text, { mode: 0o600 });
    if (account) chownSync(path, account.uid, account.gid);
  }
}

/**
 * PostgreSQL removes the lock file of a dead server itself, but takes any process that has got its pid since for that
 * server. The file says in its third line when the server started (Unix seconds): another time is another process.
 */
function dropForeignPidFile(path: string): void {
  if (!existsSync(path)) return;
  const [pid = '', , started = ''] = readFileSync(path, 'utf8').split('\n');
  const processStarted = startedAtMs(Number(pid));
  if (processStarted === undefined) return;
  if (Math.abs(processStarted - Number(started) * 1000) > clockSlackMs) rmSync(path);
}
