import { describe, expect, it } from '@jest/globals';
import type { Fields, Observation } from '@syncline/contracts';
import { observe } from './observe.js';
import { correct, placeOfReplay } from './replay.js';
import { allRules, emptyState, type MergeContext, type MergeState, sourceKey } from './state.js';

const ctx: MergeContext = {
  rules: allRules,
  policy: {
    owner: () => undefined,
    writable: (source) => (source === 'shop/order' ? ['note'] : []),
    creatable: () => new Map(),
    normalise: (_source, _field, value) => value,
    conditional: () => false,
  },
};
const shop = sourceKey('shop', 'order');
const other = sourceKey('other', 'order');

const said = (version: number, fields: Fields, more: Partial<Observation> = {}): Observation => ({
  kind: 'order',
  noun: 'order',
  externalId: 'x',
  version,
  fields,
  native: {},
  keys: [],
  refs: [],
  ...more,
});
const values = (state: MergeState) => Object.fromEntries(Object.entries(state.fields).map(([f, s]) => [f, s.value]));

/** What the mapper does with a replayed message. */
function replay(state: MergeState, source: string, m: Observation): boolean {
  const place = placeOfReplay(m, state.snapshots.get(source));
  return place === 'unseen' ? observe(ctx, state, source, m) : place === 'same' && correct(ctx, state, source, m);
}

describe('a replayed message under a changed mapping', () => {
  it('corrects what the record has from it, at the time it had, and adds what the record lacks', () => {
    const state = emptyState();
    observe(ctx, state, shop, said(10, { name: 'one', note: 'old' }, { tie: 1 }));
    expect(replay(state, shop, said(10, { name: 'one', note: 'new', phone: '1' }, { tie: 1 }))).toBe(true);
    expect(values(state)).toEqual({ name: 'one', note: 'new', phone: '1' });
    expect(state.fields.note).toMatchObject({ by: 'shop', at: 10 });
    expect(replay(state, shop, said(10, { name: 'one', note: 'new', phone: '1' }, { tie: 1 }))).toBe(false);
  });

  it('leaves what somebody else set since, and has the source put right', () => {
    const state = emptyState();
    observe(ctx, state, shop, said(10, { note: 'old' }));
    observe(ctx, state, other, said(20, { note: 'edited elsewhere' }));
    expect(replay(state, shop, said(10, { note: 'read anew' }))).toBe(true);
    expect(values(state)).toEqual({ note: 'edited elsewhere' });
    expect(state.snapshots.get(shop)?.fields).toEqual({ note: 'read anew' });
  });

  it('leaves what somebody else set also where the source held it', () => {
    const state = emptyState();
    observe(ctx, state, other, said(10, { note: 'theirs' }));
    observe(ctx, state, shop, said(20, { note: 'theirs' }));
    expect(state.snapshots.get(shop)?.knows.has('note')).toBe(true);
    replay(state, shop, said(20, { note: 'THEIRS' }));
    expect(values(state)).toEqual({ note: 'theirs' });
  });

  it('is not taken where a newer state of its object was seen, or another one of the same second', () => {
    const state = emptyState();
    observe(ctx, state, shop, said(10, { note: 'a' }, { tie: 1 }));
    observe(ctx, state, shop, said(10, { note: 'b' }, { tie: 2 }));
    expect(replay(state, shop, said(10, { note: 'A' }, { tie: 1 }))).toBe(false);
    expect(replay(state, shop, said(9, { note: 'Z' }, { tie: 3 }))).toBe(false);
    expect(replay(state, shop, said(10, { note: 'R' }, { readAt: 10 }))).toBe(false);
    expect(values(state)).toEqual({ note: 'b' });
  });

  it('is observed like any other where its state was never taken', () => {
    const state = emptyState();
    expect(replay(state, shop, said(10, { note: 'first' }))).toBe(true);
    expect(replay(state, shop, said(11, { note: 'second' }))).toBe(true);
    expect(values(state)).toEqual({ note: 'second' });
  });

  it('raises nobody from the dead', () => {
    const state = emptyState();
    observe(ctx, state, shop, said(10, { note: 'a' }, { readAt: 50 }));
    observe(ctx, state, shop, said(20, {}, { deleted: true }));
    expect(replay(state, shop, said(10, { note: 'a' }, { readAt: 50 }))).toBe(false);
    expect(replay(state, shop, said(20, {}, { deleted: true }))).toBe(false);
    expect(replay(state, shop, said(15, { note: 'before' }, { externalId: 'y', readAt: 60 }))).toBe(false);
    expect(state.deleted).toBe(true);
  });
});

/** xorshift32. */
function dice(seed: number): (below: number) => number {
  let x = Math.imul(seed, 0x9e3779b9) | 1;
  return (below) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % below;
  };
}

describe('a replay of everything under the same mapping', () => {
  it('changes nothing, whatever came in which order: 4,000 histories', () => {
    for (let seed = 1; seed <= 4_000; seed++) {
      const roll = dice(seed);
      const state = emptyState();
      const log: [string, Observation][] = [];
      for (let n = 0; n < 12; n++) {
        const source = roll(2) ? shop : other;
        const version = 1_000 + roll(4) * 100;
        // No two messages say different things of one object at one moment.
        const moment = roll(9) * 12 + n;
        const how = roll(3) ? { tie: moment } : { readAt: version - 50 + moment };
        const fields: Fields = roll(2) ? { note: `v${roll(4)}` } : { note: `v${roll(4)}`, name: `n${roll(3)}` };
        // A deletion is the last that is heard of a record.
        const deleted = n === 11 && roll(3) === 0;
        const m = said(deleted ? 2_000 : version, deleted ? {} : fields, { ...how, deleted });
        log.push([source, m]);
        observe(ctx, state, source, m);
      }
      const before = JSON.stringify([values(state), state.deleted, state.stamp]);
      const dirty = log.map(([source, m]) => replay(state, source, m));
      if (dirty.some(Boolean) || JSON.stringify([values(state), state.deleted, state.stamp]) !== before)
        throw new Error(`seed ${seed}: ${before} became ${JSON.stringify(values(state))} (${dirty.join()})`);
    }
  });
});
