import { describe, expect, it } from '@jest/globals';
import { drawPlan, planText } from './plan.js';

const seeds = Array.from({ length: 300 }, (_, n) => n + 1);

describe('a plan', () => {
  it('is the same for the same seed, and another for another', () => {
    for (const seed of seeds.slice(0, 20))
      expect(drawPlan({ seed, brokers: 3 })).toEqual(drawPlan({ seed, brokers: 3 }));
    expect(new Set(seeds.map((seed) => planText(drawPlan({ seed, brokers: 3 })))).size).toBe(seeds.length);
  });

  it('gives every order a life in order, within its time', () => {
    const { changes, ms } = drawPlan({ seed: 7, brokers: 1 });
    const lives = new Map<number, string[]>();
    for (const change of changes) lives.set(change.order, [...(lives.get(change.order) ?? []), change.do]);
    expect(changes.every(({ atMs }) => atMs >= 0 && atMs <= ms)).toBe(true);
    for (const life of lives.values()) {
      expect(life[0]).toBe('place');
      expect(life.filter((one) => one === 'place')).toHaveLength(1);
      // Nobody ships what was cancelled, and scans follow a parcel.
      expect(life.includes('cancel') && life.includes('fulfil')).toBe(false);
      if (life.includes('scan')) expect(life.findIndex((one) => one === 'fulfil' || one === 'buy')).toBeGreaterThan(0);
    }
    expect(new Set(changes.flatMap((c) => (c.do === 'fulfil' ? [c.number] : []))).size).toBe(
      changes.filter((c) => c.do === 'fulfil').length,
    );
  });

  it('draws every fault sooner or later, and takes down no second broker', () => {
    const plans = seeds.map((seed) => drawPlan({ seed, brokers: 3 }));
    const drawn = new Set(plans.flatMap(({ faults }) => faults.map((fault) => fault.do)));
    expect([...drawn].sort()).toEqual([
      'broker-kill',
      'broker-pause',
      'kill',
      'link',
      'pause',
      'poison',
      'postgres-kill',
      'provider',
      'rebalance',
      'stop',
      'tokens',
      'webhooks',
    ]);
    const heavy = ['broker-kill', 'broker-pause', 'postgres-kill', 'link'];
    for (const { faults } of plans) {
      expect(faults.length).toBeGreaterThanOrEqual(3);
      expect(faults.filter((fault) => heavy.includes(fault.do)).length).toBeLessThanOrEqual(1);
    }
  });
});
