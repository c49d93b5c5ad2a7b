import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type ProcessId, readHolder, startTimeOf, writeWhole } from '@syncline/infra';
import { Failure } from './failure.js';
import { places, stateDir } from './places.js';

/** How a supervised process is doing. */
export type ServiceState = 'starting' | 'ready' | 'restarting' | 'stopped';

/** A service of the running system. */
export interface LocalService {
  name: string;
  role: 'ingestor' | 'transformer' | 'writer';
  /** Connections it serves, as in syncline.yaml. */
  connections: string[];
  pid: number | null;
  /** Its management address: /health/*, /metrics, /status. */
  url: string | null;
  state: ServiceState;
  restarts: number;
}

/** The content of local.json: what other programs on this machine need to work with the running system. */
export interface Local {
  kafkaBrokers: string;
  databaseUrl: string;
  warehouseUrl: string;
  /** Where each connection's provider sends its webhooks. */
  webhooks: Record<string, string>;
  sandbox: { shop: string; carrier: string; control: string; pid: number | null } | null;
  services: LocalService[];
  infra: { name: string; pid: number | null; state: ServiceState; restarts: number }[];
  config: string;
  connections: Record<string, string>;
}

/** Writes local.json in one step, readable by its owner only: it holds the database password. */
export function writeLocal(local: Local): void {
  writeWhole(places.local, `${JSON.stringify(local, null, 2)}\n`);
}

/** Removes local.json: nothing runs any more. */
export function removeLocal(): void {
  rmSync(places.local, { force: true });
}

/** The supervisor that holds the state folder, when it is alive. */
export function runningSupervisor(): ProcessId | undefined {
  const holder = readHolder(join(stateDir, 'infra.lock'));
  return holder && startTimeOf(holder.pid) === holder.startTime ? holder : undefined;
}

/** What runs, or undefined: no supervisor, or one that is not that far yet. */
export function readLocal(): Local | undefined {
  if (!runningSupervisor()) return undefined;
  try {
    return JSON.parse(readFileSync(places.local, 'utf8')) as Local;
  } catch {
    return undefined;
  }
}

/** What runs; a failure that says how to start it when nothing does. */
export function needLocal(): Local {
  const local = readLocal();
  if (local) return local;
  throw new Failure(
    runningSupervisor()
      ? 'Syncline is still starting: try again in some seconds.'
      : 'Syncline is not running: start it with "npm start".',
  );
}
