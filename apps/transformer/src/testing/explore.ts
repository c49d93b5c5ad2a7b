import { type Action, act, createWorld, enabled } from './actions.js';
import { type Limits, systems, type World, type WorldConfig } from './world.js';

/** A seeded generator of numbers in [0, 1): mulberry32 (public domain, Tommy Ettinger). */
export function seeded(seed: number): () => number {
  let s = seed;
  return () => {
    s = (s + 0x6d2b79f5) | 0;
    let t = Math.imul(s ^ (s >>> 15), 1 | s);
    t ^= t + Math.imul(t ^ (t >>> 7), 61 | t);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export const budget: Limits = { edits: 3, faults: 2, polls: 1, dups: 1, lost: 1, clock: 6, values: ['0', '1', '2'] };
const healed: Limits = { edits: 0, faults: 0, polls: 0, dups: 0, lost: 0, clock: 0, values: [] };

/** One random schedule, healed at its end. Returns what is wrong then, or null. */
export function run(
  cfg: WorldConfig,
  limits: Limits,
  seed: number,
  length = 40,
): { bad: string | null; trace: Action[]; world: World } {
  const random = seeded(seed);
  const world = createWorld(cfg);
  const trace: Action[] = [];
  for (let i = 0; i < length; i++) {
    const all = enabled(world, limits);
    if (all.length === 0) break;
    const names = [...new Set(all.map((a) => a[0]))];
    const name = names[Math.floor(random() * names.length)];
    const some = all.filter((a) => a[0] === name);
    const action = some[Math.floor(random() * some.length)] as Action;
    trace.push(action);
    act(world, action);
  }
  return { bad: heal(world) ?? judge(world), trace, world };
}

/** Delivers, maps, writes and polls until nothing moves. */
export function heal(w: World): string | null {
  let steps = 0;
  let mark = -1;
  const settle = (): boolean => {
    for (;;) {
      const next = enabled(w, healed).find((a) => a[0] !== 'lose');
      if (!next) return true;
      act(w, next);
      if (++steps > 600) return false;
    }
  };
  for (let round = 0; round < 12; round++) {
    if (!settle()) return 'no end: two-way sync does not terminate';
    w.clock += 2;
    for (const X of systems) {
      for (const o of w.sys[X])
        w.log[X].push({
          ext: o.ext,
          f: structuredClone(o.f),
          upd: o.upd,
          ver: o.ver,
          dead: o.dead,
          kind: 'poll',
          at: w.clock + (X === 'S' ? w.cfg.skew : 0),
        });
    }
    if (!settle()) return 'no end: two-way sync does not terminate';
    if (round > 0 && w.canon.length === mark) return null;
    mark = w.canon.length;
  }
  return 'no end: every poll makes a new revision';
}

/** Is the world right at rest? Both systems and the topic agree, and every value is an edit that nobody who saw it replaced. */
export function judge(w: World): string | null {
  const { cfg } = w;
  const live = (X: 'S' | 'C') => w.sys[X].filter((o) => !o.dead);
  const last = w.canon.at(-1);
  if (live('C').length > 1) return 'created twice';
  if (!last || last.rev !== w.pg.rev) return 'the topic does not end on the newest revision';
  if (w.n.deletes > 0) {
    for (const X of systems) if (live(X).length > 0) return `a deleted record still lives at ${X}`;
    return last.dead ? null : 'no tombstone';
  }
  const spelled = Object.keys(cfg.spell).length > 0;
  const same = (p: string, q: string) => (spelled ? p.toLowerCase() === q.toLowerCase() : p === q);
  for (const f of cfg.fields) {
    const k = last.f[f]?.v as string;
    const [s, c] = systems.map((X) => live(X)[0]?.f[f]?.v);
    if (c === undefined || s === undefined) return 'never created';
    if (!same(s, c) || !same(s, k)) return `diverged: ${f} S=${s} C=${c} record=${k}`;
    const mine = w.edits
      .map((e, i) => ({ ...e, i }))
      .filter((e) => e.f === f && (!cfg.owner[f] || e.at === cfg.owner[f] || e.at === ''));
    const leaves = mine.filter((e) => !mine.some((h) => h.parent === e.i));
    if (!leaves.some((e) => same(e.v, k))) return `lost edit: ${f} ended as ${k}, acceptable ${leaves.map((e) => e.v)}`;
    if (spelled && !leaves.some((e) => e.v === k)) return `a target's spelling came back as a change: ${f}=${k}`;
  }
  return null;
}
