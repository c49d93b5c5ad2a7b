// The writers' part of the world: events delivered by the real decision.
import type { Held } from '@syncline/connector-sdk';
import {
  type Action,
  type DeliveryState,
  decide,
  type EventView,
  type Reply,
  settle,
  type TargetForm,
} from '@syncline/delivery';
import {
  clone,
  type Event,
  mutate,
  type Obj,
  observationOf,
  plain,
  type Request,
  type Row,
  type System,
  see,
  type Value,
  type World,
} from './world.js';

/** Takes new events off the topic: only the newest revision of the record counts. */
export function take(w: World, X: System): void {
  const d = w.row[X];
  for (; w.readTo[X] < w.canon.length; w.readTo[X]++) {
    const e = w.canon[w.readTo[X]] as Event;
    if (e.rev > Math.max(d.done, d.want?.rev ?? 0)) d.want = e;
    const s = e.src[X];
    if (s && !s.dead) d.delivery = { ...d.delivery, externalId: s.ext };
  }
}

/** Nothing newer than what was delivered is wanted. */
export const idle = (d: Row): boolean => !d.want || d.want.rev <= d.done;

function view(w: World, X: System, e: Event): EventView {
  const s = e.src[X];
  return {
    revision: e.rev,
    deleted: e.dead,
    fields: plain(e.f),
    source: s
      ? {
          externalId: s.ext,
          deleted: s.dead,
          seen: s.upd,
          behind: w.cfg.rules.asks || s.behind.length > 0 ? s.behind : [],
        }
      : null,
    wanted: true,
    missing: [],
  };
}

function form(w: World, X: System): TargetForm {
  const spell = w.cfg.spell[X];
  return {
    updates: w.cfg.fields,
    creates: w.cfg.fields,
    removes: true,
    ...(spell ? { normalise: (_f, v) => spell(v as string) } : {}),
  };
}

/** What a read shows; a writer that does not compare takes whatever is there for the state its event was made from. */
function held(w: World, X: System, o: Obj | undefined, e: Event): Held | null {
  if (!o || o.dead) return null;
  const observation = observationOf(see(w, X, o, 'read'));
  return { externalId: o.ext, version: w.cfg.guarded ? o.upd : (e.src[X]?.upd ?? o.upd), observation };
}

/** Decides and begins the next request, or closes the revision. Reads are instant here; writes take their time. */
export function send(w: World, X: System): void {
  const d = w.row[X];
  const e = d.want as Event;
  if (e.dead && !w.cfg.lookupDelete) d.delivery = { ...d.delivery, pendingCreate: false };
  let shown: Held | null | 'unread' = 'unread';
  for (let step = 0; step < 4; step++) {
    const action: Action = decide({ delivery: d.delivery, event: view(w, X, e), held: shown, form: form(w, X) });
    d.delivery = action.delivery;
    if (action.do === 'find')
      shown = held(
        w,
        X,
        w.sys[X].find((o) => !o.dead),
        e,
      );
    else if (action.do === 'read')
      shown = held(
        w,
        X,
        w.sys[X].find((o) => o.ext === action.externalId),
        e,
      );
    else if (action.do === 'wait') throw new Error('nothing here has to wait for a reference');
    else {
      if (action.do === 'finish') close(w, X, e.rev, action.receipt);
      else request(w, X, e, action);
      return;
    }
  }
  throw new Error('a decision does not come to an end');
}

function request(w: World, X: System, e: Event, action: Request['action']): void {
  const names = action.do === 'remove' ? [] : Object.keys(action.fields);
  const ext = action.do === 'create' ? '' : (action.delivery.externalId ?? '');
  const o = w.sys[X].find((x) => x.ext === ext);
  const f = Object.fromEntries(names.map((name) => [name, clone(e.f[name] as Value)]));
  const ifVer = action.do === 'update' && w.cfg.conditional && w.cfg.guarded ? (o?.ver ?? null) : null;
  w.http.push({
    id: ++w.requestId,
    X,
    op: action.do,
    rev: e.rev,
    ext,
    f,
    ifVer,
    applied: false,
    gone: false,
    conflict: false,
    obs: null,
    action,
  });
  w.busy[X] = w.requestId;
}

function close(w: World, X: System, rev: number, receipt: Parameters<typeof note>[3]): void {
  note(w, X, rev, receipt);
  const d = w.row[X];
  if (rev > d.done) d.done = rev;
}

function note(w: World, X: System, rev: number, receipt: World['notes'][System][number]['receipt'] | null): void {
  if (!receipt) return;
  const o = w.sys[X].find((x) => x.ext === receipt.externalId);
  w.notes[X].push({ rev, receipt, obs: receipt.observed && o ? see(w, X, o, 'read') : null });
}

/** A request reaches its system. */
export function arrive(w: World, i: number): void {
  const q = w.http[i] as Request;
  const { X } = q;
  q.applied = true;
  const store = (o: Obj) => {
    for (const f in q.f) o.f[f] = { v: w.cfg.spell[X]?.(q.f[f]?.v ?? '') ?? q.f[f]?.v ?? '', g: q.f[f]?.g ?? 0 };
  };
  if (q.op === 'create') {
    const o: Obj = { ext: `${X}${w.sys[X].length + 1}`, f: {}, upd: 0, ver: 0, dead: false, rev: q.rev };
    w.sys[X].push(o);
    mutate(w, X, o, () => store(o));
    q.obs = see(w, X, o, 'read');
    q.ext = o.ext;
    return;
  }
  const o = w.sys[X].find((x) => x.ext === q.ext);
  if (!o || o.dead) q.gone = true;
  else if (q.ifVer !== null && o.ver !== q.ifVer) q.conflict = true;
  else {
    w.n.writes++;
    o.rev = q.rev;
    mutate(w, X, o, () => {
      if (q.op === 'remove') o.dead = true;
      else store(o);
    });
    q.obs = see(w, X, o, 'read');
  }
}

/** The answer of a request reaches its writer, where that still waits for it. */
export function reply(w: World, i: number): void {
  const q = w.http.splice(i, 1)[0] as Request;
  const { X } = q;
  if (w.busy[X] !== q.id) return;
  w.busy[X] = 0;
  const settled = settle(q.action, outcomeOf(q));
  const d = w.row[X];
  d.delivery = keepLink(settled.delivery, d.delivery);
  if (!settled.finished) return;
  const { receipt } = settled;
  if (receipt) w.notes[X].push({ rev: q.rev, receipt, obs: q.obs });
  if (q.rev > d.done) d.done = q.rev;
}

function outcomeOf(q: Request): Reply {
  if (!q.applied || q.conflict) return { outcome: 'not-done' };
  if (q.gone || !q.obs) return { outcome: 'gone' };
  if (q.op === 'remove') return { outcome: 'done', held: null };
  const observation = observationOf({ ...q.obs, kind: 'read' });
  return { outcome: 'done', held: { externalId: q.obs.ext, version: q.obs.upd, observation } };
}

/** An event that came in the meantime may have told the external id. */
const keepLink = (after: DeliveryState, now: DeliveryState): DeliveryState => ({
  ...after,
  externalId: after.externalId ?? now.externalId,
});
