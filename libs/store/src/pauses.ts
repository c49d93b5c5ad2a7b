import type { Db } from './store.js';

/**
 * Connections an operator has paused, each side in its own service's schema: in `ingestion` as sources, in `delivery` as
 * targets. Returns when each of the names that are paused was; names that are not are not in the map. Milliseconds since the epoch.
 */
export async function readPauses(db: Db, names: readonly string[]): Promise<Map<string, number>> {
  const rows = await db.query<{ name: string; since: number }>(
    'SELECT name, extract(epoch FROM since)::float8 * 1000 AS since FROM pauses WHERE name = ANY($1::text[])',
    [names],
  );
  return new Map(rows.map((r) => [r.name, r.since]));
}

/** Pauses a connection on this store's side. False where it was paused before. */
export async function storePause(db: Db, name: string): Promise<boolean> {
  const rows = await db.query('INSERT INTO pauses (name) VALUES ($1) ON CONFLICT DO NOTHING RETURNING name', [name]);
  return rows.length > 0;
}

/** Ends a pause. False where there was none. */
export async function removePause(db: Db, name: string): Promise<boolean> {
  const rows = await db.query('DELETE FROM pauses WHERE name = $1 RETURNING name', [name]);
  return rows.length > 0;
}

/** The pauses of some connections as a running service knows them. */
export interface Pauses {
  /** Since when a connection is paused, milliseconds since the epoch; null where it is not. */
  since(name: string): number | null;
  stop(): void;
}

export interface WatchOptions {
  /** Called for each connection that is paused (with since when) or goes on (null), also for those paused at the first look. */
  changed(name: string, since: number | null): void;
  /** A look failed: what was known before still counts. */
  failed(error: unknown): void;
  /** Pause between looks, in milliseconds (default 500). */
  everyMs?: number;
}

/** Looks at the pauses of some connections again and again; resolves after the first look, throws where that fails. */
export async function watchPauses(db: Db, names: readonly string[], options: WatchOptions): Promise<Pauses> {
  let known = new Map<string, number>();
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  const look = async () => {
    const found = await readPauses(db, names);
    if (stopped) return;
    const before = known;
    known = found;
    for (const name of names) if (before.has(name) !== found.has(name)) options.changed(name, found.get(name) ?? null);
  };
  const later = () => {
    if (stopped) return;
    timer = setTimeout(() => void look().catch(options.failed).finally(later), options.everyMs ?? 500);
  };
  await look();
  later();
  return {
    since: (name) => known.get(name) ?? null,
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
