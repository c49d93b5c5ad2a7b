import { budget } from './explore.js';
import { type Limits, sound, type WorldConfig } from './world.js';

const calm = { ...budget, edits: 2, faults: 0, polls: 0, dups: 0 };
const lower = (v: string) => v.toLowerCase();
const upper = (v: string) => v.toUpperCase();

/** The situations two-way sync has to come out of, each a world and what one run may use up. */
export const scenarios: Readonly<Record<string, { cfg: Partial<WorldConfig>; limits?: Limits }>> = {
  'two edits, nothing goes wrong': { cfg: { fields: ['a'], flips: false }, limits: calm },
  'values that come back, nothing goes wrong': { cfg: { fields: ['a'] }, limits: calm },
  'one field': { cfg: { fields: ['a'], flips: false } },
  'two fields': { cfg: { flips: false } },
  'one field, values that come back': { cfg: { fields: ['a'] } },
  'two fields, values that come back': { cfg: {} },
  'a create': { cfg: { fields: ['a'], flips: false, linked: false } },
  'a create, two fields': { cfg: { flips: false, linked: false } },
  'fields with owners': { cfg: { flips: false, owner: { a: 'S', b: 'C' } } },
  'lost webhooks': { cfg: { fields: ['a'], flips: false, webLoss: true }, limits: { ...budget, lost: 2, polls: 2 } },
  'clock ahead': { cfg: { fields: ['a'], flips: false, skew: 600 } },
  'clock behind': { cfg: { fields: ['a'], flips: false, skew: -600 } },
  'times within a second': { cfg: { fields: ['a'], flips: false, ticks: true } },
  'one side spells its own way': { cfg: { fields: ['a'], flips: false, spell: { C: lower } } },
  'both sides spell their own way': { cfg: { fields: ['a'], flips: false, spell: { C: lower, S: upper } } },
  'a delete': { cfg: { fields: ['a'], flips: false, deletes: true } },
  'a delete around a create': { cfg: { fields: ['a'], flips: false, deletes: true, linked: false } },
  'a delete within a second': { cfg: { fields: ['a'], flips: false, deletes: true, ticks: true } },
};

/** A scenario's whole configuration. */
export const worldOf = (name: string, change: Partial<WorldConfig> = {}): WorldConfig => ({
  ...sound,
  ...scenarios[name]?.cfg,
  ...change,
});
