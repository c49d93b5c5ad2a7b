import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { baseEnv, envTable, staleParts } from '@syncline/runtime';
import { dispositionLimits } from './disposition.js';
import { writerEnv } from './writer-env.js';

describe('the documentation', () => {
  const readme = fileURLToPath(new URL('../README.md', import.meta.url));

  // To bring it up to date: run this test with SYNCLINE_UPDATE_DOCS=1.
  it('lists the variables there are', () => {
    expect(staleParts(readme, { environment: envTable(writerEnv, baseEnv) })).toEqual([]);
  });

  it('states the limits there are', () => {
    const { attemptsMax, defectAttemptsMax, conflictsMax, retryDelayMsMin, retryDelayMsMax } = dispositionLimits;
    // What the README's table says in words.
    expect([attemptsMax, defectAttemptsMax, conflictsMax, retryDelayMsMin, retryDelayMsMax]).toEqual([
      20, 3, 5, 1_000, 300_000,
    ]);
  });
});
