import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type KafkaSettings, readTopic } from '@syncline/messaging';
import { Ajv2020, type AnySchemaObject } from 'ajv/dist/2020.js';
import pg from 'pg';
import { control, type OrderTruth } from '../support/sandbox.js';
import { type System, startSystem } from '../support/system.js';
import { untilEqual } from '../support/truth.js';

const kinds = ['order', 'shipment'] as const;
type Kind = (typeof kinds)[number];

/** A record as any client sees it: text, and headers by name. */
interface Heard {
  key: string;
  headers: Record<string, string>;
  /** null: a tombstone. */
  value: string | null;
}

let system: System;
let deletedOrder: string;

beforeAll(async () => {
  system = await startSystem();
  await control(system, 'POST', '/story', { stepsPerSecond: 15 });
  await new Promise((resolve) => setTimeout(resolve, 8_000));
  await control(system, 'POST', '/story', { running: false });
  const [order] = (await control(system, 'POST', '/orders')).orders as OrderTruth[];
  await untilEqual(system, 20_000);
  const [row] = await rows('SELECT id FROM orders WHERE name = $1', order!.name);
  deletedOrder = row.id;
  await control(system, 'DELETE', `/orders/${order!.name.slice(1)}`);
  await untilEqual(system, 10_000);
}, 180_000);

afterAll(() => system?.stop(), 90_000);

async function rows(sql: string, ...values: unknown[]) {
  const client = new pg.Client({ connectionString: system.local().warehouseUrl });
  await client.connect();
  try {
    return (await client.query(sql, values)).rows;
  } finally {
    await client.end();
  }
}

/** Everything the topic holds, by our own client. */
async function heardByUs(kind: Kind): Promise<Heard[]> {
  const kafka: KafkaSettings = { brokers: system.local().kafkaBrokers.split(','), clientId: 'a-subscriber' };
  const heard: Heard[] = [];
  for await (const { key, value, headers } of readTopic(kafka, `canonical.${kind}`))
    heard.push({
      key,
      value: value === null ? null : value.toString('utf8'),
      headers: Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, String(text)])),
    });
  return heard;
}

/** The same by kcat, which knows nothing of us; undefined where this machine has none. */
async function heardByKcat(kind: Kind): Promise<Heard[] | undefined> {
  const read = [
    '-b',
    system.local().kafkaBrokers,
    '-t',
    `canonical.${kind}`,
    '-C',
    '-e',
    '-q',
    '-o',
    'beginning',
    '-J',
  ];
  try {
    const { stdout } = await promisify(execFile)('kcat', [...read, '-X', 'isolation.level=read_committed'], {
      maxBuffer: 256 * 1024 * 1024,
    });
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const { key, payload, headers } = JSON.parse(line) as {
          key: string;
          payload: string | null;
          headers: string[];
        };
        const pairs = Array.from({ length: headers.length / 2 }, (_, i) => [headers[2 * i], headers[2 * i + 1]]);
        return { key, value: payload, headers: Object.fromEntries(pairs) };
      });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** The current state of every record, as the subscriber's guide tells to rebuild it: newest revision, tombstones remove. */
function rebuilt(heard: readonly Heard[]): Map<string, unknown> {
  const newest = new Map<string, { revision: number; value: unknown }>();
  for (const { key, headers, value } of heard) {
    const revision = Number(headers['sync-revision']);
    if (revision > (newest.get(key)?.revision ?? 0))
      newest.set(key, { revision, value: value === null ? undefined : JSON.parse(value) });
  }
  return new Map([...newest].flatMap(([key, { value }]) => (value === undefined ? [] : [[key, value] as const])));
}

async function stored(kind: Kind): Promise<Map<string, unknown>> {
  const found = await rows(`SELECT id, record FROM ${kind}s WHERE deleted_at IS NULL`);
  return new Map(found.map(({ id, record }) => [id, record]));
}

const sorted = (state: Map<string, unknown>) => [...state].sort(([a], [b]) => (a < b ? -1 : 1));

function validator(kind: Kind) {
  const path = join(import.meta.dirname, `../../schemas/canonical.${kind}.json`);
  return new Ajv2020({ strict: false, allErrors: true }).compile(
    JSON.parse(readFileSync(path, 'utf8')) as AnySchemaObject,
  );
}

describe.each(kinds)('a subscriber of canonical.%s', (kind) => {
  let heard: Heard[];

  beforeAll(async () => {
    heard = await heardByUs(kind);
  }, 40_000);

  it('hears every change as a CloudEvent with a trace', () => {
    expect(heard.length).toBeGreaterThan(10);
    for (const { key, headers } of heard) {
      expect(headers).toMatchObject({
        ce_specversion: '1.0',
        ce_id: `${key}:${headers['sync-revision']}`,
        ce_source: expect.stringMatching(/^\/connections\/(shop|carrier)$/),
        ce_type: `syncline.${kind}`,
        ce_subject: key,
        ce_dataschema: `syncline:canonical.${kind}:1`,
        'content-type': 'application/json',
        traceparent: expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/),
      });
      expect(new Date(headers.ce_time!).toISOString()).toBe(headers.ce_time);
    }
  });

  it('finds every value valid by the committed schema', () => {
    const validate = validator(kind);
    const wrong = heard
      .filter(({ value }) => value !== null && !validate(JSON.parse(value)))
      .map(({ key }) => `${key}: ${JSON.stringify(validate.errors)}`);
    expect(wrong).toEqual([]);
    expect(validate({ id: 1 })).toBe(false);
  });

  it('rebuilds from the start what the warehouse holds', async () => {
    const state = rebuilt(heard);
    expect(state.size).toBeGreaterThan(5);
    expect(sorted(state)).toEqual(sorted(await stored(kind)));
  });

  it('never sees a record go back', () => {
    const last = new Map<string, number>();
    for (const { key, headers } of heard) {
      const revision = Number(headers['sync-revision']);
      expect(revision).toBeGreaterThan(last.get(key) ?? 0);
      last.set(key, revision);
    }
  });

  it('gets the same from another client', async () => {
    const other = await heardByKcat(kind);
    if (other === undefined) return console.warn('kcat is not on this machine: the topic was read by one client only');
    const inOrder = (list: Heard[]) =>
      list.map((one) => JSON.stringify([one.key, one.headers.ce_id, one.value])).sort();
    expect(inOrder(other)).toEqual(inOrder(heard));
    expect(sorted(rebuilt(other))).toEqual(sorted(await stored(kind)));
  }, 20_000);
});

describe('a deleted order', () => {
  it('ends in a tombstone that says its revision', async () => {
    const of = (await heardByUs('order')).filter(({ key }) => key === deletedOrder);
    expect(of.length).toBeGreaterThan(1);
    expect(of.at(-1)!.value).toBeNull();
    const [row] = await rows('SELECT revision::int, deleted_at FROM orders WHERE id = $1', deletedOrder);
    expect(row).toEqual({ revision: Number(of.at(-1)!.headers['sync-revision']), deleted_at: expect.any(Date) });
  }, 30_000);
});
