// The list side of the shop: `orders(query:, sortKey:, reverse:, after:)` reads an index that lags behind, reads by id do not.
// Search syntax: https://shopify.dev/docs/api/usage/search-syntax
import type { Order } from './model.js';

/** What a list can be filtered and sorted by, as it stood when the index last heard of the order. */
export interface IndexEntry {
  id: number;
  name: string;
  createdAt: number;
  updatedAt: number;
  tags: readonly string[];
}

export type SortKey = 'UPDATED_AT' | 'CREATED_AT' | 'PROCESSED_AT' | 'ORDER_NUMBER' | 'ID';

export interface OrderIndex {
  /** Notes the order's state; lists show it when the lag has passed since `at` (epoch ms). */
  put(order: Order, at: number): void;
  remove(id: number): void;
  clear(): void;
  /** The entries that match, in order. */
  find(query: string, sortKey: SortKey, reverse: boolean): IndexEntry[];
}

/** A search that the sandbox cannot run; the message names the term. */
export class SearchError extends Error {}

type Test = (entry: IndexEntry) => boolean;

const compare = (operator: string, left: number, right: number): boolean => {
  if (operator === '>=') return left >= right;
  if (operator === '<=') return left <= right;
  if (operator === '>') return left > right;
  if (operator === '<') return left < right;
  return left === right;
};

function timeTest(field: 'createdAt' | 'updatedAt', operator: string, value: string): Test {
  const at = value === 'now' ? Date.now() : Date.parse(value);
  if (Number.isNaN(at)) throw new SearchError(`"${value}" is no time; write it as ISO 8601 in quotes`);
  return (entry) => compare(operator, entry[field], at);
}

/** The tests of one query: terms joined by AND or by a space. */
export function parseQuery(query: string): Test[] {
  const terms = query.match(/(?:[^\s'"]+|'[^']*'|"[^"]*")+/g) ?? [];
  return terms
    .filter((term) => term !== 'AND')
    .map((term) => {
      const match = /^(-?)([a-z_]+):(>=|<=|>|<|)(.*)$/s.exec(term);
      if (!match || match[1] === '-' || term === 'OR') throw new SearchError(`the sandbox cannot search by "${term}"`);
      const operator = match[3]!;
      const value = match[4]!.replace(/^(['"])(.*)\1$/s, '$2');
      switch (match[2]) {
        case 'updated_at':
          return timeTest('updatedAt', operator, value);
        case 'created_at':
        case 'processed_at':
          return timeTest('createdAt', operator, value);
        case 'id':
          return (entry) => compare(operator, entry.id, Number(value.replace(/^.*\//, '')));
        case 'name':
          return (entry) => entry.name === value || entry.name === `#${value}`;
        case 'tag':
          return (entry) => entry.tags.includes(value);
        case 'status':
          if (value === 'any') return () => true;
          throw new SearchError(`the sandbox knows status:any only, not status:${value}`);
        default:
          throw new SearchError(`the sandbox cannot search orders by "${match[2]}"`);
      }
    });
}

const SORT_VALUE: Readonly<Record<SortKey, (entry: IndexEntry) => number>> = {
  UPDATED_AT: (entry) => entry.updatedAt,
  CREATED_AT: (entry) => entry.createdAt,
  PROCESSED_AT: (entry) => entry.createdAt,
  ORDER_NUMBER: (entry) => Number(entry.name.slice(1)),
  ID: (entry) => entry.id,
};

export const sortValue = (entry: IndexEntry, key: SortKey): number => SORT_VALUE[key](entry);

/** An index whose changes show after `lagMs()`. */
export function createOrderIndex(lagMs: () => number): OrderIndex {
  const shown = new Map<number, IndexEntry>();
  const waiting: { entry: IndexEntry; at: number }[] = [];
  const sorted = new Map<SortKey, IndexEntry[]>();

  const show = (entry: IndexEntry): void => {
    shown.set(entry.id, entry);
    sorted.clear();
  };
  const catchUp = (): void => {
    const until = Date.now() - lagMs();
    let due = 0;
    while (due < waiting.length && waiting[due]!.at <= until) show(waiting[due++]!.entry);
    if (due > 0) waiting.splice(0, due);
  };
  const inOrder = (key: SortKey): IndexEntry[] => {
    let list = sorted.get(key);
    if (!list) {
      list = [...shown.values()].sort((a, b) => sortValue(a, key) - sortValue(b, key) || a.id - b.id);
      sorted.set(key, list);
    }
    return list;
  };

  return {
    put: ({ id, name, createdAt, updatedAt, tags }, at) => {
      const entry = { id, name, createdAt, updatedAt, tags: [...tags] };
      if (at === 0) show(entry);
      else waiting.push({ entry, at });
      // Without a reader the queue would grow for ever under load.
      if (waiting.length > 1000) catchUp();
    },
    remove: (id) => {
      for (let at = waiting.length - 1; at >= 0; at--) if (waiting[at]!.entry.id === id) waiting.splice(at, 1);
      if (shown.delete(id)) sorted.clear();
    },
    clear: () => {
      shown.clear();
      sorted.clear();
      waiting.length = 0;
    },
    find: (query, sortKey, reverse) => {
      catchUp();
      const tests = parseQuery(query);
      const hits = inOrder(sortKey).filter((entry) => tests.every((test) => test(entry)));
      return reverse ? hits.reverse() : hits;
    },
  };
}
