import type { Connector, ObjectTarget } from '@syncline/connector-sdk';
import type { CanonicalRecord, Kind } from '@syncline/contracts';
import type { SynclineConfig } from '@syncline/runtime';
import {
  allRules,
  connectionOf,
  type MergeContext,
  type MergeState,
  nounOf,
  type Policy,
  type SourceKey,
  sourceKey,
} from './merge/state.js';

/** An object target of a kind at one connection, under the source key its objects have. */
interface Writable {
  connection: string;
  key: SourceKey;
  spec: ObjectTarget;
  /** Connections whose records a flow takes there. */
  from: ReadonlySet<string>;
}

/** What syncline.yaml and the connectors say together: who may write what where, and how names resolve. */
export interface Topology {
  connectorOf(connection: string): Connector | undefined;
  context(kind: Kind): MergeContext;
  /** The noun of the object that stands for a kind at a connection (an order's is `order`); null where it has none. */
  nounFor(connection: string, kind: Kind): string | null;
  /** The one connection whose names a reference of this connection can mean; null where there is none or more than one. */
  namesFor(connection: string, kind: Kind): string | null;
}

/** Builds the topology of an installation. */
export function createTopology(config: SynclineConfig, connectors: Readonly<Record<string, Connector>>): Topology {
  const connectorOf = (connection: string) => connectors[config.connections[connection]?.provider ?? ''];
  const contexts = new Map<Kind, MergeContext>();
  const nounFor = (connection: string, kind: Kind) => {
    const objects = Object.entries(connectorOf(connection)?.objects ?? {});
    return objects.find(([, o]) => o.kind === kind)?.[0] ?? null;
  };
  return {
    connectorOf,
    nounFor,
    context: (kind) => {
      let ctx = contexts.get(kind);
      if (!ctx) {
        ctx = { rules: allRules, policy: policyOf(config, connectorOf, kind) };
        contexts.set(kind, ctx);
      }
      return ctx;
    },
    namesFor: (connection, kind) => {
      const partners = new Set(
        config.flows
          .flatMap((f) => (f.from.includes(connection) ? f.to : f.to.includes(connection) ? f.from : []))
          .filter((c) => c !== connection && nounFor(c, kind) !== null),
      );
      return partners.size === 1 ? ([...partners][0] as string) : null;
    },
  };
}

function policyOf(config: SynclineConfig, connectorOf: Topology['connectorOf'], kind: Kind): Policy {
  const writable = new Map<SourceKey, Writable>();
  for (const flow of config.flows.filter((f) => f.kinds.includes(kind))) {
    for (const connection of flow.to) {
      const spec = connectorOf(connection)?.targets?.[kind];
      if (spec?.shape !== 'objects') continue;
      const key = sourceKey(connection, spec.noun);
      const from = new Set([...(writable.get(key)?.from ?? []), ...flow.from]);
      writable.set(key, { connection, key, spec, from });
    }
  }
  const owners = config.ownership[kind] ?? {};
  return {
    owner: (field) => owners[field],
    writable: (source) => writable.get(source)?.spec.updates ?? [],
    normalise: (source, field, value) => {
      const normalise = writable.get(source)?.spec.normalise;
      return normalise ? normalise(field, value) : value;
    },
    conditional: () => false,
    creatable: (state) => {
      const wanted = new Map<SourceKey, readonly string[]>();
      for (const w of writable.values()) {
        if (w.spec.creates.length === 0 || state.snapshots.has(w.key) || !fedBy(state, w.from)) continue;
        if (w.spec.applies(recordView(kind, state)) === true) wanted.set(w.key, w.spec.creates);
      }
      return wanted;
    },
  };
}

const fedBy = (state: MergeState, from: ReadonlySet<string>): boolean => {
  for (const source of state.snapshots.keys()) if (from.has(connectionOf(source))) return true;
  return false;
};

/** The record as a target's `applies` sees it. Ids and revision play no part in whether a record belongs somewhere. */
function recordView(kind: Kind, state: MergeState): CanonicalRecord {
  const data = Object.fromEntries(Object.entries(state.fields).map(([f, x]) => [f, x.value]));
  const sources = [...state.snapshots].map(([source, s]) => ({
    connection: connectionOf(source),
    noun: nounOf(source),
    externalId: s.externalId,
    deleted: s.deleted,
    seen: s.version,
    behind: [],
    native: s.native,
  }));
  return { id: '', kind, revision: 0, changedAt: '', data, sources, provenance: [] } as CanonicalRecord;
}
