import {
  deadLetterTopic,
  header,
  headerText,
  invalidTopic,
  SyncError,
  transformerGroup,
  transformerTopics,
} from '@syncline/contracts';
import { type InboundRecord, type KafkaSettings, readTopic, type TopicMessage } from '@syncline/messaging';
import { type FailedPlace, noteReplayed, replayedOf, type Store } from '@syncline/store';

const topics = [deadLetterTopic(transformerGroup), invalidTopic(transformerGroup)];
const chunk = 200;
const causesMax = 200;
const examplesMax = 3;
const failureHeaders: readonly string[] = [
  header.failureKind,
  header.failureReason,
  header.failurePath,
  header.sourceTopic,
  header.sourcePartition,
  header.sourceOffset,
];

/** What reading and replaying dead letters needs. */
export interface DeadLetterDeps {
  kafka: KafkaSettings;
  store: Store;
  send(message: TopicMessage): Promise<void>;
}

/** Which dead letters: those that failed for one kind of reason, one of them by its place or external id, or all. */
export interface LetterSelection {
  cause?: string | undefined;
  /** `topic/partition/offset` of the message that failed, or its external id. */
  id?: string | undefined;
}

/** Dead letters that failed for the same reason. */
export interface LetterCause {
  kind: string;
  reason: string;
  topic: string;
  /** Those not replayed yet. */
  count: number;
  /** Those replayed already. */
  replayed: number;
  /** When the first and the last of them failed, milliseconds since the epoch. */
  since: number;
  last: number;
  /** Places of some that were not replayed, as `id` takes them. */
  examples: string[];
}

interface Letter {
  record: InboundRecord;
  place: FailedPlace;
  kind: string;
  reason: string;
}

const placeText = (p: FailedPlace): string => `${p.topic}/${p.partition}/${p.offset}`;

/** What the transformer gave up, by cause, most frequent first. Reads both failure topics from their start. */
export async function listDeadLetters(
  deps: DeadLetterDeps,
  which: LetterSelection,
): Promise<{ causes: LetterCause[] }> {
  const causes = new Map<string, LetterCause>();
  for await (const letters of chunks(deps.kafka, which)) {
    const replayed = await replayedOf(
      deps.store,
      letters.map((l) => l.place),
    );
    for (const { place, kind, reason, record } of letters) {
      const key = `${kind} ${place.topic} ${reason}`;
      const at = record.timestamp;
      const known = causes.get(key);
      const cause = known ?? {
        kind,
        reason,
        topic: place.topic,
        count: 0,
        replayed: 0,
        since: at,
        last: at,
        examples: [],
      };
      if (!known) causes.set(key, cause);
      cause.since = Math.min(cause.since, at);
      cause.last = Math.max(cause.last, at);
      if (replayed.has(placeText(place))) cause.replayed++;
      else {
        cause.count++;
        if (cause.examples.length < examplesMax) cause.examples.push(placeText(place));
      }
    }
  }
  return { causes: [...causes.values()].sort((a, b) => b.count - a.count).slice(0, causesMax) };
}

/** How a replay ended: published again, replayed before, and lost (too large to be copied, and gone from its topic by now). */
export interface Replayed {
  replayed: number;
  before: number;
  lost: number;
}

/**
 * Publishes what was given up to its own topic again, with its own headers: what it says is judged by its version, like that
 * of every message. Each is published once: the note of it is committed after the send, so that a crash between the two may
 * publish it again, and never loses it.
 */
export async function replayDeadLetters(deps: DeadLetterDeps, which: LetterSelection): Promise<Replayed> {
  const done: Replayed = { replayed: 0, before: 0, lost: 0 };
  for await (const letters of chunks(deps.kafka, which)) {
    const messages = new Map<string, TopicMessage>();
    for (const letter of letters) {
      const message = await original(deps.kafka, letter);
      if (message) messages.set(placeText(letter.place), message);
      else done.lost++;
    }
    const left = letters.filter((l) => messages.has(placeText(l.place)));
    await deps.store.transaction(async (tx) => {
      const news = await noteReplayed(
        tx,
        left.map((l) => l.place),
      );
      await Promise.all([...news].map((place) => deps.send(messages.get(place) as TopicMessage)));
      done.replayed += news.size;
      done.before += left.length - news.size;
    });
  }
  return done;
}

/** The message as it first was; null where it was too large to be copied and its topic does not have it any more. */
async function original(kafka: KafkaSettings, { record, place }: Letter): Promise<TopicMessage | null> {
  const value = record.value ?? (await valueAt(kafka, place));
  if (value === null) return null;
  const headers = Object.fromEntries(
    Object.entries(record.headers).filter(([name, v]) => v !== undefined && !failureHeaders.includes(name)),
  ) as TopicMessage['headers'];
  return { topic: place.topic, key: record.key, value, headers };
}

async function valueAt(kafka: KafkaSettings, { topic, partition, offset }: FailedPlace): Promise<Buffer | null> {
  for await (const record of readTopic(kafka, topic, { partition, from: { offset } }))
    return record.offset === offset ? record.value : null;
  return null;
}

/** The selected dead letters, some hundred at a time, each message that failed once. */
async function* chunks(kafka: KafkaSettings, which: LetterSelection): AsyncGenerator<Letter[]> {
  const own = transformerTopics();
  for (const topic of topics) {
    let letters = new Map<string, Letter>();
    for await (const record of readTopic(kafka, topic)) {
      const letter = letterOf(record);
      if (!letter || !own.includes(letter.place.topic) || !isSelected(letter, which)) continue;
      letters.set(placeText(letter.place), letter);
      if (letters.size < chunk) continue;
      yield [...letters.values()];
      letters = new Map();
    }
    if (letters.size > 0) yield [...letters.values()];
  }
}

function letterOf(record: InboundRecord): Letter | null {
  const text = (name: string) => headerText(record.headers, name);
  const [topic, partition, offset] = [
    text(header.sourceTopic),
    text(header.sourcePartition),
    text(header.sourceOffset),
  ];
  if (topic === null || partition === null || offset === null || !/^\d+$/.test(offset)) return null;
  return {
    record,
    place: { topic, partition: Number(partition), offset: BigInt(offset), eventId: text(header.id) ?? '' },
    kind: text(header.failureKind) ?? 'unknown',
    reason: text(header.failureReason) ?? '',
  };
}

function isSelected({ record, place, kind }: Letter, { cause, id }: LetterSelection): boolean {
  if (cause !== undefined && kind !== cause) return false;
  return id === undefined || id === placeText(place) || id === headerText(record.headers, header.subject);
}

/** A selection as a query of the management port gives it. Throws `rejected` where a replay names none. */
export function selectionOf(query: Readonly<Record<string, string>>): LetterSelection {
  const { cause, id, all } = query;
  if (cause === undefined && id === undefined && all !== 'true')
    throw new SyncError(
      'rejected',
      'say which dead letters to replay: cause=<kind>, id=<topic/partition/offset> or all=true',
    );
  return { cause, id };
}
