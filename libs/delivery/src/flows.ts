import type { Connector } from '@syncline/connector-sdk';
import { canonicalTopic, type Kind, kinds } from '@syncline/contracts';
import type { Flow } from '@syncline/runtime';

/** Whether the flows send records to a target; known from an event's headers alone. */
export type WantedBy = (kind: string, connections: readonly string[]) => boolean;

/**
 * The rule of one target: a record belongs there if some flow takes its kind there from a connection that holds or ever held
 * it. A connection is no source of its own target.
 */
export function wantedBy(flows: readonly Flow[], target: string): WantedBy {
  const sources = new Map(Object.entries(takenBy(flows, target)).map(([kind, from]) => [kind, new Set(from)]));
  return (kind, connections) => {
    const from = sources.get(kind);
    return from !== undefined && connections.some((c) => from.has(c));
  };
}

/** The connections whose records of each kind the flows take to a target. */
export function takenBy(flows: readonly Flow[], target: string): Record<string, string[]> {
  const taken: Record<string, string[]> = {};
  for (const flow of flows)
    if (flow.to.includes(target))
      for (const kind of flow.kinds) {
        const others = flow.from.filter((connection) => connection !== target);
        taken[kind] = [...new Set([...(taken[kind] ?? []), ...others])];
      }
  return taken;
}

/** The kind a reference field names: `orderId` holds the id of an order. Null for a field that is no reference. */
export function kindOfReference(field: string): Kind | null {
  return kinds.find((k) => field === `${k}Id`) ?? null;
}

/**
 * Kinds that writes of the given kinds refer to, with the noun whose external id stands for them at the target. Throws a
 * sentence for the connector's author where a need is no reference or the provider has no object of that kind.
 */
export function linkedKinds(connector: Connector, kindsWritten: readonly Kind[]): Map<Kind, string> {
  const out = new Map<Kind, string>();
  for (const kind of kindsWritten) {
    const spec = connector.targets?.[kind];
    if (spec?.shape !== 'objects') continue;
    for (const field of spec.needs) {
      const refers = kindOfReference(field);
      const target = refers === null ? undefined : connector.targets?.[refers];
      const noun =
        target?.shape === 'objects'
          ? target.noun
          : Object.entries(connector.objects).find(([, object]) => object.kind === refers)?.[0];
      if (refers === null || noun === undefined)
        throw new Error(`${connector.provider} needs ${field} for a ${kind}, but has no object that it could refer to`);
      out.set(refers, noun);
    }
  }
  return out;
}

/** The canonical topics a writer reads: those of its flows and those of the kinds its writes refer to. */
export function topicsRead(written: readonly Kind[], linked: Iterable<Kind> = []): string[] {
  const all = new Set<Kind>([...written, ...linked]);
  return kinds.filter((k) => all.has(k)).map(canonicalTopic);
}
