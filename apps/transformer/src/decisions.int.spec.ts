import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { testInfra } from '@syncline/infra';
import { conflictsKept, createTestDatabase, openStore, type Store } from '@syncline/store';
import { decisionRoutes, storeDecisions } from './decisions.js';
import { type Entry, newEntry } from './entries.js';
import type { Conflict } from './merge/decided.js';

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let store: Store;

beforeAll(async () => {
  database = await createTestDatabase((await testInfra()).databaseUrl);
  store = await openStore({ url: database.url, role: 'transformer', applicationName: 'decisions-test' });
}, 120_000);

afterAll(async () => {
  await store?.close();
  await database?.drop();
});

const conflict = (field: string, won: string, lost: string): Conflict => ({
  field,
  won: { connection: 'carrier', at: 20, value: won },
  lost: { connection: 'shop', at: 10, value: lost },
  why: 'newer',
});
function entry(): Entry {
  const made = newEntry({ byId: new Map(), byKey: new Map(), added: new Map(), locks: 0 }, 'order');
  return { ...made, id: randomUUID() };
}
const told = async (record: string) => {
  const [route] = decisionRoutes(() => store);
  return (await route!.handler(() => undefined as never, { record })) as {
    conflicts: { field: string; values: { won: string; lost: string } | null }[];
    unstable: { field: string; times: number; values: { sent: string; kept: string } | null }[];
  };
};

describe('decided conflicts', () => {
  it('stay to be asked for, newest first, without values of fields that may hold personal data', async () => {
    const one = entry();
    one.state.conflicts.push(conflict('status', 'on_hold', 'open'), conflict('note', 'call Ada', 'call Bob'));
    await store.transaction((tx) => storeDecisions(tx, [one]));
    const { conflicts } = await told(one.id);
    expect(conflicts).toMatchObject([
      { field: 'note', values: null, winner: 'carrier', loser: 'shop', why: 'newer' },
      { field: 'status', values: { won: 'on_hold', lost: 'open' } },
    ]);
    const stored = await store.query('SELECT row_to_json(c)::text AS row FROM conflicts c WHERE id = $1', [one.id]);
    expect(JSON.stringify(stored)).not.toMatch(/Ada|Bob/);
  });

  it('are bounded per record: the newest are kept', async () => {
    const [one, other] = [entry(), entry()];
    other.state.conflicts.push(conflict('status', 'open', 'on_hold'));
    for (let i = 0; i < conflictsKept + 7; i++) one.state.conflicts.push(conflict('name', `n${i}`, 'x'));
    await store.transaction((tx) => storeDecisions(tx, [one, other]));
    const { conflicts } = await told(one.id);
    expect(conflicts).toHaveLength(conflictsKept);
    expect(conflicts[0]?.values?.won).toBe(`n${conflictsKept + 6}`);
    expect((await told(other.id)).conflicts).toHaveLength(1);
  });

  it('go with the batch that made them: a rollback leaves none', async () => {
    const one = entry();
    one.state.conflicts.push(conflict('status', 'on_hold', 'open'));
    const failing = store.transaction(async (tx) => {
      await storeDecisions(tx, [one]);
      throw new Error('killed');
    });
    await expect(failing).rejects.toThrow('killed');
    expect((await told(one.id)).conflicts).toEqual([]);
  });

  it('of a record that was joined into another are told of the one it lives on as', async () => {
    const [alias, winner] = [entry(), entry()];
    alias.mergedInto = winner.id;
    alias.state.conflicts.push(conflict('status', 'on_hold', 'open'));
    await store.transaction((tx) => storeDecisions(tx, [alias]));
    expect((await told(winner.id)).conflicts).toHaveLength(1);
  });

  it('take any text a source may send', async () => {
    const one = entry();
    one.state.conflicts.push(conflict('name', 'a\0b', '\ud800'));
    await store.transaction((tx) => storeDecisions(tx, [one]));
    expect((await told(one.id)).conflicts).toMatchObject([{ field: 'name', values: null }]);
  });
});

describe('a field that a target does not keep', () => {
  it('is told once with both newest forms, and how often', async () => {
    const one = entry();
    const kept = (value: string) => ({ source: 'carrier/tracker', field: 'status', sent: 'open', kept: value });
    one.state.unstable.push(kept('OPEN'));
    await store.transaction((tx) => storeDecisions(tx, [one]));
    one.state.unstable = [kept('Open')];
    await store.transaction((tx) => storeDecisions(tx, [one]));
    const { unstable } = await told(one.id);
    expect(unstable).toMatchObject([
      { connection: 'carrier', noun: 'tracker', field: 'status', times: 2, values: { sent: 'open', kept: 'Open' } },
    ]);
  });
});
