import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { chapters, openStory, type Story } from '../support/story.js';
import { type System, startSystem } from '../support/system.js';
import { differences } from '../support/truth.js';

let system: System;
let story: Story;

beforeAll(async () => {
  system = await startSystem({ env: { WEBHOOKS: 'off', POLL_INTERVAL_MS: '1000' } });
  // A change waits for the next poll, and the shop's lists show it a moment after it was made.
  story = openStory(system, 10_000, 10_000);
  // A poll a second costs more than a small shop's plan restores: this is one with a larger plan.
  await story.ask('POST', '/settings', { costMaximum: 20_000, costRestoreRate: 1_000 });
}, 120_000);

afterAll(async () => {
  if (story) console.log(story.steps.table());
  await story?.end();
  await system?.stop();
}, 90_000);

describe('the story, by polling alone', () => {
  it('registers no webhook', async () => {
    const { shop, carrier } = await story.ask('GET', '/webhooks');
    expect([...shop.subscriptions, ...carrier.webhooks]).toEqual([]);
  });

  it.each(chapters)('%s', async (_what, tell) => tell(story), 60_000);

  it('ends with all three in agreement, and no webhook sent', async () => {
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    expect(await differences(system)).toEqual([]);
    const { shop, carrier } = await story.ask('GET', '/webhooks');
    expect([shop.counts.sent, carrier.counts.sent]).toEqual([0, 0]);
  }, 30_000);
});
