// `npm run faults`: the promises under faults, drawn from seeds.
//   npm run faults -- --runs 20 --seed 7    runs of the seeds from 7 on, five on each ground of one or three brokers in turn
//     --brokers 1|3  --per-ground 5           grounds of so many brokers only; runs on each
//     --with broker-kill,link                 only seeds whose plan has one of these faults
//     --rate 8                                orders a second
//   npm run faults -- --mutants [--only 1,5]  breaks each promise in a copy of the programs: its judge must see it
// The last line is `N runs, N faults, N records, N lost, N duplicated, N inverted`; the exit code is 1 where a promise was broken.
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { promises } from './check.js';
import { type Campaign, campaignOn, type Fought, fight } from './fight.js';
import { type Ground, startGround } from './ground.js';
import { runMutants } from './mutants.js';
import { drawPlan, type Plan, planText } from './plan.js';
import { watch } from './record.js';
import { tellTale } from './tale.js';
import { addRun, isClean, lastLine, noTotals } from './totals.js';

const quietMsMax = 60_000;
const talesMax = 3;
const sentencesMax = 12;

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '5' },
    seed: { type: 'string' },
    brokers: { type: 'string' },
    'per-ground': { type: 'string', default: '5' },
    mutants: { type: 'boolean', default: false },
    only: { type: 'string' },
    with: { type: 'string' },
    rate: { type: 'string', default: '8' },
  },
});

const whole = (name: 'runs' | 'seed' | 'per-ground' | 'rate', text: string): number => {
  if (!/^\d{1,9}$/.test(text)) throw new Error(`--${name} is "${text}": a whole number is wanted`);
  return Number(text);
};
if (values.brokers !== undefined && values.brokers !== '1' && values.brokers !== '3')
  throw new Error(`--brokers is "${values.brokers}": 1 or 3`);

let ground: Ground | undefined;
for (const name of ['SIGINT', 'SIGTERM'] as const)
  process.once(name, () => {
    const end = () => process.exit(130);
    ground?.stop().then(end, end) ?? end();
  });
// Processes of ours do not hold this one.
setInterval(() => {}, 60_000);

if (values.mutants) {
  const only = values.only?.split(',').map(Number);
  process.exit((await runMutants({ ...(only ? { only } : {}), onGround: (now) => (ground = now) })) ? 0 : 1);
}
process.exit((await runCampaign()) ? 0 : 1);

async function runCampaign(): Promise<boolean> {
  const runs = whole('runs', values.runs);
  const first = values.seed === undefined ? Date.now() % 1_000_000 : whole('seed', values.seed);
  const perGround = Math.max(1, whole('per-ground', values['per-ground']));
  const wanted = values.with?.split(',');
  const ordersPerSecond = whole('rate', values.rate);
  const totals = noTotals();
  let seed = first;
  const next = (brokers: 1 | 3): Plan => {
    for (;;) {
      const plan = drawPlan({ seed: seed++, brokers, ordersPerSecond });
      if (!wanted || plan.faults.some((fault) => wanted.includes(fault.do))) return plan;
      if (seed > first + 100_000) throw new Error(`--with ${values.with}: no plan has such a fault`);
    }
  };
  for (let done = 0; done < runs; ) {
    // Grounds of one and of three brokers in turn, unless it was said which.
    const turn = Math.floor(done / perGround) % 2 === 0 ? 3 : 1;
    const brokers = values.brokers === undefined ? turn : (Number(values.brokers) as 1 | 3);
    const campaign = await beginGround(brokers);
    let clean = true;
    for (let n = 0; clean && n < perGround && done < runs; n++, done++) {
      const plan = next(brokers);
      console.log(`\n${planText(plan)}`);
      const fought = await fight(campaign, plan, quietMsMax);
      addRun(totals, fought);
      clean = fought.findings.length === 0;
      report(plan, fought, campaign.ground.folder);
    }
    await endGround(clean);
  }
  console.log(`\nlongest recovery ${(totals.longestRecoveryMs / 1000).toFixed(1)} s`);
  console.log(lastLine(totals));
  return isClean(totals);
}

async function beginGround(brokers: 1 | 3): Promise<Campaign> {
  ground = await startGround({ brokers });
  await watch(ground);
  return campaignOn(ground);
}

async function endGround(clean: boolean): Promise<void> {
  const ended = ground;
  await ended?.stop();
  ground = undefined;
  if (ended && clean) rmSync(ended.folder, { recursive: true, force: true });
}

function report(plan: Plan, fought: Fought, folder: string): void {
  const { findings, histories, records, recoveryMs, tookMs } = fought;
  const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
  const quiet = recoveryMs === null ? 'never quiet' : `quiet after ${seconds(recoveryMs)}`;
  console.log(`seed ${plan.seed}: ${records} records in ${seconds(tookMs)}, ${quiet}, ${findings.length} breaches`);
  if (findings.length === 0) return;
  for (const { promise, sentence } of findings.slice(0, sentencesMax))
    console.log(`  ${promise} (${promises[promise]!.says}): ${sentence}`);
  if (findings.length > sentencesMax) console.log(`  … and ${findings.length - sentencesMax} more`);
  const tales = findings.map(({ sentence }) => tellTale(sentence, histories));
  for (const tale of tales.slice(0, talesMax)) console.log(`\n${tale}`);
  writeFileSync(join(folder, 'stories.txt'), `${planText(plan)}\n\n${tales.join('\n\n')}\n`);
  writeFileSync(join(folder, 'plan.json'), JSON.stringify(plan, null, 1));
  console.log(`\nstate, logs and ${tales.length} stories: ${folder}`);
}
