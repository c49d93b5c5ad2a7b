import { describe, expect, it } from '@jest/globals';
import { FreshnessWindow } from './freshness.js';

describe('the freshness window', () => {
  it('has no quantiles before anything was delivered', () =>
    expect(new FreshnessWindow().quantiles()).toEqual({ p50: null, p99: null }));
  it('takes the nearest rank', () => {
    const window = new FreshnessWindow();
    for (let ms = 1; ms <= 200; ms++) window.add(ms, 1_000);
    expect(window.quantiles(1_000)).toEqual({ p50: 100, p99: 198 });
  });
  it('forgets what is older than the window', () => {
    const window = new FreshnessWindow(1_000);
    window.add(5_000, 0);
    window.add(10, 1_500);
    expect(window.quantiles(2_000)).toEqual({ p50: 10, p99: 10 });
  });
  it('keeps the newest samples where there are too many', () => {
    const window = new FreshnessWindow(60_000, 10);
    for (let i = 0; i < 25; i++) window.add(i, 0);
    expect(window.quantiles(0)).toEqual({ p50: 19, p99: 24 });
  });
  it('takes a clock that went back for no time at all', () => {
    const window = new FreshnessWindow();
    window.add(-50, 0);
    expect(window.quantiles(0)).toEqual({ p50: 0, p99: 0 });
  });
});
