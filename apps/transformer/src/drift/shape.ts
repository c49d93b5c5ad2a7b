// What messages of one type look like: which fields they have, of which types, since when. Paths and counts only, never a value.

/** The types of JSON values. */
export type JsonType = 'null' | 'boolean' | 'number' | 'string' | 'object' | 'array';

/** When something was seen, in milliseconds since the epoch, and in how many messages. */
export interface Sight {
  first: number;
  last: number;
  count: number;
  /** Messages that had the field before this was first seen in it. */
  before: number;
}

/** One field, or the elements of a list. */
export interface Node {
  types: Map<string, Sight>;
  /** Messages it was in. */
  count: number;
  /** Messages its parent object had been in when it was first seen, and when it was last seen. */
  parentFirst: number;
  parentLast: number;
  fields: Map<string, Node>;
  elements: Node | null;
  /** Its keys are data (ids, dates): all of them are one field, `*`. */
  isMap: boolean;
  /** The message that was counted last. */
  mark: number;
}

/** What is known of the messages of one type. */
export interface Shape {
  root: Node;
  /** Versions of the provider's API that messages named. */
  versions: Map<string, Sight>;
  /** Fields in it, and sightings that found no room. */
  nodes: number;
  dropped: number;
}

/** Fields a shape holds at most: Shopify's order has about 600. */
export const nodesMax = 2_000;
const depthMax = 12;
/** Elements of a list that are looked at: they are alike, and the next message shows others. */
const elementsMax = 8;
/** Values of one message that are looked at. */
const visitsMax = 5_000;
const versionsMax = 16;
/** An object with so many keys is a map; with a third of them where most come seldom. */
const keysMax = 192;

/** Stands for every key that is data. */
export const anyKey = '*';
/** A name that a programmer gave: no spaces, no addresses, no ids. Everything else may be data, also of persons. */
const nameLike = /^[@$_A-Za-z][\w-]{0,47}$/;
const versionLike = /^[\w.-]{1,32}$/;
const idLike = /\d{4}|[0-9a-f]{12}/i;

const newNode = (parentFirst = 0): Node => ({
  types: new Map(),
  count: 0,
  parentFirst,
  parentLast: parentFirst,
  fields: new Map(),
  elements: null,
  isMap: false,
  mark: 0,
});

export const newShape = (): Shape => ({ root: newNode(), versions: new Map(), nodes: 1, dropped: 0 });

/** Messages in which a field was an object. */
export const timesObject = (node: Node): number => node.types.get('object')?.count ?? 0;

const typeOf = (value: unknown): JsonType =>
  value === null ? 'null' : Array.isArray(value) ? 'array' : (typeof value as JsonType);

/** Adds one message to a shape; `at` is its time in milliseconds since the epoch. */
export function addMessage(shape: Shape, message: unknown, at: number, version: string | null): void {
  if (
    version !== null &&
    versionLike.test(version) &&
    (shape.versions.has(version) || shape.versions.size < versionsMax)
  )
    see(shape.versions, version, at, shape.root.count);
  const mark = shape.root.count + 1;
  let visits = 0;
  const visit = (node: Node, value: unknown, depth: number): void => {
    if (++visits > visitsMax) return;
    const first = node.mark !== mark;
    const type = typeOf(value);
    // Of a list's elements several may be alike: a message counts once.
    if (first || (node.types.get(type)?.last ?? 0) < at || !node.types.has(type)) see(node.types, type, at, node.count);
    if (first) {
      node.count++;
      node.mark = mark;
    }
    if (depth >= depthMax) return;
    if (type === 'array') {
      const list = value as unknown[];
      if (list.length > 0) node.elements ??= room(shape) ? newNode() : null;
      for (let i = 0; i < list.length && i < elementsMax && node.elements; i++)
        visit(node.elements, list[i], depth + 1);
    } else if (type === 'object') {
      for (const key in value as object) {
        const field = fieldOf(shape, node, key);
        if (field === null) continue;
        field.parentLast = timesObject(node);
        visit(field, (value as Record<string, unknown>)[key], depth + 1);
      }
    }
  };
  visit(shape.root, message, 0);
}

function see(sights: Map<string, Sight>, name: string, at: number, before: number): void {
  const sight = sights.get(name);
  if (sight === undefined) sights.set(name, { first: at, last: at, count: 1, before });
  else {
    sight.count++;
    if (at > sight.last) sight.last = at;
    else if (at < sight.first) sight.first = at;
  }
}

function room(shape: Shape): boolean {
  if (shape.nodes >= nodesMax) {
    shape.dropped++;
    return false;
  }
  shape.nodes++;
  return true;
}

function fieldOf(shape: Shape, node: Node, key: string): Node | null {
  const name = node.isMap || !nameLike.test(key) || idLike.test(key) ? anyKey : key;
  const known = node.fields.get(name);
  if (known !== undefined) return known;
  if (!room(shape)) return null;
  const made = newNode(Math.max(0, timesObject(node) - 1));
  node.fields.set(name, made);
  if (!looksLikeMap(node)) return made;
  foldToMap(shape, node);
  return node.fields.get(anyKey) as Node;
}

function looksLikeMap(node: Node): boolean {
  const { size } = node.fields;
  if (size > keysMax) return true;
  const times = timesObject(node);
  if (size <= keysMax / 3 || times < 20) return false;
  let seldom = 0;
  for (const field of node.fields.values()) if (field.count * 10 < times) seldom++;
  return seldom * 2 > size;
}

/** Puts all fields of an object that turned out to be a map into one. */
function foldToMap(shape: Shape, node: Node): void {
  const all = newNode();
  for (const field of node.fields.values()) absorb(all, field, 0);
  node.fields = new Map([[anyKey, all]]);
  node.isMap = true;
  shape.nodes = sizeOf(shape.root);
}

const sizeOf = (node: Node): number => {
  let size = 1 + (node.elements ? sizeOf(node.elements) : 0);
  for (const field of node.fields.values()) size += sizeOf(field);
  return size;
};

/** Adds what another process, or a later time, saw of the same messages. */
export function addShape(into: Shape, from: Shape): void {
  for (const [version, sight] of from.versions) addSight(into.versions, version, sight, into.root.count);
  absorb(into.root, from.root, 0);
  into.dropped += from.dropped;
  trim(into);
}

function addSight(into: Map<string, Sight>, name: string, from: Sight, before: number): void {
  const known = into.get(name);
  if (known === undefined) into.set(name, { ...from, before: before + from.before });
  else {
    known.count += from.count;
    known.first = Math.min(known.first, from.first);
    known.last = Math.max(known.last, from.last);
  }
}

/** `parentBefore`: messages that `into`'s parent object had been in before those that `from` knows of. */
function absorb(into: Node, from: Node, parentBefore: number): void {
  const fresh = into.count === 0;
  const objectsBefore = timesObject(into);
  for (const [type, sight] of from.types) addSight(into.types, type, sight, into.count);
  if (fresh) into.parentFirst = parentBefore + from.parentFirst;
  into.parentLast = Math.max(into.parentLast, parentBefore + from.parentLast);
  into.count += from.count;
  if (from.elements) {
    into.elements ??= newNode();
    absorb(into.elements, from.elements, 0);
  }
  if (from.isMap && !into.isMap) {
    const all = newNode();
    for (const field of into.fields.values()) absorb(all, field, 0);
    into.fields = all.count > 0 ? new Map([[anyKey, all]]) : new Map();
    into.isMap = true;
  }
  for (const [key, field] of from.fields) {
    const name = into.isMap ? anyKey : key;
    let known = into.fields.get(name);
    if (known === undefined) {
      known = newNode();
      into.fields.set(name, known);
    }
    absorb(known, field, objectsBefore);
  }
}

/** Holds a shape that grew by another to its bounds. */
function trim(shape: Shape): void {
  const fold = (node: Node): void => {
    if (!node.isMap && looksLikeMap(node)) foldToMap(shape, node);
    for (const field of node.fields.values()) fold(field);
    if (node.elements) fold(node.elements);
  };
  fold(shape.root);
  shape.nodes = sizeOf(shape.root);
  const cut = (node: Node): void => {
    for (const [key, field] of [...node.fields].reverse()) {
      if (shape.nodes <= nodesMax) return;
      const size = sizeOf(field);
      if (shape.nodes - size >= nodesMax || size === 1) {
        node.fields.delete(key);
        shape.nodes -= size;
        shape.dropped += size;
      } else cut(field);
    }
    if (node.elements) cut(node.elements);
  };
  cut(shape.root);
}
