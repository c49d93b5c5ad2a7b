import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { baseEnv, envTable, staleParts } from '@syncline/runtime';
import { ingestorEnv } from './env.js';

describe('the documentation', () => {
  // To bring it up to date: run this test with SYNCLINE_UPDATE_DOCS=1.
  it('lists the variables there are', () => {
    const readme = fileURLToPath(new URL('../README.md', import.meta.url));
    expect(staleParts(readme, { environment: envTable(ingestorEnv, baseEnv) })).toEqual([]);
  });
});
