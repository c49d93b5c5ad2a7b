import { describe, expect, it } from '@jest/globals';
import { canonicalOrder } from '@syncline/contracts';
import { documentText, readState, stateText } from './document.js';
import type { MergeState } from './merge/state.js';
import { act, createWorld, enabled } from './testing/actions.js';
import { budget, seeded } from './testing/explore.js';
import { scenarios, worldOf } from './testing/scenarios.js';

/** What a state says, without the stamps' numbers: only whether two fields share one counts. */
function meaning(state: MergeState) {
  return {
    fields: Object.fromEntries(
      Object.entries(state.fields).map(([f, { value, by, at, stamp }]) => [f, { value, by, at, stamp }]),
    ),
    deleted: state.deleted,
    stamp: state.stamp,
    snapshots: [...state.snapshots].map(([k, s]) => [
      k,
      { ...s, knows: [...s.knows].filter((f) => f in state.fields).sort() },
    ]),
    asks: [...state.asks].map(([k, fields]) => [k, [...fields]]),
  };
}

describe('what is stored of a record', () => {
  it.each(Object.keys(scenarios))(
    'brings back all the merge knew: %s',
    (name) => {
      for (let seed = 1; seed <= 150; seed++) {
        const random = seeded(seed);
        const world = createWorld(worldOf(name));
        for (let i = 0; i < 40; i++) {
          const all = enabled(world, scenarios[name]?.limits ?? budget);
          if (all.length === 0) break;
          act(world, all[Math.floor(random() * all.length)] as (typeof all)[number]);
          const { state } = world.pg;
          const document = documentText(world.ctx, state, { id: 'r', kind: 'order', revision: 1 });
          const back = readState(document, stateText(state, {}), state.deleted);
          expect(meaning(back.state)).toEqual(meaning(state));
        }
      }
    },
    30_000,
  );

  it('is a canonical record', () => {
    const world = createWorld(worldOf('two fields'));
    const { state } = world.pg;
    state.fields = {
      name: { value: '#1', by: 'shop', at: 1_700_000_000_000, stamp: 1 },
      note: { value: null, by: 'other', at: 5, stamp: 2 },
    };
    const document = JSON.parse(documentText(world.ctx, state, { id: 'r', kind: 'order', revision: 3 })) as unknown;
    const parsed = canonicalOrder.parse(document);
    expect(parsed.provenance).toEqual([
      { connection: 'other', at: 5, fields: ['note'] },
      { connection: 'shop', at: 1_700_000_000_000, fields: ['*'] },
    ]);
  });

  it('counts what waits', () => {
    const world = createWorld(worldOf('one field'));
    const text = stateText(world.pg.state, { 'shop/order': 2 });
    expect(readState('{"data":{},"provenance":[]}', text, false).held).toEqual({ 'shop/order': 2 });
  });
});
