// The proof of the proof: each promise is broken once in a copy of the programs, and its judge must see it.
import { rmSync } from 'node:fs';
import { type Mutant, mutants, planOf } from './breaks.js';
import { copyBuilt } from './built-copy.js';
import { type Finding, promises } from './check.js';
import { campaignOn, fight } from './fight.js';
import { type Ground, startGround } from './ground.js';
import { planText } from './plan.js';
import { watch } from './record.js';

/** Which mutants, and who wants to know the ground that is in use. */
export interface MutantOptions {
  /** Numbers of promises; default: all. */
  only?: readonly number[];
  onGround(ground: Ground | undefined): void;
}

interface Row {
  mutant: Mutant;
  findings: readonly Finding[];
}

/**
 * Fights each mutant's plan twice: with the programs as they are, where nothing may be found, and with the mutant, where its
 * promise must be found broken. Prints a table, and `N of N mutants caught`. True where all were.
 */
export async function runMutants({ only, onGround }: MutantOptions): Promise<boolean> {
  const chosen = mutants.filter(({ promise }) => only?.includes(promise) ?? true);
  const copy = copyBuilt();
  try {
    // Before anything runs: a mutant that no longer fits is to be seen at once.
    for (const { edits } of chosen) copy.apply(edits)();
    console.log('The programs as they are');
    const sound = await onFreshGround(copy.root, onGround, async (fightOne) => {
      for (const mutant of chosen) {
        const findings = await fightOne(mutant);
        if (findings.length === 0) continue;
        for (const { promise, sentence } of findings.slice(0, 10)) console.log(`  ${promise}: ${sentence}`);
        return false;
      }
      return true;
    });
    if (!sound) {
      console.log('0 mutants tried: the programs as they are do not stand these faults');
      return false;
    }
    const rows: Row[] = [];
    for (const mutant of chosen) {
      const whole = copy.apply(mutant.edits);
      try {
        console.log(`\nMutant of promise ${mutant.promise}: ${mutant.what}`);
        rows.push({ mutant, findings: await onFreshGround(copy.root, onGround, (fightOne) => fightOne(mutant)) });
      } finally {
        whole();
      }
    }
    console.log(`\n${tableOf(rows)}`);
    const caught = rows.filter(isCaught).length;
    console.log(`${caught} of ${rows.length} mutants caught`);
    return caught === rows.length && rows.length > 0;
  } finally {
    copy.remove();
  }
}

async function onFreshGround<T>(
  root: string,
  onGround: MutantOptions['onGround'],
  use: (fightOne: (mutant: Mutant) => Promise<readonly Finding[]>) => Promise<T>,
): Promise<T> {
  const ground = await startGround({ brokers: 1, root });
  onGround(ground);
  try {
    await watch(ground);
    const campaign = campaignOn(ground);
    return await use(async (mutant) => {
      const plan = planOf(mutant, mutants.indexOf(mutant));
      console.log(planText(plan));
      const { findings, recoveryMs, records } = await fight(campaign, plan, mutant.quietMsMax);
      const quiet = recoveryMs === null ? 'never quiet' : `quiet after ${(recoveryMs / 1000).toFixed(1)} s`;
      console.log(`  ${records} records, ${quiet}, ${findings.length} breaches`);
      return findings;
    });
  } finally {
    onGround(undefined);
    await ground.stop();
    rmSync(ground.folder, { recursive: true, force: true });
  }
}

const isCaught = ({ mutant, findings }: Row): boolean => findings.some(({ promise }) => promise === mutant.promise);

/** Promise, mutant, whether it was caught, and by which sentence. */
export function tableOf(rows: readonly Row[]): string {
  return rows
    .map((row) => {
      const { mutant, findings } = row;
      const first = findings.find(({ promise }) => promise === mutant.promise)?.sentence ?? 'nothing found';
      const says = promises[mutant.promise]!.says;
      return `${String(mutant.promise).padStart(2)} ${says.padEnd(44)} ${mutant.what.padEnd(74)} ${isCaught(row) ? 'caught' : 'MISSED'}  ${first.slice(0, 120)}`;
    })
    .join('\n');
}
