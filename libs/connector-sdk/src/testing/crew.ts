import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** Processes that use one connection at once; see token-user.ts. */
export interface Crew {
  /** How many of them have had a good answer. */
  working(): number;
  /** What failed, each line once. */
  failures(): string[];
  /** True where the last line of each is so. */
  lastAre(form: RegExp): boolean;
  lastAreOk(): boolean;
  /** Everything they wrote, also to stderr. */
  said(): string;
  /** kill -9, and waits. */
  kill(): Promise<void>;
  /** Ends them and waits. */
  stop(): Promise<void>;
}

interface Member {
  child: ChildProcess;
  text: string;
  ended: Promise<unknown>;
}

/** Starts so many processes from the compiled code (`npm run build` first). They end with this process at the latest. */
export function startCrew(
  user: Readonly<Record<string, string>>,
  { databaseUrl, key, size }: { databaseUrl: string; key: string; size: number },
): Crew {
  const program = join(import.meta.dirname, '../../dist/testing/token-user.js');
  if (!existsSync(program)) throw new Error(`${program} is missing: run "npm run build"`);
  const members = Array.from({ length: size }, (): Member => {
    const child = spawn(process.execPath, [program], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, TOKEN_USER: JSON.stringify(user), DATABASE_URL: databaseUrl, SYNCLINE_SECRET_KEYS: key },
    });
    const member: Member = { child, text: '', ended: new Promise((resolve) => child.once('exit', resolve)) };
    for (const stream of [child.stdout, child.stderr]) stream!.on('data', (data) => (member.text += data));
    return member;
  });
  const lines = (member: Member) => member.text.split('\n').filter((line) => line !== '');
  const lastAre = (form: RegExp) => members.every((member) => form.test(lines(member).at(-1) ?? ''));
  return {
    working: () => members.filter((member) => lines(member).includes('ok')).length,
    failures: () => [...new Set(members.flatMap(lines).filter((line) => line !== 'ok'))],
    lastAre,
    lastAreOk: () => lastAre(/^ok$/),
    said: () => members.map((member) => member.text).join(''),
    kill: async () => {
      for (const { child } of members) child.kill('SIGKILL');
      await Promise.all(members.map((member) => member.ended));
    },
    stop: async () => {
      for (const { child } of members) child.stdin?.end();
      const late = setTimeout(() => {
        for (const { child } of members) child.kill('SIGKILL');
      }, 15_000);
      await Promise.all(members.map((member) => member.ended));
      clearTimeout(late);
    },
  };
}
