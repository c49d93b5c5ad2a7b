import { execFile, execFileSync, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A process, told apart from a later one with the same pid by the time it started. */
export interface ProcessId {
  readonly pid: number;
  /** Opaque: compare it, do not read it. */
  readonly startTime: string;
}

/** What to start and where its output goes. */
export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Set when the service must not run as the present user. */
  readonly account?: { readonly uid: number; readonly gid: number };
  readonly logFile: string;
  /** Written by the new process itself before it becomes the service, so that no kill of ours can lose its pid. */
  readonly pidFile: string;
}

/** A process we are the parent of. */
export interface Running extends ProcessId {
  /** Resolves with a few words about how it ended. */
  readonly exited: Promise<string>;
}

// USER_HZ, which Linux reports times in whatever its own clock does.
const ticksPerSecond = 100;
const logBytesMax = 16 * 1024 * 1024;

// Runs as the new process: says who it is on descriptor 3, then becomes the service under the same pid.
const launcher = `
if [ -r /proc/$$/stat ]; then cat /proc/$$/stat /proc/sys/kernel/random/boot_id >&3
else echo "$$ $(LC_ALL=C ps -o lstart= -p $$)" >&3; fi
exec 3>&-
exec "$@"`;

/** When the process with this pid started, or undefined when there is none (a zombie counts as none). */
export function startTimeOf(pid: number): string | undefined {
  if (process.platform === 'linux') {
    try {
      return parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'), bootId())?.startTime;
    } catch {
      return undefined;
    }
  }
  try {
    const options = { encoding: 'utf8' as const, env: { ...process.env, LC_ALL: 'C' } };
    const line = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], options).trim();
    const [state = '', ...started] = line.split(/\s+/);
    return state.startsWith('Z') ? undefined : started.join(' ');
  } catch {
    return undefined;
  }
}

/** When the process with this pid started, in Unix milliseconds, right to a few seconds; undefined when there is none. */
export function startedAtMs(pid: number): number | undefined {
  const started = startTimeOf(pid);
  if (started === undefined) return undefined;
  if (process.platform !== 'linux') return Date.parse(started);
  const bootedAtMs = Date.now() - Number.parseFloat(readFileSync('/proc/uptime', 'utf8')) * 1000;
  return bootedAtMs + (Number(started.split('/')[1]) * 1000) / ticksPerSecond;
}

/** True while exactly this process is there, not another one that got its pid. */
export function isAlive(id: ProcessId): boolean {
  return startTimeOf(id.pid) === id.startTime;
}

/** The process this code runs in. */
export function ownProcess(): ProcessId {
  return { pid: process.pid, startTime: startTimeOf(process.pid) ?? 'unknown' };
}

/** Reads a file written by `launch`; undefined when it is missing or was cut off. */
export function readPidFile(path: string): ProcessId | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
  const [first = '', boot = ''] = text.split('\n');
  if (first.includes('(')) return parseStat(first, boot.trim());
  const match = /^(\d+) +(\S.*)$/.exec(first.trim());
  return match ? { pid: Number(match[1]), startTime: match[2]!.split(/\s+/).join(' ') } : undefined;
}

/**
 * Starts a service in a session of its own, so that Ctrl-C in the terminal reaches only its supervisor.
 * Throws when the shell cannot be started; a service that ends at once shows in `exited`.
 */
export async function launch(what: Launch): Promise<Running> {
  rotateLog(what.logFile);
  const log = openSync(what.logFile, 'a', 0o600);
  const pid = openSync(what.pidFile, 'w', 0o600);
  try {
    const child = spawn('/bin/sh', ['-c', launcher, 'sh', what.command, ...what.args], {
      cwd: what.cwd,
      env: { ...inheritedEnv(), ...what.env },
      detached: true,
      stdio: ['ignore', log, log, pid],
      ...(what.account ?? {}),
    });
    const exited = new Promise<string>((resolve) => {
      child.once('exit', (code, signal) => resolve(signal ? `signal ${signal}` : `exit code ${code}`));
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    child.unref();
    const startTime = startTimeOf(child.pid!) ?? 'ended';
    return { pid: child.pid!, startTime, exited };
  } finally {
    closeSync(log);
    closeSync(pid);
  }
}

/** Sends a signal to exactly this process; false when it is gone. */
export function signal(id: ProcessId, name: NodeJS.Signals): boolean {
  if (!isAlive(id)) return false;
  try {
    process.kill(id.pid, name);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

/** Ends a process: politely, and with SIGKILL when it is still there after `waitMsMax`. */
export async function stopProcess(id: ProcessId, polite: NodeJS.Signals, waitMsMax = 15_000): Promise<void> {
  // A paused process does not see any other signal.
  if (!signal(id, polite)) return;
  signal(id, 'SIGCONT');
  if (await isGoneWithin(id, waitMsMax)) return;
  signal(id, 'SIGKILL');
  if (!(await isGoneWithin(id, 5_000))) throw new Error(`process ${id.pid} did not end on SIGKILL`);
}

/** Ends what an earlier, killed supervisor left behind, found by pid and start time, and forgets it. */
export async function stopStale(pidFile: string, polite: NodeJS.Signals): Promise<number | undefined> {
  const id = readPidFile(pidFile);
  const found = id !== undefined && isAlive(id);
  if (found) await stopProcess(id, polite);
  rmSync(pidFile, { force: true });
  return found ? id.pid : undefined;
}

/** Runs a short command to its end; the error names the command and shows the end of what it wrote. */
export async function runToEnd(
  command: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv; uid?: number; gid?: number; timeoutMs: number; input?: string },
): Promise<string> {
  const { timeoutMs, input, ...rest } = options;
  const promise = run(command, args, { env: inheritedEnv(), ...rest, timeout: timeoutMs });
  promise.child.stdin?.on('error', () => {}); // the exit code tells
  promise.child.stdin?.end(input ?? '');
  try {
    const { stdout, stderr } = await promise;
    return stdout + stderr;
  } catch (error) {
    const { stdout = '', stderr = '', code, killed } = error as { [k: string]: string | undefined };
    const why = killed ? `no end after ${timeoutMs} ms` : `failed (${code})`;
    throw new Error(`${command} ${args[0] ?? ''}: ${why}: ${(stdout + stderr).trim().slice(-1500)}`);
  }
}

/** The last lines of a log, for error messages. */
export function logTail(path: string, lines = 12): string {
  try {
    return readFileSync(path, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  } catch {
    return '(no log)';
  }
}

/** Environment of every child: no secret of ours is handed on. */
export function inheritedEnv(): Record<string, string> {
  const kept = ['PATH', 'HOME', 'LANG', 'TZ', 'TMPDIR', 'JAVA_HOME', 'JAVA_TOOL_OPTIONS'].flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value]];
  });
  return Object.fromEntries(kept);
}

async function isGoneWithin(id: ProcessId, waitMsMax: number): Promise<boolean> {
  const end = Date.now() + waitMsMax;
  while (isAlive(id)) {
    if (Date.now() > end) return false;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return true;
}

function parseStat(stat: string, boot: string): ProcessId | undefined {
  // proc(5): pid (comm) state ppid ... starttime is field 22; comm may hold blanks and brackets.
  const rest = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = rest[19];
  if (ticks === undefined || boot === '' || rest[0] === 'Z' || rest[0] === 'X') return undefined;
  return { pid: Number.parseInt(stat, 10), startTime: `${boot}/${ticks}` };
}

let boot: string | undefined;
function bootId(): string {
  boot ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return boot;
}

function rotateLog(path: string): void {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size > logBytesMax) renameSync(path, join(dirname(path), `${path.split('/').pop()}.1`));
}
