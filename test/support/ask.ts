import type { System } from './system.js';

/** What `syncline status --json` prints, as far as tests look at it. */
export interface StatusJson {
  connections: { name: string; state: string; reason: string | null; accepted: number; changed: number }[];
  targets: {
    name: string;
    state: string;
    desired: number;
    delivered: number;
    pending: number;
    dead: number;
    freshnessMs: { p50: number | null; p99: number | null };
  }[];
  consumers: { group: string; topic: string; lagRecords: number; lagSeconds: number | null }[];
  services: { name: string; state: string }[];
}

/** The JSON a `syncline` command prints, whatever its exit code; throws where it prints none. */
// biome-ignore lint/suspicious/noExplicitAny: answers of every shape
export async function jsonOf(system: System, ...args: string[]): Promise<any> {
  const { code, stdout, stderr } = await system.cli(...args, '--json');
  if (stdout === '') throw new Error(`${args.join(' ')} ended with ${code}: ${stderr}`);
  return JSON.parse(stdout);
}

/** `syncline status --json`. */
export const statusOf = (system: System): Promise<StatusJson> => jsonOf(system, 'status');

/** Waits until `look` finds something; throws with the system's status when it does not within `msMax` milliseconds. */
export async function until<T>(
  system: System,
  what: string,
  msMax: number,
  look: () => Promise<T | undefined | false>,
): Promise<T> {
  const endMs = Date.now() + msMax;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > endMs) throw new Error(`not within ${msMax} ms: ${what}\n${(await system.cli('status')).stdout}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
