// A short share of `npm run faults`: seeded runs on three brokers, of which one is killed. FAULTS_SEEDS: others, by comma.
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Campaign, campaignOn, fight } from './fight.js';
import { startGround } from './ground.js';
import { drawPlan, planText } from './plan.js';
import { watch } from './record.js';
import { tellTale } from './tale.js';

const seeds = (process.env.FAULTS_SEEDS ?? '1').split(',').map(Number);
// Longer than a campaign allows: tests run on busy machines too.
const quietMsMax = 100_000;

let campaign: Campaign;
let clean = true;

beforeAll(async () => {
  const ground = await startGround({ brokers: 3 });
  campaign = campaignOn(ground);
  await watch(ground);
}, 180_000);

afterAll(async () => {
  await campaign?.ground.stop();
  if (campaign && clean) rmSync(campaign.ground.folder, { recursive: true, force: true });
}, 90_000);

describe('the promises under faults', () => {
  it.each(seeds)(
    'hold in the run of seed %i',
    async (seed) => {
      clean = false;
      const plan = drawPlan({ seed, brokers: 3 });
      process.stdout.write(`${planText(plan)}\nstate in ${campaign.ground.folder}\n`);
      const { findings, histories, records, recoveryMs } = await fight(campaign, plan, quietMsMax);
      expect(findings.map(({ promise, sentence }) => `${promise}: ${tellTale(sentence, histories)}`)).toEqual([]);
      expect(records).toBeGreaterThan(plan.changes.length);
      expect(recoveryMs).not.toBeNull();
      clean = true;
    },
    400_000,
  );
});
