import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '../failure.js';
import { places } from '../places.js';

const pollMs = 300;

/** `syncline logs <service>`: the end of a service's log; with `follow` it goes on until Ctrl-C. */
export async function logsCommand(
  service: string,
  options: { json?: boolean; follow?: boolean; lines: number },
): Promise<number> {
  const path = join(places.logs, `${service}.log`);
  if (!/^[a-z0-9-]+$/.test(service) || !existsSync(path)) {
    const names = existsSync(places.logs) ? readdirSync(places.logs).filter((n) => n.endsWith('.log')) : [];
    throw new Failure(
      names.length > 0
        ? `There is no log "${service}". There are: ${names
            .map((n) => n.slice(0, -4))
            .sort()
            .join(', ')}`
        : 'There are no logs yet: start Syncline with "npm start".',
      2,
    );
  }
  const print = (lines: string[]): void => {
    for (const line of lines) {
      const text = options.json ? asJson(line) : readable(line);
      if (text !== null) console.log(text);
    }
  };
  const text = readFileSync(path, 'utf8');
  print(
    text
      .split('\n')
      .filter((line) => line !== '')
      .slice(-options.lines),
  );
  if (!options.follow) return 0;
  await follow(path, Buffer.byteLength(text), print);
  return 0;
}

async function follow(path: string, from: number, print: (lines: string[]) => void): Promise<never> {
  let at = from;
  let rest = '';
  for (;;) {
    const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    // Cut in place when it grew too long: go on from its new beginning.
    if (size < at) at = 0;
    if (size > at) {
      const bytes = Buffer.alloc(size - at);
      const file = openSync(path, 'r');
      at += readSync(file, bytes, 0, bytes.length, at);
      closeSync(file);
      const lines = (rest + bytes.toString('utf8')).split('\n');
      rest = lines.pop() ?? '';
      print(lines.filter((line) => line !== ''));
    }
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

/** A line as JSON: the service's own, or what other programs wrote as a text. */
function asJson(line: string): string {
  return parsed(line) ? line : JSON.stringify({ msg: line });
}

const levels: Readonly<Record<string, string>> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
  60: 'fatal',
};
const hidden = new Set(['level', 'time', 'msg', 'pid', 'hostname', 'service', 'name']);

/** A log line for people: time, level, message, then the other fields. Lines that are no JSON stay as they are. */
export function readable(line: string): string {
  const entry = parsed(line);
  if (!entry) return line;
  const time = typeof entry.time === 'number' || typeof entry.time === 'string' ? new Date(entry.time) : undefined;
  const clock = time && !Number.isNaN(time.getTime()) ? time.toISOString().slice(11, 23) : '';
  const level = levels[String(entry.level)] ?? String(entry.level ?? '');
  const rest = Object.entries(entry).flatMap(([key, value]) =>
    hidden.has(key) ? [] : [`${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`],
  );
  return [clock, level.padEnd(5), String(entry.msg ?? ''), ...rest].join(' ').trim();
}

function parsed(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
