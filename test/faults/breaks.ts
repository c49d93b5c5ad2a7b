// The deliberate breaks: for each promise what a careless change would do to it, and the faults under which that shows.
import { drawChanges, type Fault, type Plan } from './plan.js';
import { dice } from './trade.js';

/** A replacement in a built file; the text must be there exactly once. */
export interface Edit {
  /** From the checkout's root. */
  file: string;
  find: string;
  replace: string;
}

/** A break of one promise. */
export interface Mutant {
  promise: number;
  /** What was broken. */
  what: string;
  edits: readonly Edit[];
  faults: readonly Fault[];
  /** How long changes are made, and how many orders there are. */
  ms: number;
  orders: number;
  /** How long everything may take to agree after that. */
  quietMsMax: number;
}

const usual = { ms: 10_000, orders: 60, quietMsMax: 30_000, faults: [] as Fault[] };

/** One or more for every promise. */
export const mutants: readonly Mutant[] = [
  {
    ...usual,
    promise: 1,
    what: 'a webhook is answered before its message is durable',
    edits: [
      {
        file: 'libs/ingestion/dist/webhook.js',
        find: 'await bounded(sending, deps, served.name);',
        replace: 'bounded(sending, deps, served.name).catch(() => undefined);',
      },
    ],
    faults: [{ atMs: 2_000, do: 'link', to: 'kafka', how: 'requests lost', ms: 8_000, latencyMs: 0 }],
  },
  {
    ...usual,
    promise: 2,
    what: 'a cursor moves on before the page is durable',
    edits: [
      {
        file: 'libs/ingestion/dist/poll.js',
        find: 'await publishPage(job, page, cursor.watermark === null, result);',
        replace: 'publishPage(job, page, cursor.watermark === null, result).catch(() => undefined);',
      },
    ],
    ms: 8_000,
    faults: [
      { atMs: 0, do: 'webhooks', trouble: { off: true }, ms: 18_000 },
      { atMs: 1_500, do: 'link', to: 'kafka', how: 'requests lost', ms: 16_000, latencyMs: 0 },
    ],
  },
  {
    ...usual,
    promise: 3,
    what: 'a batch that could not be written is taken for done',
    edits: [{ file: 'libs/delivery/dist/batch-target.js', find: 'throw runtime.lastFailure;', replace: '' }],
    orders: 100,
    faults: [{ atMs: 1_000, do: 'link', to: 'warehouse', how: 'reset', ms: 9_500, latencyMs: 0 }],
  },
  {
    ...usual,
    promise: 4,
    what: 'a writer writes whatever revision comes',
    edits: [
      {
        file: 'libs/warehouse/dist/statements.js',
        // biome-ignore lint/suspicious/noTemplateCurlyInString: text of a program
        find: "${names.map((name) => `${name} = EXCLUDED.${name}`).join(', ')}\n    WHERE EXCLUDED.revision > t.revision`",
        // biome-ignore lint/suspicious/noTemplateCurlyInString: text of a program
        replace: "${names.map((name) => `${name} = EXCLUDED.${name}`).join(', ')}`",
      },
      {
        file: 'libs/delivery/dist/batch-target.js',
        find: 'e.envelope.revision > (delivered.get(e.envelope.id) ?? 0)',
        replace: 'true',
      },
    ],
    // Written at the warehouse and not noted as such: the batch is given again.
    orders: 150,
    faults: [{ atMs: 500, do: 'link', to: 'postgres', how: 'reset', ms: 10_000, latencyMs: 0 }],
  },
  {
    ...usual,
    promise: 5,
    what: 'no pending row and no look before a create',
    edits: [
      {
        file: 'libs/delivery/dist/decide.js',
        find: 'pendingCreate: true, tries',
        replace: 'pendingCreate: false, tries',
      },
      {
        file: 'libs/delivery/dist/decide.js',
        find: "if (held === 'unread')\n        return { do: 'find', delivery: state };\n    // Somebody",
        replace: '// Somebody',
      },
    ],
    ms: 12_000,
    // Neither a webhook nor a poll may tell that the tracker is there: then only the look before the next create can.
    faults: [
      { atMs: 0, do: 'webhooks', trouble: { target: 'carrier', off: true }, ms: 12_000 },
      { atMs: 0, do: 'provider', target: 'carrier', mode: '5xx', rate: 1, ms: 12_000, match: 'GET /v2/trackers' },
      {
        atMs: 0,
        do: 'provider',
        target: 'carrier',
        mode: 'lost-reply',
        rate: 0.6,
        ms: 12_000,
        match: 'POST /v2/trackers',
      },
    ],
  },
  {
    ...usual,
    promise: 6,
    what: 'a message that cannot be mapped fails its batch',
    edits: [
      {
        file: 'apps/transformer/dist/lanes.js',
        find: 'outcomes.push(asSyncError(thrown));',
        replace: 'throw thrown;',
      },
    ],
    faults: [{ atMs: 1_000, do: 'poison', count: 3 }],
  },
  {
    ...usual,
    promise: 7,
    what: 'a writer says again what the target has',
    edits: [
      { file: 'libs/delivery/dist/decide.js', find: 'event.source?.behind.length === 0', replace: 'false' },
      {
        file: 'libs/delivery/dist/decide.js',
        find: 'source.behind.filter((f) => form.updates.includes(f))',
        replace: '[...form.updates]',
      },
      {
        file: 'libs/delivery/dist/decide.js',
        find: 'return !isDeepStrictEqual(has, want) &&',
        replace: 'return true ||',
      },
    ],
  },
  {
    ...usual,
    promise: 8,
    what: 'events are published after the commit, and never again',
    edits: [
      {
        file: 'apps/transformer/dist/lanes.js',
        find: 'await sendEvents(kafka, events);\n                await tx.commit();',
        replace: 'await tx.commit();\n                await sendEvents(kafka, events);',
      },
      {
        file: 'apps/transformer/dist/lanes.js',
        find: 'lane.redo = { below: last.next, aside: last.aside };',
        replace: 'lane.redo = null;',
      },
    ],
    ms: 12_000,
    orders: 100,
    // One reset at a time: between two of them transactions must get far enough to fail where it matters.
    faults: [
      { atMs: 1_000, do: 'link', to: 'kafka', how: 'latency', ms: 11_000, latencyMs: 60 },
      ...[3_000, 5_500, 8_000, 10_500].map(
        (atMs): Fault => ({ atMs, do: 'link', to: 'kafka', how: 'reset', ms: 500, latencyMs: 0 }),
      ),
    ],
  },
  {
    ...usual,
    promise: 9,
    what: 'a message is taken whatever state was seen before it',
    edits: [
      {
        file: 'apps/transformer/dist/merge/compare.js',
        find: 'return m.version < snapshot.version;',
        replace: 'return false;',
      },
    ],
    faults: [{ atMs: 0, do: 'webhooks', trouble: { duplicate: 0.7, reorderMs: 4_000 }, ms: 10_000 }],
  },
  {
    ...usual,
    promise: 10,
    what: 'a read that fails is taken for "not there", and that for deleted',
    edits: [
      {
        file: 'libs/delivery/dist/deliver.js',
        find: 'const then = await attempt.fail(state, thrown, false, ++conflicts);',
        replace:
          "if (action.do === 'read') {\n held = null;\n continue;\n}\nconst then = await attempt.fail(state, thrown, false, ++conflicts);",
      },
      {
        file: 'apps/transformer/dist/merge/answer.js',
        find: "if (!observed || r.outcome === 'gone') {",
        replace:
          "if (r.outcome === 'gone' && state.snapshots.get(source)) {\n state.snapshots.get(source).deleted = true;\n return true;\n}\nif (!observed || r.outcome === 'gone') {",
      },
    ],
    orders: 90,
    faults: [{ atMs: 2_000, do: 'provider', target: 'shop', mode: '5xx', rate: 0.7, ms: 8_000, match: 'query' }],
  },
  {
    ...usual,
    promise: 11,
    what: 'a webhook is logged with what it says',
    edits: [
      {
        file: 'libs/ingestion/dist/webhook.js',
        find: 'const { text, value } = parseJson(request.body);',
        replace: "const { text, value } = parseJson(request.body);\ndeps.log.info({ text }, 'a webhook came');",
      },
    ],
  },
  {
    ...usual,
    promise: 12,
    what: 'a canonical event leaves its trace behind',
    edits: [{ file: 'apps/transformer/dist/batch.js', find: '            ...span,\n', replace: '' }],
  },
];

/** The run in which a mutant must show. */
export function planOf(mutant: Mutant, index: number): Plan {
  const seed = 900_000 + index;
  const changes = drawChanges(dice(seed), seed, mutant.orders, mutant.ms);
  return { seed, brokers: 1, ms: mutant.ms, changes, faults: [...mutant.faults] };
}
