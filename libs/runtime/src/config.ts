import { type Kind, kinds } from '@syncline/contracts';
import type { z } from 'zod';

/** One connection of syncline.yaml: an account at one system. Settings and secrets are checked and defaulted by its provider. */
export interface ConnectionConfig {
  name: string;
  provider: string;
  settings: Record<string, unknown>;
  secrets: Record<string, unknown>;
}

/** Which kinds go from which connections to which. */
export interface Flow {
  kinds: Kind[];
  from: string[];
  to: string[];
}

/** A checked syncline.yaml. */
export interface SynclineConfig {
  connections: Record<string, ConnectionConfig>;
  flows: Flow[];
  /** Per kind and field the one connection whose edits are taken. */
  ownership: Partial<Record<Kind, Record<string, string>>>;
}

/** What the loader must know of a provider to check its connections and flows. */
export interface ProviderSchemas {
  provider: string;
  settings: z.ZodObject;
  secrets: z.ZodObject;
  /** Cannot be a target. */
  readonly: boolean;
  /** Cannot be a source. */
  writesOnly: boolean;
  kinds: Kind[];
}

/** The connections named in some flow's `to`, with the kinds that go there. */
export function targetsOf(config: SynclineConfig): { connection: string; provider: string; kinds: Kind[] }[] {
  const byName = new Map<string, Set<Kind>>();
  for (const flow of config.flows)
    for (const to of flow.to) {
      const set = byName.get(to) ?? new Set();
      for (const k of flow.kinds) set.add(k);
      byName.set(to, set);
    }
  return [...byName].map(([connection, set]) => ({
    connection,
    provider: config.connections[connection]!.provider,
    kinds: kinds.filter((k) => set.has(k)),
  }));
}
