// A short share of `npm run faults`, on one broker: the seeds that once found something, and some whose plans have much in them.
// FAULTS_SEEDS: others, by comma.
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Campaign, campaignOn, fight } from './fight.js';
import { startGround } from './ground.js';
import { drawPlan, planText } from './plan.js';
import { watch } from './record.js';
import { tellTale } from './tale.js';

// 23: PostgreSQL's answers are lost. 14: a broker killed, replies lost, poison. 142: requests held back, a rebalance, poison.
const seeds = (process.env.FAULTS_SEEDS ?? '23,14,142').split(',').map(Number);
// Longer than a campaign allows: tests run on busy machines too.
const quietMsMax = 120_000;

let campaign: Campaign;
const broken: number[] = [];

beforeAll(async () => {
  const ground = await startGround({ brokers: 1 });
  campaign = campaignOn(ground);
  await watch(ground);
}, 180_000);

afterAll(async () => {
  await campaign?.ground.stop();
  if (campaign && broken.length === 0) rmSync(campaign.ground.folder, { recursive: true, force: true });
}, 90_000);

describe('the promises under faults', () => {
  it.each(seeds)(
    'hold in the run of seed %i',
    async (seed) => {
      broken.push(seed);
      const plan = drawPlan({ seed, brokers: 1 });
      process.stdout.write(`${planText(plan)}\nstate in ${campaign.ground.folder}\n`);
      const { findings, histories, records, recoveryMs, tookMs } = await fight(campaign, plan, quietMsMax);
      process.stdout.write(`  ${records} records in ${tookMs} ms, quiet ${recoveryMs} ms after the last fault\n`);
      expect(findings.map(({ promise, sentence }) => `${promise}: ${tellTale(sentence, histories)}`)).toEqual([]);
      expect(records).toBeGreaterThan(plan.changes.length);
      expect(recoveryMs).not.toBeNull();
      broken.pop();
    },
    300_000,
  );
});
