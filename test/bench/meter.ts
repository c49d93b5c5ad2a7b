import { readdirSync, readFileSync } from 'node:fs';

const ticksPerSecond = 100; // USER_HZ is 100 on every Linux that Node runs on

interface Usage {
  cpuSeconds: number;
  residentMb: number;
}

/** CPU seconds used so far by a process and its children that still live, and their resident memory. Linux only. */
function usageOf(pid: number): Usage {
  let cpuSeconds = 0;
  let residentMb = 0;
  for (const each of [pid, ...descendants(pid)]) {
    try {
      const stat = readFileSync(`/proc/${each}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      // utime, stime and, for what children have ended, cutime and cstime (proc(5), counted from the state field)
      cpuSeconds +=
        (Number(fields[11]) + Number(fields[12]) + Number(fields[13]) + Number(fields[14])) / ticksPerSecond;
      residentMb += (Number(fields[21]) * 4096) / 1e6;
    } catch {
      // it ended in between
    }
  }
  return { cpuSeconds, residentMb };
}

function descendants(pid: number): number[] {
  const parents = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
      parents.set(parent, [...(parents.get(parent) ?? []), Number(name)]);
    } catch {
      // it ended in between
    }
  }
  const out: number[] = [];
  const queue = [pid];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    const children = parents.get(next) ?? [];
    out.push(...children);
    queue.push(...children);
  }
  return out;
}

/** What a group of processes used between start and `stop`. */
export interface Metered {
  cpuSeconds: number;
  peakMb: number;
}

/** Measures named processes from now on: CPU as differences, memory as the highest of samples every 200 ms. */
export function meter(pids: Readonly<Record<string, number>>): () => Record<string, Metered> {
  const before = Object.fromEntries(Object.entries(pids).map(([name, pid]) => [name, usageOf(pid).cpuSeconds]));
  const peak: Record<string, number> = {};
  const sample = () => {
    for (const [name, pid] of Object.entries(pids)) peak[name] = Math.max(peak[name] ?? 0, usageOf(pid).residentMb);
  };
  sample();
  const timer = setInterval(sample, 200);
  return () => {
    clearInterval(timer);
    sample();
    return Object.fromEntries(
      Object.entries(pids).map(([name, pid]) => [
        name,
        { cpuSeconds: usageOf(pid).cpuSeconds - (before[name] ?? 0), peakMb: peak[name] ?? 0 },
      ]),
    );
  };
}

/** The value below which a share (0 to 1) of the sorted values lies. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** The middle of a list of numbers. */
export const median = (values: readonly number[]): number =>
  percentile(
    [...values].sort((a, b) => a - b),
    0.5,
  );
