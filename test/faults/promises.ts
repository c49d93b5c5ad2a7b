// The judgements: each takes recorded histories and returns what breaks a promise, one sentence each.
import { canonicalTopic, header, headerText, type Kind, kinds } from '@syncline/contracts';
import { type KafkaSettings, readTopic } from '@syncline/messaging';
import { control, type Truth } from '../support/sandbox.js';
import type { System } from '../support/system.js';
import { rowsOf } from './nemesis.js';
import type { Acknowledged } from './witness.js';

/** A request of ours that shop or carrier had, with what it changed there. */
export interface Write {
  n: number;
  at: string;
  target: 'shop' | 'carrier';
  method: string;
  path: string;
  operation: string | null;
  // biome-ignore lint/suspicious/noExplicitAny: bodies of every shape
  input: any;
  status: number | null;
  effects: { kind: string; id: string }[];
  fault: string | null;
  tookMs: number;
}

const readerOf = (system: System): KafkaSettings => ({
  brokers: system.local().kafkaBrokers.split(','),
  clientId: 'judge',
});

/** Webhooks that were answered 2xx and whose record is not on its raw topic. */
export async function lost(system: System, acknowledged: readonly Acknowledged[]): Promise<string[]> {
  const found: string[] = [];
  // A reading ends where the topic ended when it began: what is acknowledged after that is not its business.
  const before = [...acknowledged];
  for (const topic of new Set(before.map((one) => one.topic))) {
    const there = new Set<string>();
    for await (const record of readTopic(readerOf(system), topic))
      there.add(headerText(record.headers, header.id) ?? '');
    for (const one of before)
      if (one.topic === topic && !there.has(one.eventId))
        found.push(`${one.connection}: webhook ${one.eventId} was acknowledged and is not on ${topic}`);
  }
  return found;
}

/** What an independent reader sees go back on the canonical topics, and where they end on another state than the warehouse. */
export async function inverted(system: System): Promise<{ found: string[]; events: number; repeated: number }> {
  const found: string[] = [];
  let events = 0;
  let repeated = 0;
  for (const kind of kinds) {
    const newest = new Map<string, number>();
    for await (const record of readTopic(readerOf(system), canonicalTopic(kind))) {
      events++;
      const revision = Number(headerText(record.headers, header.revision));
      const before = newest.get(record.key) ?? 0;
      if (revision < before) found.push(`${kind} ${record.key}: revision ${revision} came after ${before}`);
      if (revision === before) repeated++;
      newest.set(record.key, revision);
    }
    found.push(...(await unlikeWarehouse(system, kind, newest)));
  }
  return { found, events, repeated };
}

async function unlikeWarehouse(system: System, kind: Kind, newest: Map<string, number>): Promise<string[]> {
  const rows = await rowsOf<{ id: string; revision: string }>(system, `SELECT id, revision FROM ${kind}s`);
  const has = new Map(rows.map(({ id, revision }) => [id, Number(revision)]));
  return [...newest]
    .filter(([id, revision]) => has.get(id) !== revision)
    .map(([id, revision]) => `${kind} ${id}: ends at revision ${revision}, the warehouse has ${has.get(id)}`);
}

/** Makes the warehouse note every write of a row that does not raise its revision. */
export async function watchRevisions(system: System): Promise<void> {
  await rowsOf(
    system,
    `CREATE TABLE went_back (kind text, id uuid, was bigint, became bigint);
     CREATE FUNCTION note_went_back() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
       IF NEW.revision <= OLD.revision THEN INSERT INTO went_back VALUES (TG_TABLE_NAME, OLD.id, OLD.revision, NEW.revision); END IF;
       RETURN NULL; END $$;
     ${kinds.map((kind) => `CREATE TRIGGER note_went_back AFTER UPDATE ON ${kind}s FOR EACH ROW EXECUTE FUNCTION note_went_back();`).join('')}`,
  );
}

/** What the warehouse noted since `watchRevisions`. */
export async function wentBack(system: System): Promise<string[]> {
  const rows = await rowsOf(system, 'SELECT * FROM went_back');
  return rows.map(({ kind, id, was, became }) => `${kind} ${id}: revision ${became} was written over ${was}`);
}

/** Reads what was asked of the sandbox since the last call; its journal keeps only so many requests. */
export function recordWrites(system: System): { writes: Write[]; note(): Promise<void> } {
  const writes: Write[] = [];
  return {
    writes,
    note: async () => {
      const { entries } = await control(system, 'GET', `/log?writes=1&since=${writes.at(-1)?.n ?? 0}`);
      writes.push(...entries);
    },
  };
}

const changed = (write: Write, kind: string): boolean => write.effects.some((effect) => effect.kind === kind);

/** Objects made twice, and things said to a target again that it had been told. */
export function doubled(truth: Truth, writes: readonly Write[]): string[] {
  const found: string[] = [];
  const most = (what: string, counts: Map<string, number>, allowed: (key: string) => number) => {
    for (const [key, count] of counts) if (count > allowed(key)) found.push(`${what} ${key}: ${count} times`);
  };
  const trackers = writes.filter(({ path, method }) => method === 'POST' && path === '/v2/trackers');
  most('tracker asked for', countBy(trackers.filter(isDone), codeOf), () => 1);
  most(
    'tracker of',
    countBy(truth.trackers, (tracker) => tracker.trackingCode),
    () => 1,
  );
  const made = writes.filter((write) => changed(write, 'fulfillment.created'));
  most(
    'fulfilment made for',
    countBy(made, (write) => numberOf(write)),
    () => 1,
  );
  for (const order of truth.orders) {
    const numbers = order.fulfillments.filter(({ status }) => status !== 'CANCELLED').flatMap((f) => f.trackingNumbers);
    most(`order ${order.name}: fulfilment of`, countBy(numbers, String), () => 1);
    for (const { name, events } of order.fulfillments)
      events.forEach(({ status }, i) => {
        if (status === events[i - 1]?.status) found.push(`fulfilment ${name}: ${status} was said twice in a row`);
      });
  }
  return [...found, ...needless(truth, writes)];
}

/** A tracking number in what asks for a tracker or a fulfilment. */
const codeOf = ({ input }: Write): string => String(input?.tracker?.tracking_code);
const numberOf = ({ input }: Write): string => String(input?.fulfillment?.trackingInfo?.number);
/** A request that the target carried out, whether or not its answer arrived. */
const isDone = ({ status, fault }: Write): boolean => fault === 'lost-reply' || (status !== null && status < 300);

/** Changes nobody asked for: every one must be a tracker, a fulfilment, or an event that follows a scan. */
function needless(truth: Truth, writes: readonly Write[]): string[] {
  const of = (kind: string) => writes.filter((write) => changed(write, kind)).length;
  const steps = truth.trackers.map(
    ({ scans }) => scans.filter(({ status }, i) => status !== scans[i - 1]?.status).length,
  );
  const bought = truth.shipments.filter((shipment) => shipment.bought).length;
  const limits: [string, number][] = [
    ['tracker.created', truth.trackers.length - bought],
    ['fulfillment.created', bought],
    ['fulfillment.event', steps.reduce((sum, n) => sum + n, 0)],
    ['fulfillment.tracking', 0],
    ['fulfillment.cancelled', 0],
    ['order.updated', 0],
    ['order.tags', 0],
    ['tracker.deleted', 0],
  ];
  return limits
    .filter(([kind, limit]) => of(kind) > limit)
    .map(([kind, limit]) => `${kind}: ${of(kind)} writes, ${limit} had a cause`);
}

function countBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(keyOf(item), (counts.get(keyOf(item)) ?? 0) + 1);
  return counts;
}
