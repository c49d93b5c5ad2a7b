import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { envTable, metricsTable, staleParts } from './docs.js';
import { baseEnv } from './env.js';
import { declaredMetrics } from './metrics.js';

describe('the documentation', () => {
  // To bring it up to date: run this test with SYNCLINE_UPDATE_DOCS=1.
  it('lists the metrics and variables there are', () => {
    const readme = fileURLToPath(new URL('../README.md', import.meta.url));
    expect(staleParts(readme, { environment: envTable(baseEnv), metrics: metricsTable() })).toEqual([]);
  });

  it('declares each metric once, with a sentence', () => {
    const names = declaredMetrics.map((m) => m.name);
    expect(new Set(names).size).toBe(names.length);
    for (const m of declaredMetrics) expect(m.description).toMatch(/^[A-Z0-9].+\.$/);
  });
});
