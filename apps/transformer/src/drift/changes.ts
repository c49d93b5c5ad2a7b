import { anyKey, type Node, type Shape, type Sight, timesObject } from './shape.js';

/** One difference between what messages looked like and what they look like now. */
export interface Change {
  change: 'appeared' | 'vanished' | 'retyped' | 'version';
  /** `line_items[].price`, `*` for keys that are data; the version itself for a version of the API. */
  path: string;
  /** Types it had before: of a vanished field the last ones, of a retyped one those before. */
  from: string[];
  /** Types it has since: of an appeared or retyped field. */
  to: string[];
  /** First seen, for what vanished last seen; milliseconds since the epoch. */
  since: number;
  /** Messages that show it: with the new field, type or version, or without what vanished. */
  messages: number;
}

/** Messages after which what an object has is known: what comes later for the first time is news. */
export const learnedAfter = 20;
/** What vanished would by chance have come so often in the messages since: e^-10 is 1 in 20,000. */
const expectedMin = 10;

/** What changed in a shape, by path. Fields below a field that appeared or vanished are not told besides. */
export function changesOf(shape: Shape): Change[] {
  const changes: Change[] = [];
  for (const [version, sight] of shape.versions)
    if (sight.before > 0) changes.push(change('version', version, { to: [], sight }));
  const visit = (node: Node, path: string): void => {
    changes.push(...retyped(node, path));
    const times = timesObject(node);
    for (const [name, field] of node.fields) {
      const at = path === '' ? name : `${path}.${name}`;
      if (name !== anyKey) changes.push(...cameOrWent(field, at, times));
      visit(field, at);
    }
    if (node.elements) visit(node.elements, `${path}[]`);
  };
  visit(shape.root, '');
  return changes;
}

const change = (
  kind: Change['change'],
  path: string,
  { from = [], to, sight }: { from?: string[]; to: string[]; sight: Sight },
): Change => ({ change: kind, path, from, to, since: sight.first, messages: sight.count });

function cameOrWent(field: Node, path: string, parentTimes: number): Change[] {
  const sights = [...field.types.values()];
  const first = Math.min(...sights.map((s) => s.first));
  const last = Math.max(...sights.map((s) => s.last));
  const out: Change[] = [];
  if (field.parentFirst >= learnedAfter)
    out.push({ change: 'appeared', path, from: [], to: typesOf(field), since: first, messages: field.count });
  const without = parentTimes - field.parentLast;
  // How often it came while it did.
  const share = Math.min(1, field.count / Math.max(1, field.parentLast - field.parentFirst));
  if (without >= learnedAfter && without * share >= expectedMin)
    out.push({ change: 'vanished', path, from: typesOf(field), to: [], since: last, messages: without });
  return out;
}

/** A type that came after others were known. That a field is null, or not any more, is no change of its type. */
function retyped(node: Node, path: string): Change[] {
  const types = [...node.types].filter(([type]) => type !== 'null').sort((a, b) => a[1].before - b[1].before);
  return types.flatMap(([type, sight], i) =>
    i > 0 && sight.before >= learnedAfter
      ? [change('retyped', path, { from: types.slice(0, i).map(([t]) => t), to: [type], sight })]
      : [],
  );
}

const typesOf = (field: Node): string[] => [...field.types.keys()].sort();
