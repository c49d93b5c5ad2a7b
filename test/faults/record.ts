// Reads the histories of a ground: its topics with a consumer of its own, what triggers noted in the databases, the sandbox's
// own record, and the logs of the services.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { declaredTopics, header, headerText, parseTopic } from '@syncline/contracts';
import { type InboundRecord, type KafkaSettings, readTopic } from '@syncline/messaging';
import pg from 'pg';
import { control, readTruth, type Truth } from '../support/sandbox.js';
import { differences } from '../support/truth.js';
import { type Ground, unready } from './ground.js';
import type {
  CursorMove,
  Histories,
  LogEntry,
  LogLine,
  RowWrite,
  SeenSource,
  SourceChange,
  SourceObject,
  Write,
} from './histories.js';
import { owed } from './nemesis.js';
import type { Blows } from './strike.js';

const kindTables = { order: 'orders', shipment: 'shipments' } as const;

/** Makes the databases note every move of a cursor and every write of a row of the warehouse. */
export async function watch({ direct }: Ground): Promise<void> {
  // Whoever writes may not know of the notes: the function runs with the rights of its maker.
  const noting = (what: string) =>
    `CREATE FUNCTION faults.note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN ${what} RETURN NULL; END $$;`;
  await query(
    direct.storeUrl,
    `CREATE SCHEMA faults;
     CREATE TABLE faults.cursors (n bigserial, at timestamptz, connection text, noun text, watermark bigint);
     ${noting('IF NEW.watermark IS DISTINCT FROM OLD.watermark THEN INSERT INTO faults.cursors (at, connection, noun, watermark) VALUES (clock_timestamp(), NEW.connection, NEW.noun, NEW.watermark); END IF;')}
     CREATE TRIGGER note AFTER INSERT OR UPDATE ON ingestion.cursors FOR EACH ROW EXECUTE FUNCTION faults.note();`,
  );
  const triggers = Object.values(kindTables).map(
    (table) => `CREATE TRIGGER note AFTER INSERT OR UPDATE ON ${table} FOR EACH ROW EXECUTE FUNCTION faults.note();`,
  );
  await query(
    direct.warehouseUrl,
    `CREATE SCHEMA faults;
     CREATE TABLE faults.rows (n bigserial, at timestamptz, kind text, id uuid, was bigint, became bigint, deleted boolean);
     ${noting('INSERT INTO faults.rows (at, kind, id, was, became, deleted) VALUES (clock_timestamp(), TG_TABLE_NAME, NEW.id, OLD.revision, NEW.revision, NEW.deleted_at IS NOT NULL);')}
     ${triggers.join('\n')}`,
  );
}

/** Everything there is to judge by, as of now. `writes` are those known; what came since is added to them. */
export async function readHistories(
  ground: Ground,
  run: { changes: readonly SourceChange[]; blows: Blows; writes: Write[] },
): Promise<Histories> {
  const { system, direct, witness } = ground;
  const since = run.writes.at(-1)?.n ?? 0;
  run.writes.push(...(await control(system, 'GET', `/log?writes=1&since=${since}`)).entries);
  const truth = await readTruth(system);
  const [log, cursors, rows, warehouse, differing] = await Promise.all([
    readLog(direct.kafkaBrokers),
    query<CursorMove>(
      direct.storeUrl,
      `SELECT ${millis}, connection, noun, watermark::float8 AS watermark FROM faults.cursors WHERE watermark IS NOT NULL ORDER BY n`,
    ),
    query<RowWrite>(
      direct.warehouseUrl,
      `SELECT ${millis}, rtrim(kind, 's') AS kind, id, was::float8 AS was, became::float8 AS became, deleted FROM faults.rows ORDER BY n`,
    ),
    query<Histories['warehouse'][number]>(
      direct.warehouseUrl,
      Object.entries(kindTables)
        .map(
          ([kind, table]) =>
            `SELECT '${kind}' AS kind, id, revision::float8 AS revision, deleted_at IS NOT NULL AS deleted FROM ${table}`,
        )
        .join(' UNION ALL '),
    ),
    differences(system),
  ]);
  return {
    changes: run.changes,
    answers: [...witness.history],
    log,
    cursors,
    rows,
    warehouse,
    writes: run.writes,
    truth,
    objects: objectsOf(truth),
    differences: differing,
    owed: await owed(system).catch(() => ({ webhooks: 0, pending: Number.NaN, dead: 0 })),
    unready: await unready(system),
    poisons: run.blows.poisons,
    secrets: [...ground.secrets, ...personal(truth)],
    logs: readLogs(system.stateDir),
    struck: run.blows.struck,
  };
}

const millis = '(extract(epoch FROM at) * 1000)::float8 AS "atMs"';

/** One question over a connection of its own. */
export async function query<T = Record<string, unknown>>(url: string, sql: string): Promise<T[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return (await client.query(sql)).rows as T[];
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Every topic from its start, each partition in its order. */
async function readLog(brokers: readonly string[]): Promise<LogEntry[]> {
  const kafka: KafkaSettings = { brokers: [...brokers], clientId: 'judge', log: () => {} };
  const topics = declaredTopics(['shop', 'carrier', 'warehouse']).map(({ name }) => name);
  const read = async (topic: string): Promise<LogEntry[]> => {
    const entries: LogEntry[] = [];
    for await (const record of readTopic(kafka, topic)) entries.push(entryOf(record));
    return entries;
  };
  const all: LogEntry[] = [];
  // A few at a time: every reading is a consumer group of its own.
  for (let i = 0; i < topics.length; i += 4) all.push(...(await Promise.all(topics.slice(i, i + 4).map(read))).flat());
  return all;
}

function entryOf(record: InboundRecord): LogEntry {
  const text = (name: string): string | null => headerText(record.headers, name);
  const number = (name: string): number | null => (text(name) === null ? null : Number(text(name)));
  const role = parseTopic(record.topic)?.role;
  const value = parsed(record.value);
  return {
    topic: record.topic,
    partition: record.partition,
    offset: Number(record.offset),
    key: record.key,
    atMs: record.timestamp,
    eventId: text(header.id),
    connection: text(header.source)?.replace('/connections/', '') ?? null,
    subject: text(header.subject),
    receivedAtMs: number(header.receivedAt),
    trace: text(header.traceparent)?.split('-')[1] ?? null,
    version: role === 'raw' ? versionOf(value) : null,
    revision: number(header.revision) ?? (role === 'receipts' ? Number(value?.revision) : null),
    mergedInto: text(header.mergedInto),
    sources: role === 'canonical' ? ((value?.sources as SeenSource[] | undefined) ?? []) : [],
    isTombstone: record.value === null,
    state: role === 'canonical' && value?.kind === 'order' ? saidOf(value.data) : null,
    words: role === 'receipts' ? `${value?.type} ${value?.outcome ?? ''}` : (text(header.type) ?? ''),
  };
}

// biome-ignore lint/suspicious/noExplicitAny: bodies of every shape
type Body = any;

function parsed(value: Buffer | null): Body {
  try {
    return value === null ? null : JSON.parse(value.toString('utf8'));
  } catch {
    return null;
  }
}

/** When the state in a provider's message was made, by the provider. */
function versionOf(body: Body): number | null {
  const at = Date.parse(body?.updated_at ?? body?.updatedAt ?? '');
  const inEvent = Date.parse(body?.result?.updated_at ?? '');
  const version = Number.isNaN(inEvent) ? at : inEvent;
  return Number.isNaN(version) ? null : version;
}

/** What is compared of an order, as its canonical record says it. */
const saidOf = (data: Body): Record<string, string> => ({
  note: data.note ?? '',
  tags: [...(data.tags ?? [])].sort().join(),
  city: data.shippingAddress?.city ?? '',
  cancelled: String((data.cancelledAt ?? null) !== null),
});

function objectsOf(truth: Truth): SourceObject[] {
  const trackers = truth.trackers as (Truth['trackers'][number] & { updatedAt: string })[];
  return [
    ...truth.orders.map(({ id, updatedAt, note, tags, shippingAddress, cancelledAt }) => ({
      connection: 'shop',
      noun: 'order',
      externalId: String(id),
      updatedAtMs: Date.parse(updatedAt),
      state: {
        note: note ?? '',
        tags: [...tags].sort().join(),
        city: shippingAddress.city,
        cancelled: String(cancelledAt !== null),
      },
    })),
    ...truth.orders.flatMap(({ fulfillments, updatedAt }) =>
      fulfillments.map(({ id }) => ({
        connection: 'shop',
        noun: 'fulfillment',
        externalId: String(id),
        updatedAtMs: Date.parse(updatedAt),
        state: null,
      })),
    ),
    // When a shipment changed is not told: no cursor is judged by it.
    ...truth.shipments.map(({ id }) => ({
      connection: 'carrier',
      noun: 'shipment',
      externalId: id,
      updatedAtMs: Number.POSITIVE_INFINITY,
      state: null,
    })),
    ...trackers.map(({ id, updatedAt }) => ({
      connection: 'carrier',
      noun: 'tracker',
      externalId: id,
      updatedAtMs: Date.parse(updatedAt),
      state: null,
    })),
  ];
}

/** What of a shop's data points at a person. */
const personal = (truth: Truth): string[] => [
  ...new Set(truth.orders.map(({ email }) => email).filter((email) => email.includes('@'))),
];

function readLogs(stateDir: string): LogLine[] {
  const folder = join(stateDir, 'logs');
  return readdirSync(folder)
    .filter((name) => /^(ingestor|transformer|writer)/.test(name))
    .flatMap((name) =>
      readFileSync(join(folder, name), 'utf8')
        .split('\n')
        .map((line) => ({ service: name.replace(/\.log.*$/, ''), line })),
    );
}
