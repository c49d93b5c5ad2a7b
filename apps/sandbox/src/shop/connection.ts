// Cursor pages: https://shopify.dev/docs/api/usage/pagination-graphql
import { GraphQLError } from 'graphql';

/** The paging arguments of every connection. */
export interface PageArgs {
  first?: number | null;
  after?: string | null;
  last?: number | null;
  before?: string | null;
  reverse?: boolean | null;
}

/** Where an item stands in its list: a value it is sorted by, and its id where values tie. */
export interface Position {
  value: number;
  id: number;
}

const PAGE_MAX = 250;

const encode = ({ id, value }: Position): string =>
  Buffer.from(JSON.stringify({ last_id: id, last_value: value })).toString('base64');

function decode(cursor: string): Position {
  try {
    const { last_id: id, last_value: value } = JSON.parse(Buffer.from(cursor, 'base64').toString('utf8'));
    if (typeof id === 'number' && typeof value === 'number') return { id, value };
  } catch {
    // Falls through to the one message for every bad cursor.
  }
  throw new GraphQLError(`Invalid cursor for current pagination sort.`, { extensions: { code: 'INVALID_CURSOR' } });
}

function checkArgs({ first, last }: PageArgs): void {
  if ((first ?? null) === null && (last ?? null) === null) {
    throw new GraphQLError('you must provide one of first or last', { extensions: { code: 'BAD_REQUEST' } });
  }
  for (const size of [first, last]) {
    if (typeof size === 'number' && (size < 0 || size > PAGE_MAX)) {
      throw new GraphQLError(`page size must be between 0 and ${PAGE_MAX}`, { extensions: { code: 'BAD_REQUEST' } });
    }
  }
}

/** One page of an ordered list; positions rise along it, or fall with `descending`. */
export function connection<T, N>(
  items: readonly T[],
  args: PageArgs,
  positionOf: (item: T) => Position,
  nodeOf: (item: T) => N,
  descending = false,
) {
  checkArgs(args);
  const sign = descending ? -1 : 1;
  const side = (item: T, mark: Position): number => {
    const at = positionOf(item);
    return sign * (at.value - mark.value || at.id - mark.id);
  };
  const after = args.after ? decode(args.after) : undefined;
  const before = args.before ? decode(args.before) : undefined;
  const rest = items.filter((item) => (!after || side(item, after) > 0) && (!before || side(item, before) < 0));
  const start = args.last && !args.first ? Math.max(0, rest.length - args.last) : 0;
  const page = rest.slice(start, args.first ? start + args.first : undefined);
  const cursors = page.map((item) => encode(positionOf(item)));
  const nodes = page.map(nodeOf);
  return {
    nodes,
    edges: nodes.map((node, at) => ({ node, cursor: cursors[at]! })),
    pageInfo: {
      hasNextPage: start + page.length < rest.length || before !== undefined,
      hasPreviousPage: start > 0 || after !== undefined,
      startCursor: cursors[0] ?? null,
      endCursor: cursors.at(-1) ?? null,
    },
  };
}

/** A page of a short list that stands inside an object, in its stored order. */
export function listConnection<T extends { id: number }, N>(
  items: readonly T[],
  args: PageArgs,
  nodeOf: (item: T) => N,
) {
  const positions = new Map(items.map((item, at) => [item, at]));
  const list = args.reverse ? [...items].reverse() : items;
  return connection(
    list,
    args,
    (item) => ({ value: positions.get(item)!, id: item.id }),
    nodeOf,
    args.reverse === true,
  );
}
