// The judges: one pure function per promise, histories in, a sentence for each breach out. They know nothing of how the system
// works inside, only what was sent to it, what others could read of it, and what it did to them.
import { parseTopic } from '@syncline/contracts';
import { doubled, needless } from './effects.js';
import type { Histories, LogEntry, SeenSource } from './histories.js';

const raw = (entry: LogEntry): boolean => parseTopic(entry.topic)?.role === 'raw';
const canonical = (entry: LogEntry): boolean => parseTopic(entry.topic)?.role === 'canonical';
/** The object a raw message is about. */
const aboutOf = ({ connection, topic, subject }: LogEntry): string => `${connection}/${topic.split('.')[2]}/${subject}`;
const place = ({ topic, partition, offset }: LogEntry): string => `${topic}/${partition}@${offset}`;

/** 1: every webhook answered 2xx is on its topic. */
export function acknowledgedIsThere({ answers, log }: Histories): string[] {
  const there = new Set(log.map((entry) => `${entry.topic} ${entry.eventId}`));
  return answers
    .filter(({ status, topic, eventId }) => status >= 200 && status < 300 && !there.has(`${topic} ${eventId}`))
    .map(
      ({ connection, topic, eventId }) => `${connection}: webhook ${eventId} was acknowledged and is not on ${topic}`,
    );
}

/** 2: when a watermark moved past an object's last change, that change was in Kafka already. */
export function cursorsWait({ cursors, objects, log }: Histories): string[] {
  const versions = new Map<string, { version: number; atMs: number }[]>();
  for (const entry of log.filter(raw)) {
    if (entry.version === null) continue;
    const key = aboutOf(entry);
    const known = versions.get(key) ?? [];
    known.push({ version: entry.version, atMs: entry.receivedAtMs ?? entry.atMs });
    versions.set(key, known);
  }
  return objects.flatMap(({ connection, noun, externalId, updatedAtMs }) => {
    const passed = cursors.find(
      (move) => move.connection === connection && move.noun === noun && move.watermark > updatedAtMs,
    );
    if (!passed) return [];
    const known = versions.get(`${connection}/${noun}/${externalId}`) ?? [];
    const inTime = known.some(({ version, atMs }) => version >= updatedAtMs && atMs <= passed.atMs);
    const at = new Date(passed.atMs).toISOString();
    return inTime
      ? []
      : [`${connection}/${externalId}: the cursor of ${noun} passed its last change at ${at}, and it was not in Kafka`];
  });
}

/** 3: everything reached every target: they agree field by field, and nothing is owed or was given up. */
export function everythingArrives({ differences, owed, unready }: Histories): string[] {
  const left = Object.entries(owed).filter(([, count]) => count > 0);
  return [
    ...differences,
    ...left.map(([what, count]) => `${count} ${what} at the end`),
    ...unready.map((service) => `${service} is not ready at the end`),
  ];
}

/** How far a parcel is in the shop's words; a carrier's scans come in this order. */
const progress = ['CONFIRMED', 'IN_TRANSIT', 'OUT_FOR_DELIVERY', 'DELIVERED'];

/** 4: no target goes back to an older revision. */
export function nothingGoesBack({ rows, truth }: Histories): string[] {
  const written = rows
    .filter(({ was, became }) => was !== null && became <= was)
    .map(({ kind, id, was, became }) => `${kind} ${id}: revision ${became} was written over ${was} in the warehouse`);
  const told = truth.orders.flatMap(({ name, fulfillments }) =>
    fulfillments.flatMap(({ events }) =>
      events.flatMap(({ status }, i) => {
        const before = events[i - 1]?.status ?? '';
        const back = progress.includes(status) && progress.indexOf(status) < progress.indexOf(before);
        return back ? [`order ${name}: the shop was told ${status} after ${before}`] : [];
      }),
    ),
  );
  return [...written, ...told];
}

/** 5: one change makes one object. */
export const oneEffectEach = ({ truth, writes }: Histories): string[] => doubled(truth, writes);

/** 6: a message that nobody can map is shown as such, and what is behind it on its partition goes on. */
export function poisonBlocksNobody({ poisons, log }: Histories): string[] {
  const shown = new Set(log.filter(({ topic }) => topic.startsWith('invalid.')).map(({ eventId }) => eventId));
  const bad = new Set(poisons.map(({ eventId }) => eventId));
  const mapped = new Set(log.filter(canonical).flatMap(({ sources }) => sources.map(objectOf)));
  const blocked = poisons.flatMap(({ eventId, topic }) => {
    const found = log.find((entry) => entry.topic === topic && entry.eventId === eventId);
    if (!found) return [];
    const behind = log.filter(
      (entry) => entry.topic === topic && entry.partition === found.partition && entry.offset > found.offset,
    );
    const stuck = behind.filter((entry) => !bad.has(entry.eventId ?? '') && !mapped.has(aboutOf(entry)));
    return stuck.length > 0
      ? [`${stuck.length} messages behind the unmappable ${place(found)} were not mapped, first ${place(stuck[0]!)}`]
      : [];
  });
  return [
    ...poisons
      .filter(({ eventId }) => !shown.has(eventId))
      .map(({ eventId }) => `the unmappable ${eventId} is on no invalid topic`),
    ...blocked,
  ];
}

const objectOf = ({ connection, noun, externalId }: Pick<SeenSource, 'connection' | 'noun' | 'externalId'>): string =>
  `${connection}/${noun}/${externalId}`;

/** 7: what we wrote does not come back as a change: every write at a target has a cause at another. */
export const writesEnd = ({ truth, writes }: Histories): string[] => needless(truth, writes);

/** 8: read from the start, a canonical topic never goes back and ends on the state of every record; deletes are tombstones. */
export function canonicalIsTheState({ log, warehouse, objects }: Histories): string[] {
  const found: string[] = [];
  const last = new Map<string, LogEntry>();
  for (const entry of log.filter(canonical)) {
    const name = `${entry.topic.split('.')[1]} ${entry.key}`;
    const before = last.get(name);
    if (before && (entry.revision ?? 0) < (before.revision ?? 0))
      found.push(`${name}: revision ${entry.revision} at ${place(entry)} came after ${before.revision}`);
    last.set(name, entry);
  }
  const rows = new Map(warehouse.map((row) => [`${row.kind} ${row.id}`, row]));
  for (const [name, entry] of last) {
    const row = rows.get(name);
    if (row?.revision !== entry.revision)
      found.push(`${name}: ends at revision ${entry.revision}, the warehouse has ${row?.revision ?? 'none'}`);
    else if (row?.deleted !== entry.isTombstone)
      found.push(
        `${name}: ${entry.isTombstone ? 'ends with a tombstone' : 'ends alive'}, the warehouse says otherwise`,
      );
  }
  for (const name of rows.keys()) if (!last.has(name)) found.push(`${name}: is in the warehouse and not on its topic`);
  const said = new Map([...last.values()].flatMap((entry) => entry.sources.map((source) => [objectOf(source), entry])));
  for (const object of objects) {
    const { state } = said.get(objectOf(object)) ?? {};
    if (!object.state) continue;
    if (!state) found.push(`${objectOf(object)}: no record on any canonical topic is about it`);
    else
      for (const [field, value] of Object.entries(object.state))
        if (state[field] !== value)
          found.push(
            `${objectOf(object)}: ${field} is ${JSON.stringify(value)}, its topic ends on ${JSON.stringify(state[field])}`,
          );
  }
  return found;
}

/** 9: what was seen of a source only becomes newer. */
export function stalenessNeverWins({ log }: Histories): string[] {
  const newest = new Map<string, SeenSource>();
  return log.filter(canonical).flatMap((entry) =>
    entry.sources.flatMap((source) => {
      const name = `${entry.key} ${objectOf(source)}`;
      const before = newest.get(name);
      newest.set(name, source);
      return before && source.seen < before.seen
        ? [
            `${entry.key}: at ${place(entry)} the state of ${objectOf(source)} is of ${source.seen}, after ${before.seen}`,
          ]
        : [];
    }),
  );
}

/** 10: only what was deleted at its source is taken for deleted. */
export function nothingVanishes({ log, objects }: Histories): string[] {
  const there = new Set(objects.map(objectOf));
  const before = new Map<string, readonly SeenSource[]>();
  return log.filter(canonical).flatMap((entry) => {
    const taken = entry.isTombstone
      ? entry.mergedInto === null
        ? (before.get(entry.key) ?? [])
        : []
      : entry.sources.filter(({ deleted }) => deleted);
    if (!entry.isTombstone) before.set(entry.key, entry.sources);
    return taken
      .filter((source) => there.has(objectOf(source)))
      .map((source) => `${entry.key}: at ${place(entry)} ${objectOf(source)} is taken for deleted, and is still there`);
  });
}

/** 11: no credential and nothing personal in a log. */
export function logsKeepSecrets({ logs, secrets }: Histories): string[] {
  const found: string[] = [];
  for (const { service, line } of logs) {
    const at = secrets.findIndex((secret) => line.includes(secret));
    if (at >= 0) found.push(`the log of ${service} holds a value that must not be there (number ${at} of the list)`);
  }
  return found;
}

/** 12: the trace of a message goes on in its canonical event, and from there in the receipt of its write. */
export function tracesGoOn({ log }: Histories): string[] {
  const traces = (of: (entry: LogEntry) => boolean) => new Set(log.filter(of).map(({ trace }) => trace));
  const isReceipt = (entry: LogEntry): boolean => parseTopic(entry.topic)?.role === 'receipts';
  const [fromRaw, fromCanonical, fromReceipts] = [traces(raw), traces(canonical), traces(isReceipt)];
  return log.flatMap((entry) => {
    if (!raw(entry) && !canonical(entry) && !isReceipt(entry)) return [];
    if (entry.trace === null) return [`${place(entry)} belongs to no trace`];
    if (canonical(entry) && !fromRaw.has(entry.trace) && !fromReceipts.has(entry.trace))
      return [`${place(entry)} is of a trace that no message and no receipt began`];
    if (isReceipt(entry) && !fromCanonical.has(entry.trace))
      return [`${place(entry)} is of a trace that no event began`];
    return [];
  });
}

/** What a breach counts as in a campaign's last line. */
export type Breach = 'lost' | 'duplicated' | 'inverted' | 'told';

/** A promise, and who judges it. */
export interface PromiseOf {
  says: string;
  breach: Breach;
  judge(histories: Histories): string[];
}

/** The promises by their numbers. */
export const promises: Readonly<Record<number, PromiseOf>> = {
  1: { says: 'a webhook answered 2xx is never lost', breach: 'lost', judge: acknowledgedIsThere },
  2: { says: 'a cursor never passes what is not durable', breach: 'lost', judge: cursorsWait },
  3: { says: 'every change reaches every target', breach: 'lost', judge: everythingArrives },
  4: { says: 'no target goes back', breach: 'inverted', judge: nothingGoesBack },
  5: { says: 'one change makes one object', breach: 'duplicated', judge: oneEffectEach },
  6: { says: 'poison blocks nobody', breach: 'lost', judge: poisonBlocksNobody },
  7: { says: 'our writes do not come back', breach: 'duplicated', judge: writesEnd },
  8: { says: 'canonical topics hold the current state', breach: 'inverted', judge: canonicalIsTheState },
  9: { says: 'a stale source never wins', breach: 'inverted', judge: stalenessNeverWins },
  10: { says: 'a failed read is no deletion', breach: 'lost', judge: nothingVanishes },
  11: { says: 'logs hold no secret and nothing personal', breach: 'told', judge: logsKeepSecrets },
  12: { says: 'one trace leads through', breach: 'told', judge: tracesGoOn },
};

/** A breach as it was found. */
export interface Finding {
  promise: number;
  sentence: string;
}

/** Every breach of every promise. */
export const judge = (histories: Histories): Finding[] =>
  Object.entries(promises).flatMap(([number, { judge: of }]) =>
    of(histories).map((sentence) => ({ promise: Number(number), sentence })),
  );
