// Query cost and its leaky bucket: https://shopify.dev/docs/api/usage/limits
// Shopify publishes the rules, not the exact figures: an object costs 1, a mutation 10, a connection by its page size.
// The square root for page sizes is ours; it stays near the costs real shops report for nested pages.
import { type DocumentNode, Kind, type OperationDefinitionNode, type SelectionSetNode } from 'graphql';
import type { Settings } from '../settings.js';

/** No single query may cost more. */
export const QUERY_COST_MAX = 1_000;
const MUTATION_COST = 10;

type Variables = Record<string, unknown>;

/** The points a document asks for, before it runs. */
export function requestedCost(
  document: DocumentNode,
  operation: OperationDefinitionNode,
  variables: Variables,
): number {
  const fragments = new Map(
    document.definitions.flatMap((node) =>
      node.kind === Kind.FRAGMENT_DEFINITION ? [[node.name.value, node.selectionSet]] : [],
    ),
  );
  const walk = (set: SelectionSetNode | undefined): number => {
    let sum = 0;
    for (const node of set?.selections ?? []) {
      if (node.kind === Kind.INLINE_FRAGMENT) sum += walk(node.selectionSet);
      else if (node.kind === Kind.FRAGMENT_SPREAD) sum += walk(fragments.get(node.name.value));
      else if (node.selectionSet && !FREE.has(node.name.value)) {
        const size = node.arguments?.find(({ name }) => name.value === 'first' || name.value === 'last')?.value;
        const inner = walk(node.selectionSet);
        sum += size ? 1 + Math.ceil(Math.sqrt(numberIn(size, variables))) * Math.max(1, inner) : 1 + inner;
      } else if (node.selectionSet) sum += walk(node.selectionSet);
    }
    return sum;
  };
  return Math.ceil(walk(operation.selectionSet)) + (operation.operation === 'mutation' ? MUTATION_COST : 0);
}

/** Wrappers that are no objects of the shop's, and money, which Shopify does not count. */
const FREE = new Set(['edges', 'nodes', 'pageInfo', 'shopMoney', 'presentmentMoney', 'userErrors']);

const numberIn = (value: { kind: string; value?: unknown; name?: { value: string } }, variables: Variables): number => {
  const raw = value.kind === Kind.VARIABLE ? variables[value.name?.value ?? ''] : value.value;
  const number = Number(raw ?? 1);
  return Number.isFinite(number) ? number : 1;
};

/** The app's bucket of points. */
export interface CostBucket {
  /** Takes the points; false leaves the bucket as it is: the request is throttled. */
  take(points: number): boolean;
  /** Gives back what a query asked for but did not use. */
  giveBack(points: number): void;
  /** Takes everything, so that the next queries are throttled. */
  drain(): void;
  status(): { maximumAvailable: number; currentlyAvailable: number; restoreRate: number };
}

/** A bucket that fills at the settings' rate. */
export function createCostBucket(settings: Settings): CostBucket {
  let level = settings.costMaximum;
  let filledAt = Date.now();
  const fill = (): void => {
    const now = Date.now();
    level = Math.min(settings.costMaximum, level + ((now - filledAt) / 1000) * settings.costRestoreRate);
    filledAt = now;
  };
  return {
    take: (points) => {
      fill();
      if (level < points) return false;
      level -= points;
      return true;
    },
    giveBack: (points) => {
      level = Math.min(settings.costMaximum, level + points);
    },
    drain: () => {
      fill();
      level = 0;
    },
    status: () => {
      fill();
      return {
        maximumAvailable: settings.costMaximum,
        currentlyAvailable: Math.floor(level),
        restoreRate: settings.costRestoreRate,
      };
    },
  };
}

/** Objects in a result: what the query really cost. */
export function actualCost(data: unknown): number {
  if (data === null || typeof data !== 'object') return 0;
  const own = Array.isArray(data) ? 0 : 1;
  return Object.values(data).reduce<number>((sum, value) => sum + actualCost(value), own);
}
