import { header, headerText, parseTopic } from '@syncline/contracts';
import type { InboundRecord, Outcome } from '@syncline/messaging';
import type { Logger } from '@syncline/runtime';
import { forgetShapes, lockShapes, readShapes, type ShapeKey, type Store, writeShapes } from '@syncline/store';
import { type Change, changesOf } from './changes.js';
import { addMessage, addShape, newShape, type Shape } from './shape.js';
import { readShape, shapeText } from './shape-text.js';

/** Messages looked at, per type of message: so many a second, and so many at once after a rest. Each costs about 0.1 ms. */
const perSecond = 10;
const burst = 200;
/** Records whose headers are read for it, over all types: at some thousands a second even that would cost. */
const looksPerSecond = 200;
const looksBurst = 1_000;
/** Types of message a process keeps apart, over all connections; the rest of them are one. */
const typesMax = 200;
const otherType = 'other';
/** Time between writes, in milliseconds: soon after a start, then seldom. */
const writeMsMin = 2_000;
const writeMsMax = 60_000;
/** Days after which a type of message that came no more is forgotten. */
const keptDays = 90;

/** What changed in the messages of a connection's noun, over their types. */
export interface DriftChange extends Change {
  connection: string;
  noun: string;
  /** Types of message that show it: `orders/updated`; `read` for polls, reads and backfills. */
  types: string[];
}

/** What has been looked at. */
export interface Watched extends ShapeKey {
  messages: number;
  fields: number;
  /** Sightings of fields that found no room. */
  dropped: number;
  versions: string[];
  since: number | null;
  last: number | null;
}

/** Keeps what raw messages look like, from a sample of them. */
export interface DriftWatch {
  /** Looks at some of a batch's records. Cheap, and never throws. */
  see(records: readonly InboundRecord[], outcomes: readonly Outcome[]): void;
  /** What changed, with what was seen until now. */
  report(connection: string | undefined): Promise<{ changes: DriftChange[]; watched: Watched[] }>;
  stop(): Promise<void>;
}

const isUnmappable = (outcome: Outcome): boolean => outcome?.kind === 'unmappable';

/** What may still be taken of something that is given so often a second. */
interface Bucket {
  tokens: number;
  filledAt: number;
}

const newBucket = (tokens: number, nowMs: number): Bucket => ({ tokens, filledAt: nowMs });

function fill(bucket: Bucket, rate: number, most: number, nowMs: number): number {
  bucket.tokens = Math.min(most, bucket.tokens + ((nowMs - bucket.filledAt) / 1_000) * rate);
  bucket.filledAt = nowMs;
  return bucket.tokens;
}

/** What this process saw of one type of message since it wrote last. */
interface Open {
  key: ShapeKey;
  shape: Shape;
  bucket: Bucket;
}

/**
 * Starts to watch. What was seen is kept here and added to the store's now and then, also by several processes; a process
 * that is killed takes at most the last minute of its sample with it.
 */
export function startDriftWatch(store: Store, log: Logger, knows: (connection: string) => boolean): DriftWatch {
  const open = new Map<string, Open>();
  let writing: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  const flush = () => {
    writing = writing.then(() => write(store, log, open));
    const done = writing;
    writing = writing.catch(() => undefined);
    return done;
  };
  const again = (ms: number) => {
    timer = setTimeout(async () => {
      await flush().catch((err) => log.debug({ err }, 'what messages look like is not written yet'));
      if (!stopped) again(Math.min(ms * 2, writeMsMax));
    }, ms);
    timer.unref();
  };
  again(writeMsMin);
  const looks = newBucket(looksBurst, performance.now());
  return {
    see(records, outcomes) {
      const nowMs = performance.now();
      const left = fill(looks, looksPerSecond, looksBurst, nowMs);
      const stride = Math.max(1, Math.ceil(records.length / Math.max(1, Math.min(burst, left))));
      const from = Math.floor(Math.random() * stride);
      if (left >= 1) looks.tokens -= Math.ceil(records.length / stride);
      else if (!outcomes.some(isUnmappable)) return;
      for (let i = from; i < records.length; i += stride) look(open, knows, records[i] as InboundRecord, nowMs);
      // What could not be mapped tells most, and would mostly fall between the strides.
      if (stride > 1)
        outcomes.forEach((outcome, i) => {
          if (outcome?.kind === 'unmappable' && i % stride !== from)
            look(open, knows, records[i] as InboundRecord, nowMs);
        });
    },
    async report(connection) {
      await flush();
      return reportOf(await readShapes(store, connection));
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await flush().catch((err) => log.warn({ err }, 'what the last messages looked like is not written'));
    },
  };
}

/** Adds a record to what its type looks like, where its turn has come. */
function look(
  open: Map<string, Open>,
  knows: (connection: string) => boolean,
  record: InboundRecord,
  nowMs: number,
): void {
  const topic = parseTopic(record.topic);
  const connection = headerText(record.headers, header.source)?.slice('/connections/'.length) ?? '';
  if (topic?.role !== 'raw' || record.value === null || !knows(connection)) return;
  const one = openOf(open, connection, topic.noun, typeOf(record), nowMs);
  if (fill(one.bucket, perSecond, burst, nowMs) < 1) return;
  one.bucket.tokens--;
  let message: unknown;
  try {
    message = JSON.parse(record.value.toString('utf8'));
  } catch {
    return;
  }
  addMessage(one.shape, message, record.timestamp, headerText(record.headers, header.apiVersion));
}

/** The provider's own word for what happened; what we asked for has one shape, whyever we did. */
function typeOf(record: InboundRecord): string {
  if (headerText(record.headers, header.origin) !== 'webhook') return 'read';
  const type = headerText(record.headers, header.type) ?? '';
  const own = type.slice(type.indexOf('.') + 1);
  return /^[\w./:-]{1,64}$/.test(own) ? own : otherType;
}

function openOf(open: Map<string, Open>, connection: string, noun: string, type: string, nowMs: number): Open {
  const name = `${connection} ${noun} ${type}`;
  const known = open.get(name);
  if (known) return known;
  if (open.size >= typesMax && type !== otherType) return openOf(open, connection, noun, otherType, nowMs);
  const made: Open = { key: { connection, noun, type }, shape: newShape(), bucket: newBucket(burst, nowMs) };
  open.set(name, made);
  return made;
}

async function write(store: Store, log: Logger, open: Map<string, Open>): Promise<void> {
  const taken = [...open.values()].filter(({ shape }) => shape.root.count > 0);
  if (taken.length === 0) return;
  const seen = taken.map((one) => ({ one, shape: one.shape }));
  for (const { one } of seen) one.shape = newShape();
  try {
    await store.transaction(async (tx) => {
      const before = await lockShapes(
        tx,
        taken.map(({ key }) => key),
      );
      const stored = new Map(before.map(({ shape, ...key }) => [nameOf(key), shape]));
      const rows = seen.map(({ one: { key }, shape }) => {
        const whole = readShape(stored.get(nameOf(key)) ?? null);
        const knownChanges = changesOf(whole).length;
        addShape(whole, shape);
        const changes = changesOf(whole).length;
        if (changes > knownChanges)
          log.warn({ ...key, changes }, 'messages do not look as before: `syncline drift` shows what changed');
        return { ...key, shape: shapeText(whole) };
      });
      await writeShapes(tx, rows);
      await forgetShapes(tx, keptDays);
    });
  } catch (thrown) {
    for (const { one, shape } of seen) {
      addShape(shape, one.shape);
      one.shape = shape;
    }
    throw thrown;
  }
}

const nameOf = ({ connection, noun, type }: ShapeKey): string => `${connection} ${noun} ${type}`;

function reportOf(rows: readonly (ShapeKey & { shape: unknown })[]): { changes: DriftChange[]; watched: Watched[] } {
  const changes = new Map<string, DriftChange>();
  const watched: Watched[] = [];
  for (const { shape: stored, ...key } of rows) {
    const shape = readShape(stored);
    const sights = [...shape.root.types.values()];
    watched.push({
      ...key,
      messages: shape.root.count,
      fields: shape.nodes - 1,
      dropped: shape.dropped,
      versions: [...shape.versions.keys()],
      since: sights.length > 0 ? Math.min(...sights.map((s) => s.first)) : null,
      last: sights.length > 0 ? Math.max(...sights.map((s) => s.last)) : null,
    });
    for (const change of changesOf(shape)) join(changes, key, change);
  }
  return { changes: [...changes.values()].sort((a, b) => b.since - a.since), watched };
}

/** The same change in several types of message is one. */
function join(changes: Map<string, DriftChange>, { connection, noun, type }: ShapeKey, change: Change): void {
  const name = [connection, noun, change.change, change.path, change.from, change.to].join(' ');
  const known = changes.get(name);
  if (known === undefined) {
    changes.set(name, { connection, noun, ...change, types: [type] });
    return;
  }
  known.types.push(type);
  known.messages += change.messages;
  known.since =
    change.change === 'vanished' ? Math.max(known.since, change.since) : Math.min(known.since, change.since);
}
