import { setTimeout as wait } from 'node:timers/promises';
import { suggestion } from '@syncline/runtime';
import { openStore, removePause, type StoreRole, storePause } from '@syncline/store';
import { Failure } from '../failure.js';
import type { Local, LocalService } from '../local.js';
import { askParts } from '../status/ask.js';

/** The two things a connection can be: read from, and written to. */
export type Side = 'source' | 'target';

/** One side of a connection that was paused or goes on. */
export interface Changed {
  connection: string;
  side: Side;
  paused: boolean;
  /** True where it was so before. */
  was: boolean;
  /** yes: the service obeys; down: it does not run and obeys from its start; no: it has not said so in time. */
  inForce: 'yes' | 'down' | 'no';
}

const sides: readonly { side: Side; role: LocalService['role']; store: StoreRole }[] = [
  { side: 'source', role: 'ingestor', store: 'ingestion' },
  { side: 'target', role: 'writer', store: 'delivery' },
];
/** Services look every half second; what is under way may take as long as a request. Milliseconds. */
const obeyMsDefault = 20_000;

/** The sides a connection has in the running system, or the one of them that was asked for. Throws a Failure with what exists. */
export function sidesOf(local: Local, connection: string, only: Side | undefined): Side[] {
  const served = (role: string): string[] =>
    local.services.filter((s) => s.role === role).flatMap((s) => s.connections);
  const all = [...new Set(sides.flatMap(({ role }) => served(role)))];
  if (!all.includes(connection))
    throw new Failure(`There is no connection "${connection}": ${suggestion(connection, all)}`, 2);
  const has = sides.filter(({ side, role }) => (only ?? side) === side && served(role).includes(connection));
  if (has.length === 0) throw new Failure(`${connection} is no ${only}: leave --only out`, 2);
  return has.map(({ side }) => side);
}

/**
 * Pauses sides of a connection, or lets them go on. The order is stored first, where the service that serves the side finds it:
 * it lasts over restarts and needs no service to be up. Then waits until those that are up obey and what was under way has ended.
 */
export async function setPaused(
  local: () => Local,
  connection: string,
  chosen: readonly Side[],
  paused: boolean,
  obeyMsMax = obeyMsDefault,
): Promise<Changed[]> {
  const changed: Changed[] = [];
  for (const { side, store: role } of sides.filter((s) => chosen.includes(s.side))) {
    const store = await openStore({
      url: local().databaseUrl,
      role,
      applicationName: 'syncline pause',
      poolSize: 1,
    });
    try {
      const isNew = await (paused ? storePause : removePause)(store, connection);
      changed.push({ connection, side, paused, was: !isNew, inForce: 'no' });
    } finally {
      await store.close();
    }
  }
  const endMs = Date.now() + obeyMsMax;
  for (;;) {
    for (const one of changed) one.inForce = await obeyed(local(), one);
    if (changed.every(({ inForce }) => inForce !== 'no') || Date.now() > endMs) return changed;
    await wait(100);
  }
}

/** Whether the services that serve a side do as they were told. */
async function obeyed(local: Local, { connection, side, paused }: Changed): Promise<Changed['inForce']> {
  const { role } = sides.find((s) => s.side === side)!;
  const serving = local.services.filter((s) => s.role === role && s.connections.includes(connection));
  const parts = await askParts({ ...local, services: serving });
  // One that should run and does not answer may still be at work.
  if (parts.size === 0) return serving.every((s) => s.state !== 'ready') ? 'down' : 'no';
  const told = [...parts.values()]
    .flatMap((part): { name: string; paused?: string | null | undefined; underWay?: number | undefined }[] =>
      side === 'source' ? part.connections : part.targets,
    )
    .filter(({ name }) => name === connection);
  const obey = told.every((one) => (paused ? one.paused && one.underWay === 0 : !one.paused));
  return told.length > 0 && obey ? 'yes' : 'no';
}

/** What was done, for people. */
export function changedLines(changed: readonly Changed[]): string[] {
  return changed.map(({ connection, side, paused, was, inForce }) => {
    const what = side === 'source' ? 'nothing is read from it' : 'nothing is written to it';
    const done = paused ? `is${was ? ' already' : ''} paused as a ${side}` : `goes on as a ${side}`;
    const note = paused && inForce === 'yes' ? `: ${what}` : !paused && was ? ' (it was not paused)' : '';
    const trouble = {
      yes: '',
      down: '; its service does not run now and will find this when it starts',
      no: `; stored, but its service does not say so yet: look with "syncline connections"`,
    }[inForce];
    return `${connection} ${done}${note}${trouble}.`;
  });
}
