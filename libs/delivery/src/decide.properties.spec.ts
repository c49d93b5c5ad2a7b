import { describe, expect, it } from '@jest/globals';
import type { Held } from '@syncline/connector-sdk';
import type { Fields } from '@syncline/contracts';
import fc from 'fast-check';
import { type DeliveryState, decide, type EventView, type Reply, settle, type TargetForm } from './decide.js';

const form: TargetForm = { updates: ['a', 'b'], creates: ['a', 'b'], removes: true };

/** A target with objects of one record, edited by people between the writer's requests. */
interface World {
  objects: { id: string; fields: Fields; version: number; alive: boolean }[];
  clock: number;
  creates: number;
  unseenWrites: number;
}

const see = (o: World['objects'][number]): Held => ({
  externalId: o.id,
  version: o.version,
  deleted: !o.alive,
  observation: {
    kind: 'shipment',
    noun: 'x',
    externalId: o.id,
    version: o.version,
    fields: { ...o.fields },
    native: {},
    keys: [],
    refs: [],
  },
});

/** What happens to one request: answered, refused unsent, answer lost after it was carried out, lost before. */
type Fate = 'answered' | 'refused' | 'answer lost' | 'request lost';
const fates = fc.array(fc.constantFrom<Fate>('answered', 'answered', 'refused', 'answer lost', 'request lost'), {
  maxLength: 8,
});
const values = fc.record({ a: fc.constantFrom('1', '2'), b: fc.constantFrom('1', '2') });
const revisions = fc.array(
  fc.record({ fields: values, deleted: fc.boolean(), editBefore: fc.option(values), seesNow: fc.boolean() }),
  { minLength: 1, maxLength: 4 },
);

/** Brings one revision to its end; every fate is used once, then all requests are answered. */
function bring(world: World, from: DeliveryState, event: EventView, left: Fate[]) {
  let state = from;
  let held: Held | null | 'unread' = 'unread';
  for (let step = 0; step < 40; step++) {
    const action = decide({ delivery: state, event, held, form });
    if (action.do === 'finish') return { state: action.delivery, receipt: action.receipt, steps: step };
    if (action.do === 'wait') throw new Error('nothing is missing here');
    if (action.do === 'read' || action.do === 'find') {
      const id = action.do === 'read' ? action.externalId : null;
      const found = world.objects.find((o) => (id === null ? o.alive : o.id === id));
      held = found ? see(found) : null;
      state = action.delivery;
      continue;
    }
    const fate = left.shift() ?? 'answered';
    const done = fate === 'refused' || fate === 'request lost' ? null : apply(world, action, event);
    const reply: Reply =
      fate === 'answered' ? { outcome: 'done', held: done } : { outcome: fate === 'refused' ? 'not-done' : 'unknown' };
    const after = settle(action, reply);
    state = after.delivery;
    if (after.finished) return { state, receipt: after.receipt, steps: step };
    held = 'unread';
  }
  throw new Error('no end');
}

function apply(
  world: World,
  action: Extract<ReturnType<typeof decide>, { do: 'create' | 'update' | 'remove' }>,
  event: EventView,
): Held {
  world.clock += 1;
  if (action.do === 'create') {
    world.creates += 1;
    world.objects.push({ id: `o${world.creates}`, fields: { ...action.fields }, version: world.clock, alive: true });
    return see(world.objects.at(-1)!);
  }
  const id = action.do === 'remove' ? action.externalId : action.held.externalId;
  const object = world.objects.find((o) => o.id === id)!;
  if (action.do === 'remove') object.alive = false;
  else {
    if (object.version !== event.source?.seen) world.unseenWrites += 1;
    Object.assign(object.fields, action.fields);
  }
  object.version = world.clock;
  return see(object);
}

describe('whatever is lost, refused or edited in between', () => {
  it('makes one object at most, writes only onto what the event has seen, and answers every revision', () => {
    fc.assert(
      fc.property(revisions, fates, (plan, lost) => {
        const world: World = { objects: [], clock: 0, creates: 0, unseenWrites: 0 };
        const left = [...lost];
        let state: DeliveryState = { externalId: null, made: false, pendingCreate: false, tries: [] };
        let dead = false;
        for (const [i, { fields, deleted, editBefore, seesNow }] of plan.entries()) {
          if (dead) break;
          const object = world.objects.find((o) => o.alive);
          const seen = object?.version ?? 0;
          if (object && editBefore) {
            world.clock += 1;
            Object.assign(object.fields, editBefore);
            object.version = world.clock;
          }
          const behind = ['a', 'b'];
          const source =
            object && (seesNow || i > 1)
              ? { externalId: object.id, deleted: false, seen: seesNow ? object.version : seen, behind }
              : null;
          const event = { revision: i + 1, deleted, fields, source, wanted: true, missing: [] };
          if (source) state = { ...state, externalId: source.externalId };
          const end = bring(world, state, event, left);
          state = end.state;
          dead = deleted;
          if (!deleted) {
            expect(end.receipt).not.toBeNull();
            expect(state.tries).toEqual([]);
            if (end.receipt?.outcome === 'written')
              expect(world.objects.find((o) => o.alive)?.fields).toMatchObject(fields);
          } else expect(world.objects.filter((o) => o.alive)).toEqual([]);
        }
        expect(world.creates).toBeLessThanOrEqual(1);
        expect(world.unseenWrites).toBe(0);
      }),
      { numRuns: 3_000 },
    );
  });
});
