// One run: the changes and faults of a plan, until it is quiet again, and what the judges say of it.
import { differences } from '../support/truth.js';
import { startActing } from './act.js';
import { type Finding, judge } from './check.js';
import { type Ground, heal } from './ground.js';
import type { Histories, SourceChange, Write } from './histories.js';
import { owed } from './nemesis.js';
import { pause } from './patience.js';
import type { Plan } from './plan.js';
import { readHistories } from './record.js';
import { type Blows, strike } from './strike.js';

/** What the runs on one ground have in common: a history is judged from its beginning. */
export interface Campaign {
  readonly ground: Ground;
  readonly changes: SourceChange[];
  readonly blows: Blows;
  readonly writes: Write[];
  /** Sentences of earlier runs, which are not this one's. */
  readonly known: Set<string>;
  records: number;
}

/** Begins with a fresh ground. */
export const campaignOn = (ground: Ground): Campaign => ({
  ground,
  changes: [],
  blows: { struck: [], poisons: [] },
  writes: [],
  known: new Set(),
  records: 0,
});

/** How one run ended. */
export interface Fought {
  findings: readonly Finding[];
  histories: Histories;
  faults: number;
  /** Messages of the run on raw topics. */
  records: number;
  /** From the last fault's end until everything agreed; null where it never did. */
  recoveryMs: number | null;
  tookMs: number;
}

/** Fights one plan. `quietMsMax`: how long everything may take after the last fault to be where it belongs. */
export async function fight(campaign: Campaign, plan: Plan, quietMsMax: number): Promise<Fought> {
  const { ground, blows, changes } = campaign;
  const beganMs = Date.now();
  const acting = startActing(ground.system, plan.changes);
  const strikes = plan.faults.map(async (fault) => {
    await pause(Math.max(0, beganMs + fault.atMs - Date.now()));
    await strike(ground, fault, blows);
  });
  await Promise.all([...strikes, pause(plan.ms)]);
  const overMs = Date.now();
  await heal(ground, quietMsMax);
  await acting.finish(quietMsMax);
  changes.push(...acting.done);
  const quiet = await untilQuiet(ground, overMs + quietMsMax);
  const recoveryMs = quiet ? Date.now() - overMs : null;
  const histories = await readHistories(ground, { changes, blows, writes: campaign.writes });
  const findings = judge(histories).filter(({ sentence }) => !campaign.known.has(sentence));
  for (const { sentence } of findings) campaign.known.add(sentence);
  const all = histories.log.filter(({ topic }) => topic.startsWith('raw.')).length;
  const records = all - campaign.records;
  campaign.records = all;
  return { findings, histories, faults: plan.faults.length, records, recoveryMs, tookMs: Date.now() - beganMs };
}

/** Whether everything agreed and nothing was owed before the moment came. */
async function untilQuiet({ system }: Ground, endMs: number): Promise<boolean> {
  for (;;) {
    const quiet = async (): Promise<boolean> => {
      if ((await differences(system)).length > 0) return false;
      const { webhooks, pending } = await owed(system);
      return webhooks + pending === 0 && (await differences(system)).length === 0;
    };
    if (await quiet().catch(() => false)) return true;
    if (Date.now() > endMs) return false;
    await pause(300);
  }
}
