import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** What a process held at a moment: what its garbage collection left, and its resident memory, in MB. */
export interface Held {
  liveMb: number;
  residentMb: number;
}

/** Asks services what they hold after a garbage collection. The pause shows in their freshness, so it is asked for by flag only. */
export class HeapProbe {
  readonly #dir = mkdtempSync(join(tmpdir(), 'syncline-heap-'));
  readonly #pids = new Map<string, number>();

  /** The environment a service must be started with to be asked. */
  env(name: string): Record<string, string> {
    const probe = pathToFileURL(join(import.meta.dirname, 'heap-probe.js')).href;
    return { NODE_OPTIONS: `--import=${probe}`, BENCH_HEAP_FILE: this.#file(name) };
  }

  add(name: string, pid: number): void {
    this.#pids.set(name, pid);
  }

  async ask(): Promise<Record<string, Held>> {
    const held: Record<string, Held> = {};
    for (const [name, pid] of this.#pids) {
      rmSync(this.#file(name), { force: true });
      process.kill(pid, 'SIGUSR2');
      for (let i = 0; i < 200 && !existsSync(this.#file(name)); i++) await new Promise((r) => setTimeout(r, 50));
      await new Promise((r) => setTimeout(r, 50));
      held[name] = JSON.parse(readFileSync(this.#file(name), 'utf8')) as Held;
    }
    return held;
  }

  close(): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }

  readonly #file = (name: string) => join(this.#dir, name);
}
