import { header, headerText, type Observation, rawTopic, SyncError } from '@syncline/contracts';
import { type InboundRecord, type KafkaSettings, readTopic, type TopicMessage } from '@syncline/messaging';
import type { Db, Store } from '@syncline/store';
import { type Attempt, apply } from './apply.js';
import { decode, type ObservationStep, type Step } from './decode.js';
import { type Entries, type Entry, lockEntries } from './entries.js';
import { superseded } from './merge/compare.js';
import { equal } from './merge/equal.js';
import { snapshotOf } from './merge/observe.js';
import type { Topology } from './topology.js';

/** What replaying raw messages needs. */
export interface RawReplayDeps {
  kafka: KafkaSettings;
  store: Store;
  topology: Topology;
  send(message: TopicMessage): Promise<void>;
}

/** Which raw messages: those of one connection's objects of one noun, from an offset of every partition or from a time on. */
export interface RawSelection {
  connection: string;
  noun: string;
  from: { offset: bigint } | { timeMs: number };
}

/** What was found in the topic. */
export interface RawFound {
  topic: string;
  /** Messages of that connection from there on. */
  messages: number;
  /** Objects they are about: of each its newest state is replayed. */
  objects: number;
  /** Messages that still cannot be mapped; they are left alone. */
  unmappable: number;
}

/** What a replay would change, in records; `fields` by kind and canonical field. */
export interface RawDifference extends RawFound {
  records: number;
  /** Records there are not yet. */
  added: number;
  fields: Record<string, Record<string, number>>;
  /** Canonical ids of some that would change. */
  examples: string[];
}

const chunk = 50;
const examplesMax = 5;

/** The newest state of an object among the messages read, and where it stands. */
interface Chosen {
  at: string;
  state: Observation;
}

const placeOf = (record: InboundRecord): string => `${record.partition}/${record.offset}`;
const withoutFields = (o: Observation): Observation => ({ ...o, fields: {}, native: {}, keys: [], refs: [] });

/**
 * Finds, of each object, the message with its newest state: the states before it were overtaken when they first came. Holds
 * a place and a version per object, not the messages.
 */
async function choose(deps: RawReplayDeps, which: RawSelection): Promise<{ found: RawFound; places: Set<string> }> {
  const provider = deps.topology.connectorOf(which.connection)?.provider;
  if (!provider) throw new SyncError('rejected', `syncline.yaml has no connection ${JSON.stringify(which.connection)}`);
  const found: RawFound = { topic: rawTopic(provider, which.noun), messages: 0, objects: 0, unmappable: 0 };
  const chosen = new Map<string, Chosen>();
  for await (const record of messagesOf(deps.kafka, found.topic, which)) {
    found.messages++;
    const steps = stepsOf(record, deps.topology);
    const first = steps?.[0];
    if (!first) {
      found.unmappable++;
      continue;
    }
    const state = withoutFields(first.observation);
    const id = headerText(record.headers, header.subject) ?? record.key;
    const known = chosen.get(id);
    const ctx = deps.topology.context(state.kind);
    if (known && superseded(ctx, state, snapshotOf(known.state, undefined))) continue;
    chosen.set(id, { at: placeOf(record), state });
  }
  found.objects = chosen.size;
  return { found, places: new Set([...chosen.values()].map((c) => c.at)) };
}

async function* messagesOf(kafka: KafkaSettings, topic: string, { connection, from }: RawSelection) {
  for await (const record of readTopic(kafka, topic, { from }))
    if (headerText(record.headers, header.source) === `/connections/${connection}`) yield record;
}

/** What a message says under the present mappings, as a replay; null where it cannot be mapped. */
function stepsOf(record: InboundRecord, topology: Topology): ObservationStep[] | null {
  try {
    const headers = { ...record.headers, [header.origin]: 'replay' };
    return decode({ ...record, headers }, topology).filter((s): s is ObservationStep => s.type === 'observation');
  } catch {
    return null; // only ever unmappable: it is in the invalid topic
  }
}

/** Publishes the newest state of each object to its raw topic again, marked as a replay: the mapper then takes it anew. */
export async function replayRaw(deps: RawReplayDeps, which: RawSelection): Promise<RawFound & { published: number }> {
  const { found, places } = await choose(deps, which);
  let published = 0;
  let sending: Promise<void>[] = [];
  for await (const record of messagesOf(deps.kafka, found.topic, which)) {
    if (!places.has(placeOf(record))) continue;
    const headers = { ...record.headers, [header.origin]: 'replay' } as TopicMessage['headers'];
    sending.push(deps.send({ topic: found.topic, key: record.key, value: record.value, headers }));
    published++;
    if (sending.length < 500) continue;
    await Promise.all(sending);
    sending = [];
  }
  await Promise.all(sending);
  return { ...found, published };
}

/**
 * What a replay would change: maps and merges with the code that would, against the records as they are, in transactions that
 * are rolled back. Nothing is written or published.
 */
export async function dryRunRaw(deps: RawReplayDeps, which: RawSelection): Promise<RawDifference> {
  const { found, places } = await choose(deps, which);
  const changed = new Map<string, Set<string>>();
  const added = new Set<string>();
  let steps: Step[] = [];
  const judge = async () => {
    if (steps.length > 0) await rolledBack(deps, steps, changed, added);
    steps = [];
  };
  for await (const record of messagesOf(deps.kafka, found.topic, which)) {
    if (!places.has(placeOf(record))) continue;
    steps.push(...(stepsOf(record, deps.topology) ?? []));
    if (steps.length >= chunk) await judge();
  }
  await judge();
  const fields: RawDifference['fields'] = {};
  for (const names of changed.values())
    for (const name of names) {
      const [kind, field] = name.split(' ') as [string, string];
      fields[kind] ??= {};
      fields[kind][field] = (fields[kind][field] ?? 0) + 1;
    }
  const examples = [...changed.keys()].slice(0, examplesMax);
  return { ...found, records: changed.size, added: added.size, fields, examples };
}

async function rolledBack(
  { store, topology }: RawReplayDeps,
  steps: readonly Step[],
  changed: Map<string, Set<string>>,
  added: Set<string>,
): Promise<void> {
  const tx = await store.begin();
  try {
    const entries = await lockEntries(tx, steps, topology);
    await applyAll(tx, topology, entries, steps);
    for (const entry of entries.byId.values()) {
      const names = changedFields(entry);
      if (names.length === 0) continue;
      if (!entry.row?.document) added.add(entry.id);
      else changed.set(entry.id, new Set([...(changed.get(entry.id) ?? []), ...names]));
    }
  } finally {
    await tx.rollback();
  }
}

async function applyAll(tx: Db, topology: Topology, entries: Entries, steps: readonly Step[]): Promise<void> {
  const at: Attempt = { tx, topology, entries, force: false, aside: new Set() };
  for (const step of steps) await apply(at, step);
}

/** Fields whose value is another than that of the record as last published. */
function changedFields({ kind, row, state, mergedInto }: Entry): string[] {
  if (mergedInto !== null && row?.mergedInto === null) return [`${kind} (joined)`];
  const data = row?.document ? (JSON.parse(row.document) as { data: Observation['fields'] }).data : {};
  const names = Object.keys(state.fields).filter((f) => !equal(data[f], state.fields[f]?.value));
  return [...names, ...(row && row.deleted !== state.deleted ? ['(deleted)'] : [])].map((f) => `${kind} ${f}`);
}
