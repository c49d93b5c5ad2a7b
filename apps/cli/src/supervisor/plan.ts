import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type SynclineConfig, targetsOf } from '@syncline/runtime';
import { Failure } from '../failure.js';
import { projectRoot } from '../places.js';

/** One service of an installation and the connections it serves. */
export interface PlannedService {
  name: string;
  role: 'ingestor' | 'transformer' | 'writer';
  connections: string[];
  /** The program, from the project's root. */
  program: string;
}

/** The services a configuration needs: an ingestor per provider records come from, the transformer, a writer per provider they go to. */
export function plannedServices(config: SynclineConfig): PlannedService[] {
  const sources = new Set(config.flows.flatMap((flow) => flow.from));
  const ingestors = group([...sources].map((name) => [config.connections[name]!.provider, name]));
  const writers = group(targetsOf(config).map((target) => [target.provider, target.connection]));
  return [
    ...ingestors.map(([provider, connections]) => ({
      name: `ingestor-${provider}`,
      role: 'ingestor' as const,
      connections,
      program: `apps/ingestors/${provider}/dist/main.js`,
    })),
    { name: 'transformer', role: 'transformer', connections: [...sources], program: 'apps/transformer/dist/main.js' },
    ...writers.map(([provider, connections]) => ({
      name: `writer-${provider}`,
      role: 'writer' as const,
      connections,
      program: `apps/writers/${provider}/dist/main.js`,
    })),
  ];
}

/** Throws a failure naming the services whose program is not there. */
export function checkPrograms(services: readonly PlannedService[]): void {
  const missing = services.filter((service) => !existsSync(join(projectRoot, service.program)));
  if (missing.length === 0) return;
  const list = missing.map((service) => `${service.name} (${service.program})`).join(', ');
  throw new Failure(`Not built, or no such app in this checkout: ${list}. Run "npm run build".`);
}

function group(pairs: [string, string][]): [string, string[]][] {
  const byProvider = new Map<string, string[]>();
  for (const [provider, connection] of pairs)
    byProvider.set(provider, [...(byProvider.get(provider) ?? []), connection]);
  return [...byProvider];
}
