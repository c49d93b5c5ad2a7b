import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { decideMerge, type MergeSide } from './merge.js';

const side = fc.record({
  externalId: fc.constantFrom(null, 'x1', 'x2'),
  made: fc.boolean(),
  alive: fc.boolean(),
}) as fc.Arbitrary<MergeSide>;

describe('two records that turned out to be one', () => {
  const ours = (externalId: string): MergeSide => ({ externalId, made: true, alive: true });
  const foreign = (externalId: string): MergeSide => ({ externalId, made: false, alive: true });
  const none: MergeSide = { externalId: null, made: false, alive: false };

  it('hands the object over where the survivor has none that lives', () => {
    expect(decideMerge(foreign('x2'), none)).toEqual({ do: 'move' });
    expect(decideMerge(ours('x2'), { ...ours('x1'), alive: false })).toEqual({ do: 'move' });
    expect(decideMerge(ours('x1'), ours('x1'))).toEqual({ do: 'move' });
  });
  it('removes its own duplicate, the alias first', () => {
    expect(decideMerge(ours('x2'), ours('x1'))).toEqual({ do: 'drop', drop: 'alias' });
    expect(decideMerge(ours('x2'), foreign('x1'))).toEqual({ do: 'drop', drop: 'alias' });
    expect(decideMerge(foreign('x2'), ours('x1'))).toEqual({ do: 'drop', drop: 'survivor' });
  });
  it('leaves two objects that people made', () =>
    expect(decideMerge(foreign('x2'), foreign('x1'))).toEqual({ do: 'leave' }));

  it('never removes what people made, nor the only object', () => {
    fc.assert(
      fc.property(side, side, (alias, survivor) => {
        const action = decideMerge(alias, survivor);
        if (action.do !== 'drop') return;
        const dropped = action.drop === 'alias' ? alias : survivor;
        const kept = action.drop === 'alias' ? survivor : alias;
        expect(dropped.made).toBe(true);
        expect(kept.alive && kept.externalId !== null && kept.externalId !== dropped.externalId).toBe(true);
      }),
    );
  });
});
