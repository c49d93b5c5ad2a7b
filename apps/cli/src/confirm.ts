import { createInterface } from 'node:readline/promises';
import { Failure } from './failure.js';

/** Asks before something with consequences is done; `--yes` answers. Without a terminal to ask on it has to be given. */
export async function confirmed(question: string, yes: boolean | undefined): Promise<boolean> {
  if (yes) return true;
  if (!process.stdin.isTTY) throw new Failure(`${question} Nothing was done: give --yes to do it.`, 2);
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await terminal.question(`${question} [y/N] `)).trim());
  } finally {
    terminal.close();
  }
}
