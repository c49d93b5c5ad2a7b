// What can happen in the world, and making it happen.
import { emptyState, type MergeContext } from '../merge/state.js';
import {
  both,
  key,
  type Limits,
  mutate,
  now,
  type Obj,
  type Request,
  type Seen,
  type System,
  see,
  systems,
  type World,
  type WorldConfig,
} from './world.js';
import { map, mapNote, waits } from './world-transformer.js';
import { arrive, idle, reply, send, take } from './world-writer.js';

function context(cfg: WorldConfig): MergeContext {
  const of = (source: string) => source[0] as System;
  return {
    rules: cfg.rules,
    policy: {
      owner: (f) => cfg.owner[f],
      writable: () => cfg.fields,
      creatable: () => new Map(systems.map((X) => [key(X), cfg.fields])),
      normalise: (source, _f, value) => cfg.spell[of(source)]?.(value as string) ?? value,
      conditional: () => cfg.conditional,
    },
  };
}

/** Two systems that agree, or one whose record is still to be made at the other. */
export function createWorld(cfg: WorldConfig): World {
  const w: World = {
    cfg,
    ctx: context(cfg),
    clock: 1,
    seq: 0,
    requestId: 0,
    edits: cfg.fields.map((f) => ({ f, v: '0', parent: -1, at: '' })),
    sys: both(() => []),
    net: both(() => []),
    log: both(() => []),
    off: both(() => 0),
    notes: both(() => []),
    noteOff: both(() => 0),
    force: both(() => false),
    pg: { state: emptyState(), lineage: {}, shadow: both(() => ({})), rev: 0 },
    canon: [],
    http: [],
    busy: both(() => 0),
    readTo: both(() => 0),
    row: both(() => ({
      want: null,
      done: 0,
      delivery: { externalId: null, made: false, pendingCreate: false, tries: [] },
    })),
    n: { edits: 0, faults: 0, dups: 0, polls: 0, lost: 0, deletes: 0, writes: 0 },
  };
  for (const X of cfg.linked ? systems : (['S'] as const)) {
    const f = Object.fromEntries(cfg.fields.map((name, g) => [name, { v: '0', g }]));
    w.sys[X].push({ ext: `${X}1`, f, upd: now(w, X), ver: 1, dead: false, rev: 1 });
  }
  for (const X of systems)
    for (const o of w.sys[X]) {
      w.log[X].push(see(w, X, o, 'web'));
      map(w, X, 'ok', 1);
    }
  if (cfg.linked) {
    for (const X of systems) {
      w.readTo[X] = w.canon.length;
      w.row[X].done = w.seq;
      w.row[X].delivery = { ...w.row[X].delivery, externalId: `${X}1` };
    }
    w.pg.state.asks.clear();
  }
  w.clock++;
  return w;
}

export type Action =
  | ['edit', System, string, string]
  | ['del' | 'poll' | 'note' | 'take' | 'send' | 'crash', System]
  | ['web' | 'dup' | 'lose', System, number]
  | ['map', System, 'ok' | 'between' | 'offset', number]
  | ['apply' | 'reply', number]
  | ['tick'];

/** Everything that can happen next. */
export function enabled(w: World, lim: Limits): Action[] {
  const actions: Action[] = [];
  const { cfg, n } = w;
  const fault = n.faults < lim.faults;
  for (const X of systems) {
    const live = w.sys[X].find((o) => !o.dead);
    if (live && n.edits < lim.edits) {
      const values = cfg.flips ? lim.values : cfg.spell.C ? [`V${n.edits + 1}v`] : [`${n.edits + 1}`];
      for (const f of cfg.fields) for (const v of values) if (live.f[f]?.v !== v) actions.push(['edit', X, f, v]);
    }
    if (live && cfg.deletes && n.deletes < 1) actions.push(['del', X]);
    if (live && n.polls < lim.polls) actions.push(['poll', X]);
    for (let i = 0; i < w.net[X].length; i++) {
      actions.push(['web', X, i]);
      if (n.dups < lim.dups) actions.push(['dup', X, i]);
      if (cfg.webLoss && n.lost < lim.lost) actions.push(['lose', X, i]);
    }
    if (w.off[X] < w.log[X].length && !waits(w, X)) {
      actions.push(['map', X, 'ok', 1]);
      if (w.log[X].length - w.off[X] > 1 && !cfg.rules.hold) actions.push(['map', X, 'ok', 2]);
      if (fault) actions.push(['map', X, 'between', 1], ['map', X, 'offset', 1]);
    }
    if (w.noteOff[X] < w.notes[X].length) actions.push(['note', X]);
    if (w.readTo[X] < w.canon.length) actions.push(['take', X]);
    const pending = cfg.settle && w.http.some((q) => q.X === X && !q.applied);
    if (!w.busy[X] && !idle(w.row[X]) && !pending) actions.push(['send', X]);
    if (fault && w.busy[X]) actions.push(['crash', X]);
  }
  w.http.forEach((q, i) => {
    if (!q.applied) actions.push(['apply', i]);
    if (q.applied || fault || w.busy[q.X] !== q.id) actions.push(['reply', i]);
  });
  if (cfg.ticks && w.clock < lim.clock) actions.push(['tick']);
  return actions;
}

export function act(w: World, action: Action): void {
  const { n } = w;
  switch (action[0]) {
    case 'edit':
      editValue(w, action[1], action[2], action[3]);
      break;
    case 'del':
      remove(w, action[1]);
      break;
    case 'poll':
      n.polls++;
      w.net[action[1]].push(see(w, action[1], live(w, action[1]), 'poll'));
      break;
    case 'web':
      w.log[action[1]].push(...w.net[action[1]].splice(action[2], 1));
      break;
    case 'dup':
      n.dups++;
      w.log[action[1]].push(w.net[action[1]][action[2]] as Seen);
      break;
    case 'lose':
      n.lost++;
      w.net[action[1]].splice(action[2], 1);
      break;
    case 'map':
      if (action[2] !== 'ok') n.faults++;
      map(w, action[1], action[2], action[3]);
      break;
    case 'note':
      mapNote(w, action[1]);
      break;
    case 'take':
      take(w, action[1]);
      break;
    case 'send':
      send(w, action[1]);
      break;
    case 'crash':
      n.faults++;
      w.busy[action[1]] = 0;
      break;
    case 'apply':
      arrive(w, action[1]);
      break;
    case 'reply':
      answered(w, action[1]);
      break;
    case 'tick':
      w.clock++;
  }
}

const live = (w: World, X: System) => w.sys[X].find((o) => !o.dead) as Obj;

function editValue(w: World, X: System, f: string, v: string): void {
  const o = live(w, X);
  w.n.edits++;
  mutate(w, X, o, () => {
    w.edits.push({ f, v, parent: o.f[f]?.g ?? -1, at: X });
    o.f[f] = { v, g: w.edits.length - 1 };
  });
}

function remove(w: World, X: System): void {
  const o = live(w, X);
  w.n.deletes++;
  mutate(w, X, o, () => {
    o.dead = true;
  });
}

function answered(w: World, i: number): void {
  const q = w.http[i] as Request;
  if (!q.applied && w.busy[q.X] === q.id) w.n.faults++;
  reply(w, i);
}
