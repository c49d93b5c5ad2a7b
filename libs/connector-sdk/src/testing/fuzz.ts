import fc from 'fast-check';

const seedDefault = 20_261_123;

/**
 * How a property is run: from a fixed seed, so that a red run is red again. SYNCLINE_FUZZ_SEED takes another one,
 * SYNCLINE_FUZZ_RUNS multiplies the runs (1,000 is hours). Put `title` into the test's name: it is where the seed is printed.
 */
export function fuzzed(runs: number): { seed: number; numRuns: number; title: string } {
  const seed = Number(process.env.SYNCLINE_FUZZ_SEED ?? seedDefault);
  const numRuns = Math.round(runs * Number(process.env.SYNCLINE_FUZZ_RUNS ?? 1));
  if (!Number.isSafeInteger(seed) || !(numRuns > 0))
    throw new Error('SYNCLINE_FUZZ_SEED must be a whole number, SYNCLINE_FUZZ_RUNS a factor above 0');
  return { seed, numRuns, title: `seed ${seed}, ${numRuns} runs` };
}

/** Milliseconds a fuzzed test may take: as the factor says, and more than a slow machine needs. */
export const fuzzMsMax = (ms: number): number => ms * Math.max(1, Number(process.env.SYNCLINE_FUZZ_RUNS ?? 1));

/** Where a value stands in a JSON value. */
export type Path = (string | number)[];

/** Paths of all nodes of a JSON value, the root's included. */
export function pathsOf(json: unknown, at: Path = []): Path[] {
  if (typeof json !== 'object' || json === null) return [at];
  const entries: [string | number, unknown][] = Array.isArray(json) ? [...json.entries()] : Object.entries(json);
  return [at, ...entries.flatMap(([key, value]) => pathsOf(value, [...at, key]))];
}

/** Stands for a field that is not there. */
export const absent = Symbol('absent');

/** A copy with another value at a path; keys become own ones, `__proto__` too, as JSON.parse makes them. */
export function replaceAt(json: unknown, path: Path, value: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return value === absent ? undefined : value;
  const copy = (Array.isArray(json) ? [...json] : { ...(json as object) }) as Record<string | number, unknown>;
  if (rest.length === 0 && value === absent) {
    delete copy[key];
    return copy;
  }
  const next = replaceAt(copy[key], rest, value);
  if (key === '__proto__')
    Object.defineProperty(copy, key, { value: next, enumerable: true, configurable: true, writable: true });
  else copy[key] = next;
  return copy;
}

const nest = (depth: number, open: string, close: string): unknown =>
  JSON.parse(`${open.repeat(depth)}1${close.repeat(depth)}`);

const prototypes = JSON.parse(
  '[{"__proto__":{"polluted":1}},{"constructor":{"prototype":{"polluted":1}}},{"toString":null,"valueOf":1,"hasOwnProperty":2}]',
) as unknown[];

/** Texts that are too long, no text, or mean something to somebody further on. */
const oddTexts = [
  '',
  ' ',
  '\u0000',
  'a\u0000b',
  '\ud800',
  'x\udfffy',
  '\ufeff',
  'NaN',
  '-0.00',
  '1e5',
  '1e400',
  '12,50',
  '9007199254740993',
  '99999999999999999999.99',
  `${'9'.repeat(400)}.9`,
  'EURO',
  'XXX',
  '__proto__',
  'constructor',
  'hasOwnProperty',
  '2026-13-45T99:00:00Z',
  '+275760-09-13T00:00:00.000Z',
  '-000044-03-15T00:00:00Z',
  '0000-01-01T00:00:00Z',
  '9999-12-31T23:59:59-12:00',
  'gid://shopify/Order/',
  'gid://shopify/Order/12345678901234567890123456',
  'x'.repeat(5_000),
  // Long, and not to be compressed: what an index cannot hold.
  Array.from({ length: 6_000 }, (_, i) => String.fromCharCode(0x4e00 + ((i * 7919) % 20_000))).join(''),
];

/** What hostile, old or broken senders put where a mapper expects something else. */
const strange: fc.Arbitrary<unknown> = fc.oneof(
  { arbitrary: fc.constantFrom<unknown>(absent, null, [], {}, [null], [[]], true, false), weight: 3 },
  fc.constantFrom<unknown>(0, -1, 0.1, -0, 2 ** 53 - 1, 2 ** 60, -(2 ** 63), 1e308, Number.MAX_VALUE),
  { arbitrary: fc.constantFrom<unknown>(...oddTexts), weight: 3 },
  fc.constantFrom<unknown>(...prototypes),
  fc.constantFrom<unknown>(nest(60, '[', ']'), nest(3_000, '[', ']'), nest(3_000, '{"a":', '}')),
  fc.string({ unit: 'binary' }),
  fc.integer(),
  fc.double(),
  fc.jsonValue({ maxDepth: 3 }),
);

const strangeKeys = ['__proto__', 'constructor', 'prototype', 'a\u0000', '\udc00', '', 'length', 'toJSON', 'then'];

/** What may be done to one node: another value in its place, a strange key beside its own, or many of it. */
type Change = { at: number } & ({ value: unknown } | { key: string; value: unknown } | { times: number });

function changed(json: unknown, path: Path, change: Change): unknown {
  const reached = path.reduce<unknown>((node, key) => (node as Record<string, unknown> | null)?.[key], json);
  const parent = path
    .slice(0, -1)
    .reduce<unknown>((node, key) => (node as Record<string, unknown> | null)?.[key], json);
  if (path.length > 0 && (typeof parent !== 'object' || parent === null)) return json;
  if ('times' in change)
    return Array.isArray(reached)
      ? replaceAt(
          json,
          path,
          Array.from({ length: change.times }, (_, i) => reached[i % Math.max(1, reached.length)]),
        )
      : json;
  if ('key' in change)
    return typeof reached === 'object' && reached !== null && !Array.isArray(reached)
      ? replaceAt(json, [...path, change.key], change.value)
      : json;
  return replaceAt(json, path, change.value);
}

/** Broken copies of JSON bodies: one to four changes each. */
export function broken(bodies: readonly unknown[]): fc.Arbitrary<unknown> {
  // Fields near the root decide most; a body has ten times as many below.
  const known = bodies.map((body) => {
    const paths = pathsOf(body);
    return { body, paths, near: paths.filter((path) => path.length <= 2) };
  });
  const at = fc.nat();
  const change: fc.Arbitrary<Change> = fc.oneof(
    { arbitrary: fc.record({ at, value: strange }), weight: 8 },
    { arbitrary: fc.record({ at, key: fc.constantFrom(...strangeKeys), value: strange }), weight: 2 },
    { arbitrary: fc.record({ at, times: fc.constantFrom(0, 2, 300) }), weight: 1 },
  );
  return fc
    .tuple(fc.nat({ max: known.length - 1 }), fc.array(change, { minLength: 1, maxLength: 4 }))
    .map(([which, changes]) => {
      const { body, paths, near } = known[which] as (typeof known)[number];
      return changes.reduce<unknown>((json, one) => {
        const from = one.at % 2 === 0 ? near : paths;
        return changed(json, from[Math.floor(one.at / 2) % from.length] ?? [], one);
      }, body);
    });
}

/** The path of the first text, also of a key, that PostgreSQL refuses; null where there is none. */
export function refusedText(value: unknown, path = '$'): string | null {
  const bad = (text: string) => text.includes('\u0000') || !text.isWellFormed();
  if (typeof value === 'string') return bad(value) ? path : null;
  if (typeof value !== 'object' || value === null) return null;
  for (const [key, inner] of Object.entries(value)) {
    if (bad(key)) return `${path}.${JSON.stringify(key)}`;
    const found = refusedText(inner, `${path}.${key}`);
    if (found !== null) return found;
  }
  return null;
}

/** Throws where something gave every object a property. */
export function checkUnpolluted(): void {
  for (const name in {}) throw new Error(`every object has a property ${name}`);
  if ('polluted' in {}) throw new Error('every object has a property polluted');
}
