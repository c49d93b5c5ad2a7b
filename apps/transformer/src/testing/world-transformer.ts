// The transformer's part of the world: messages and receipts mapped by the real merge.
import { type Answer, answer } from '../merge/answer.js';
import { behind } from '../merge/compare.js';
import { mustWait, observe } from '../merge/observe.js';
import { openAsks } from '../merge/publish.js';
import { isBlank } from '../merge/state.js';
import { type Event, key, type Note, observationOf, type Seen, type System, systems, type World } from './world.js';

/** Runs a merge step and keeps track of which edit each of the record's values descends from. */
function tracked(w: World, X: System, m: Seen, step: () => boolean): boolean {
  const { pg } = w;
  const stamps = Object.fromEntries(Object.entries(pg.state.fields).map(([f, x]) => [f, x.stamp]));
  const before = pg.state.snapshots.get(key(X));
  const dirty = step();
  for (const [f, x] of Object.entries(pg.state.fields)) {
    if (stamps[f] === x.stamp) continue;
    const fromMessage = m.f[f]?.v === x.value && (x.at === m.upd || pg.shadow[X][f] === undefined);
    pg.lineage[f] = fromMessage ? (m.f[f]?.g ?? 0) : (pg.shadow[X][f] ?? 0);
  }
  if (pg.state.snapshots.get(key(X)) !== before) for (const f in m.f) pg.shadow[X][f] = m.f[f]?.g ?? 0;
  return dirty;
}

function publish(w: World): void {
  const { pg, ctx, cfg } = w;
  pg.rev = ++w.seq;
  const ev: Event = { rev: pg.rev, dead: pg.state.deleted, f: {}, src: {} };
  for (const f of cfg.fields) ev.f[f] = { v: pg.state.fields[f]?.value as string, g: pg.lineage[f] ?? 0 };
  for (const X of systems) {
    const s = pg.state.snapshots.get(key(X));
    if (s) ev.src[X] = { ext: s.externalId, dead: s.deleted, behind: behind(ctx, pg.state, key(X)), upd: s.version };
  }
  openAsks(ctx, pg.state, pg.rev);
  w.canon.push(ev);
}

/** mode: ok | between (killed after PostgreSQL's commit and before Kafka's: nothing of it is visible) | offset (killed before the offset moved). */
export function map(w: World, X: System, mode: 'ok' | 'between' | 'offset', n: number): void {
  const visible = w.canon.length;
  const force = w.cfg.force && w.force[X];
  let dirty = false;
  for (const m of w.log[X].slice(w.off[X], w.off[X] + n)) {
    dirty = tracked(w, X, m, () => observe(w.ctx, w.pg.state, key(X), observationOf(m))) || dirty;
    if (force) publish(w);
  }
  if (dirty && !force) publish(w);
  if (mode === 'between') w.canon.length = visible;
  w.force[X] = mode !== 'ok';
  if (mode === 'ok') w.off[X] += n;
}

export function mapNote(w: World, X: System): void {
  const r = w.notes[X][w.noteOff[X]++] as Note;
  if (isBlank(w.pg.state)) return;
  const message: Answer = {
    type: 'receipt',
    id: 'r',
    kind: 'order',
    connection: X,
    noun: 'object',
    revision: r.rev,
    at: 0,
    ...r.receipt,
    tries: [...r.receipt.tries],
  };
  const seen = r.obs ?? { ext: '', f: {}, upd: 0, ver: 0, dead: false, kind: 'read' as const, at: 0 };
  if (tracked(w, X, seen, () => answer(w.ctx, w.pg.state, key(X), message))) publish(w);
}

/** Must the next message of a system wait? */
export const waits = (w: World, X: System) => {
  const m = w.log[X][w.off[X]];
  return !!m && !w.force[X] && mustWait(w.ctx, w.pg.state, key(X), observationOf(m));
};
