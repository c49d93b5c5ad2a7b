import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { baseEnv, envTable, staleParts } from '@syncline/runtime';
import { ingestorEnv } from './env.js';

describe('the documentation', () => {
  // To bring it up to date: run this test with SYNCLINE_UPDATE_DOCS=1.
  it('lists the variables there are', () => {
    const readme = fileURLToPath(new URL('../README.md', import.meta.url));
    const shared = Object.keys(baseEnv.shape) as (keyof typeof baseEnv.shape)[];
    const own = ingestorEnv.omit(
      Object.fromEntries(shared.map((name) => [name, true])) as Record<(typeof shared)[number], true>,
    );
    expect(staleParts(readme, { environment: envTable(own) })).toEqual([]);
  });
});
