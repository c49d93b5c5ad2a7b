import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { stopStale } from '@syncline/infra';
import { places } from '../places.js';

/**
 * Ends what a supervisor that was killed left running: found by pid and start time, so that a process which got an old
 * pid meanwhile is not touched. Services first, then Kafka and PostgreSQL where asked. Resolves with the names of what was ended.
 */
export async function stopLeftovers(options: { infra: boolean }): Promise<string[]> {
  const services = listed(places.run).map((name) => ({ name, folder: places.run, signal: 'SIGTERM' as const }));
  const servers = [
    { name: 'kafka', folder: places.infra, signal: 'SIGTERM' as const },
    // Fast shutdown: it does not wait for its clients.
    { name: 'postgres', folder: places.infra, signal: 'SIGINT' as const },
  ];
  const end = async (all: { name: string; folder: string; signal: NodeJS.Signals }[]): Promise<string[]> => {
    const ended = await Promise.all(
      all.map(async (one) =>
        (await stopStale(join(one.folder, `${one.name}.pid`), one.signal)) === undefined ? [] : [one.name],
      ),
    );
    return ended.flat();
  };
  const found = [...(await end(services)), ...(options.infra ? await end(servers) : [])];
  for (const { name } of services) rmSync(join(places.run, `${name}.ready.json`), { force: true });
  return found;
}

function listed(folder: string): string[] {
  try {
    return readdirSync(folder).flatMap((file) => (file.endsWith('.pid') ? [file.slice(0, -'.pid'.length)] : []));
  } catch {
    return [];
  }
}
