import { type Node, newShape, type Shape, type Sight } from './shape.js';

/** A shape as it is stored: short names, since there are hundreds of fields. */
interface Stored {
  r: StoredNode;
  v: [string, StoredSight][];
  d: number;
}
type StoredSight = [first: number, last: number, count: number, before: number];
interface StoredNode {
  t: [string, StoredSight][];
  n: number;
  p: [first: number, last: number];
  f?: [string, StoredNode][];
  e?: StoredNode;
  m?: 1;
}

/** The JSON text of a shape. */
export function shapeText(shape: Shape): string {
  const stored: Stored = { r: writeNode(shape.root), v: writeSights(shape.versions), d: shape.dropped };
  return JSON.stringify(stored);
}

/** A shape from its JSON, parsed; an empty one from null. */
export function readShape(json: unknown): Shape {
  const shape = newShape();
  if (json === null) return shape;
  const { r, v, d } = json as Stored;
  shape.nodes = 0;
  shape.root = readNode(r, shape);
  shape.versions = readSights(v);
  shape.dropped = d;
  return shape;
}

const writeSights = (sights: Map<string, Sight>): [string, StoredSight][] =>
  [...sights].map(([name, s]) => [name, [s.first, s.last, s.count, s.before]]);

const readSights = (stored: [string, StoredSight][]): Map<string, Sight> =>
  new Map(stored.map(([name, [first, last, count, before]]) => [name, { first, last, count, before }]));

const writeNode = (node: Node): StoredNode => ({
  t: writeSights(node.types),
  n: node.count,
  p: [node.parentFirst, node.parentLast],
  ...(node.fields.size > 0 ? { f: [...node.fields].map(([name, field]) => [name, writeNode(field)]) } : {}),
  ...(node.elements ? { e: writeNode(node.elements) } : {}),
  ...(node.isMap ? { m: 1 as const } : {}),
});

function readNode(stored: StoredNode, shape: Shape): Node {
  shape.nodes++;
  return {
    types: readSights(stored.t),
    count: stored.n,
    parentFirst: stored.p[0],
    parentLast: stored.p[1],
    fields: new Map((stored.f ?? []).map(([name, field]) => [name, readNode(field, shape)])),
    elements: stored.e ? readNode(stored.e, shape) : null,
    isMap: stored.m === 1,
    mark: 0,
  };
}
