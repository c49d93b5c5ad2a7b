import { describe, expect, it } from '@jest/globals';
import type { Observation } from '@syncline/contracts';
import { type Answer, answer } from './answer.js';
import { edit, observe } from './observe.js';
import { openAsks } from './publish.js';
import { allRules, emptyState, type MergeContext, type MergeState } from './state.js';

const [shop, carrier] = ['shop/order', 'carrier/order'];

const context = (owner?: string, spell?: (v: string) => string): MergeContext => ({
  rules: allRules,
  policy: {
    owner: (field) => (field === 'status' ? owner : undefined),
    writable: () => ['status', 'note'],
    creatable: () => new Map(),
    normalise: (source, _, value) => (source === carrier && spell ? spell(String(value)) : value),
    conditional: () => false,
  },
});
const said = (externalId: string, version: number, fields: Observation['fields']): Observation => ({
  kind: 'order',
  noun: 'order',
  externalId,
  version,
  fields,
  native: {},
  keys: [],
  refs: [],
});

/** A record that both systems hold, with nothing open. */
function agreed(ctx: MergeContext, fields = { status: 'open' } as Observation['fields']): MergeState {
  const state = emptyState();
  observe(ctx, state, shop, said('s', 10, fields));
  observe(ctx, state, carrier, said('c', 10, fields));
  expect(state.conflicts).toEqual([]);
  return state;
}

describe('what the merge decides', () => {
  it('notes the newer of two edits that met, and the value it beat', () => {
    const ctx = context();
    const state = agreed(ctx);
    observe(ctx, state, shop, said('s', 20, { status: 'on_hold' }));
    expect(state.conflicts).toEqual([]);
    observe(ctx, state, carrier, said('c', 30, { status: 'cancelled' }));
    expect(state.conflicts).toEqual([
      {
        field: 'status',
        won: { connection: 'carrier', at: 30, value: 'cancelled' },
        lost: { connection: 'shop', at: 20, value: 'on_hold' },
        why: 'newer',
      },
    ]);
  });

  it('notes the edit that came too late to count', () => {
    const ctx = context();
    const state = agreed(ctx);
    observe(ctx, state, shop, said('s', 40, { status: 'on_hold' }));
    observe(ctx, state, carrier, said('c', 30, { status: 'cancelled' }));
    expect(state.fields.status?.value).toBe('on_hold');
    expect(state.conflicts).toMatchObject([
      {
        won: { connection: 'shop', value: 'on_hold' },
        lost: { connection: 'carrier', value: 'cancelled' },
        why: 'newer',
      },
    ]);
  });

  it('notes two edits of one moment as a tie', () => {
    const ctx = context();
    const state = agreed(ctx);
    observe(ctx, state, shop, said('s', 20, { status: 'on_hold' }));
    observe(ctx, state, carrier, said('c', 20, { status: 'cancelled' }));
    expect(state.conflicts).toMatchObject([{ won: { connection: 'carrier' }, why: 'tie' }]);
  });

  it('notes an edit of a field that another connection owns', () => {
    const ctx = context('carrier');
    const state = agreed(ctx);
    observe(ctx, state, shop, said('s', 20, { status: 'cancelled' }));
    expect(state.fields.status?.value).toBe('open');
    expect(state.conflicts).toMatchObject([
      { won: { connection: 'carrier', value: 'open' }, lost: { connection: 'shop', value: 'cancelled' }, why: 'owner' },
    ]);
    observe(ctx, state, carrier, said('c', 30, { status: 'completed' }));
    expect(state.conflicts).toHaveLength(1);
  });

  it('calls no conflict what is none: edits in turn, an equal value, a first sight, an emptied value', () => {
    const ctx = context();
    const state = agreed(ctx, { status: 'open', note: null });
    observe(ctx, state, shop, said('s', 20, { status: 'on_hold', note: null }));
    // The carrier was brought the shop's edit, and then edited it.
    observe(ctx, state, carrier, said('c', 25, { status: 'on_hold', note: null }));
    observe(ctx, state, carrier, said('c', 30, { status: 'cancelled', note: 'x' }));
    observe(ctx, state, carrier, said('c', 40, { status: 'completed', note: 'y' }));
    expect(state.conflicts).toEqual([]);
    const other = emptyState();
    observe(ctx, other, shop, said('s', 10, { status: 'open' }));
    observe(ctx, other, carrier, said('c', 20, { status: 'cancelled' }));
    expect(other.conflicts).toEqual([]);
  });
});

describe('two edits of one source', () => {
  it('are no conflict, whatever order they are heard of in', () => {
    const ctx = context();
    const state = agreed(ctx);
    observe(ctx, state, shop, said('s', 20, { status: 'on_hold' }));
    edit(ctx, state, shop, 'status', 'completed', 15, false);
    expect(state.conflicts).toEqual([]);
  });
});

describe('a field that a target does not keep', () => {
  const written = (kept: string): Answer => {
    const observed = said('c', 21, { note: kept });
    return {
      type: 'receipt',
      id: 'r',
      kind: 'order',
      connection: 'carrier',
      noun: 'order',
      revision: 5,
      at: 0,
      outcome: 'written',
      externalId: 'c',
      sent: { note: 'Ring Twice' },
      observed,
      tries: [],
    };
  };
  const asked = (ctx: MergeContext): MergeState => {
    const state = agreed(ctx, { note: 'a' });
    observe(ctx, state, shop, said('s', 20, { note: 'Ring Twice' }));
    openAsks(ctx, state, 5);
    return state;
  };

  it('is noted with both forms', () => {
    const ctx = context();
    const state = asked(ctx);
    answer(ctx, state, carrier, written('RING'));
    expect(state.unstable).toEqual([{ source: carrier, field: 'note', sent: 'Ring Twice', kept: 'RING' }]);
    expect(state.conflicts).toEqual([]);
  });

  it('is none where the connector declares the form, or the value is kept', () => {
    const ctx = context(undefined, (v) => v.toUpperCase());
    const spelled = asked(ctx);
    answer(ctx, spelled, carrier, written('RING TWICE'));
    expect(spelled.unstable).toEqual([]);
    const plain = asked(context());
    answer(context(), plain, carrier, written('Ring Twice'));
    expect(plain.unstable).toEqual([]);
  });
});
