import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { chapters, effectsOfTheStory, openStory, type Story } from '../support/story.js';
import { type System, startSystem } from '../support/system.js';
import { differences } from '../support/truth.js';

const quietMs = 3_000;
let system: System;
let story: Story;

beforeAll(async () => {
  system = await startSystem();
  story = openStory(system, 2_000, 3_000);
}, 120_000);

afterAll(async () => {
  if (story) console.log(story.steps.table());
  await story?.end();
  await system?.stop();
}, 90_000);

describe('the story, by webhooks', () => {
  it.each(chapters)('%s', async (_what, tell) => tell(story), 60_000);

  it('ends: one effect per change, no write after it, and all three agree', async () => {
    const { entries } = await story.ask('GET', '/log?writes=1');
    const { n: lastWrite } = entries.at(-1);
    await new Promise((resolve) => setTimeout(resolve, quietMs));
    const late = (await story.ask('GET', `/log?since=${lastWrite}&writes=1`)).entries;
    expect(late.map(({ target, operation, path }: Entry) => `${target} ${operation ?? path}`)).toEqual([]);
    expect(countEffects(entries)).toEqual(effectsOfTheStory);
    expect(await differences(system)).toEqual([]);
  }, 30_000);
});

interface Entry {
  target: string;
  operation: string | null;
  path: string;
  effects: { kind: string }[];
}

/** How often what was written, beside our own subscriptions. */
function countEffects(entries: readonly Entry[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { target, effects } of entries)
    for (const { kind } of effects)
      if (kind !== 'webhook.created') counts[`${target} ${kind}`] = (counts[`${target} ${kind}`] ?? 0) + 1;
  return counts;
}
