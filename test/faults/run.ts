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

const values = readOptions();

let ground: Ground | undefined;
for (const name of ['SIGINT', 'SIGTERM'] as const)
  process.once(name, () => {
    const end = () => process.exit(130);
    ground?.stop().then(end, end) ?? end();
  });
// Processes of ours do not hold this one.
setInterval(() => {}, 60_000);

let isWell = false;
try {
  isWell = values.mutants
    ? await runMutants({ ...(values.only ? { only: values.only } : {}), onGround: (now) => (ground = now) })
    : await runCampaign();
} catch (error) {
  console.error(error);
  await ground?.stop().catch((failure: Error) => console.error(failure.message));
}
process.exit(isWell ? 0 : 1);

/** What the command line says; a sentence and exit code 2 where it cannot be read. */
function readOptions() {
  try {
    const { values: given } = parseArgs({
      options: {
        runs: { type: 'string', default: '5' },
        seed: { type: 'string', default: String(Date.now() % 1_000_000) },
        brokers: { type: 'string' },
        'per-ground': { type: 'string', default: '5' },
        with: { type: 'string' },
        rate: { type: 'string', default: '8' },
        mutants: { type: 'boolean', default: false },
        only: { type: 'string' },
      },
    });
    const { brokers, only } = given;
    if (brokers !== undefined && brokers !== '1' && brokers !== '3')
      throw new Error(`--brokers is "${brokers}": 1 or 3`);
    return {
      runs: whole('runs', given.runs),
      seed: whole('seed', given.seed),
      brokers: brokers === undefined ? undefined : (Number(brokers) as 1 | 3),
      perGround: Math.max(1, whole('per-ground', given['per-ground'])),
      wanted: given.with?.split(','),
      rate: whole('rate', given.rate),
      mutants: given.mutants,
      only: only?.split(',').map((text) => whole('only', text)),
    };
  } catch (error) {
    console.error(`npm run faults: ${(error as Error).message}`);
    process.exit(2);
  }
}

function whole(name: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new Error(`--${name} is "${text}": a whole number is wanted`);
  return Number(text);
}

async function runCampaign(): Promise<boolean> {
  const { runs, perGround, wanted, rate: ordersPerSecond } = values;
  const totals = noTotals();
  let seed = values.seed;
  const next = (brokers: 1 | 3): Plan => {
    for (;;) {
      const plan = drawPlan({ seed: seed++, brokers, ordersPerSecond });
      if (!wanted || plan.faults.some((fault) => wanted.includes(fault.do))) return plan;
      if (seed > values.seed + 10_000) throw new Error(`--with ${wanted.join()}: no plan has such a fault`);
    }
  };
  for (let done = 0; done < runs; ) {
    // Grounds of one and of three brokers in turn, unless it was said which.
    const turn = Math.floor(done / perGround) % 2 === 0 ? 3 : 1;
    const brokers = values.brokers ?? turn;
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
