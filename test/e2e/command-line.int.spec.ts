import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { jsonOf, until } from '../support/ask.js';
import { openStory, place, type Story, scan, send } from '../support/story.js';
import { type System, startSystem } from '../support/system.js';

interface Span {
  service: string;
  name: string;
  kind: number;
  traceId: string;
  spanId: string;
  parentSpanId: string | null;
  attributes: Record<string, unknown>;
}
/** SpanKind of OpenTelemetry. */
const [server, client] = [1, 2];
const code = '9400111899223197427001';

let folder: string;
let system: System;
let story: Story;
let sent: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'syncline-trace-'));
  system = await startSystem({ env: { SYNCLINE_TRACE_FILE: join(folder, 'spans.jsonl') } });
  // The story judges the speed.
  story = openStory(system, 15_000, 15_000);
  const { name } = await place(story, 'placed');
  sent = name;
  await send(story, name, { trackingNumber: code, company: 'USPS' });
  await scan(story, name, code, { status: 'delivered' });
}, 120_000);

afterAll(async () => {
  await story?.end();
  await system?.stop();
  rmSync(folder, { recursive: true, force: true });
}, 90_000);

const byName = (a: string, b: string): number => (a < b ? -1 : 1);

describe('the command line', () => {
  it('prints the status in the documented shape', async () => {
    const status = await until(system, 'nothing pending', 5_000, async () => {
      const now = await jsonOf(system, 'status');
      return now.targets.every(({ pending }: { pending: number }) => pending === 0) && now;
    });
    const count = expect.any(Number);
    expect(Object.keys(status).sort(byName)).toEqual(['budgets', 'connections', 'consumers', 'services', 'targets']);
    expect(status.connections).toEqual(
      ['shop', 'carrier'].map((name) => ({
        name,
        provider: name === 'shop' ? 'shopify' : 'easypost',
        state: 'connected',
        reason: null,
        accepted: count,
        changed: count,
        lastReceivedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
        paused: null,
      })),
    );
    expect(status.targets.map(({ name }: { name: string }) => name).sort(byName)).toEqual([
      'carrier',
      'shop',
      'warehouse',
    ]);
    for (const one of status.targets) {
      expect(one).toMatchObject({ desired: count, delivered: count, pending: 0, dead: 0 });
      expect(one.desired).toBe(one.delivered);
      expect(one.freshnessMs).toEqual({ p50: count, p99: count });
      expect(one.freshnessMs.p50).toBeLessThanOrEqual(one.freshnessMs.p99);
    }
    for (const one of status.consumers)
      expect(one).toEqual({
        group: expect.any(String),
        topic: expect.any(String),
        lagRecords: count,
        lagSeconds: count,
      });
    const groups = new Set(status.consumers.map(({ group }: { group: string }) => group));
    expect([...groups].sort()).toEqual(['transformer', 'writer.carrier', 'writer.shop', 'writer.warehouse']);
  });

  it('tells a record’s story by its name, its number and its ids', async () => {
    const { name, id } = await place(story, 'placed');
    const told = await jsonOf(system, 'record', name.slice(1));
    expect(told).toMatchObject({
      matches: [{ kind: 'order', name }],
      record: { kind: 'order', data: { name } },
      history: [{ connection: 'shop', origin: 'webhook', traceId: expect.stringMatching(/^[0-9a-f]{32}$/) }],
      sources: [{ connection: 'shop', noun: 'order', externalId: String(id) }],
      deliveries: [{ target: 'warehouse', state: 'delivered' }],
    });
    for (const ref of [name, String(id), told.record.id])
      expect((await jsonOf(system, 'record', ref)).record).toEqual(told.record);
    const { stdout } = await system.cli('record', name);
    expect(stdout).toContain(`order ${name}  revision ${told.record.revision}`);
  }, 20_000);

  it('checks the configuration and every credential', async () => {
    const { problems, connections } = await jsonOf(system, 'check');
    expect(problems).toEqual([]);
    expect(connections.map((c: { connection: string; ok: boolean }) => [c.connection, c.ok])).toEqual([
      ['shop', true],
      ['carrier', true],
      ['warehouse', true],
    ]);
  });

  it('tells how the providers’ messages changed, and looks at all of them', async () => {
    const { changes, watched } = await jsonOf(system, 'drift');
    expect(changes).toEqual([]);
    const types = watched.map((w: { connection: string; noun: string }) => `${w.connection} ${w.noun}`);
    expect(types).toEqual(expect.arrayContaining(['shop order', 'carrier tracker']));
    expect((await system.cli('drift', 'shop')).stdout).toContain('Nothing changed in what the providers send.');
    const { code: exit, stderr } = await system.cli('drift', 'shpo');
    expect([exit, stderr]).toEqual([2, expect.stringContaining('did you mean "shop"?')]);
  });

  it('maps a payload, and says what a record would be', async () => {
    const fixture = join(
      import.meta.dirname,
      '../../libs/connectors/src/easypost/fixtures/tracker/delivered-event.json',
    );
    const file = join(folder, 'payload.json');
    writeFileSync(file, JSON.stringify(JSON.parse(readFileSync(fixture, 'utf8')).body));
    const observed = await jsonOf(system, 'map', 'carrier', 'tracker', file);
    expect(observed[0]).toMatchObject({ kind: 'shipment', noun: 'tracker', fields: { status: 'delivered' } });
  });

  it('shows a service’s log without a secret or a buyer in it', async () => {
    const { code, stdout } = await system.cli('logs', 'transformer', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout.split('\n')[0]!)).toMatchObject({ service: 'transformer' });
    const secrets = readFileSync(join(system.stateDir, 'sandbox.env'), 'utf8').match(/(?<=^\w+=).+$/gm)!;
    expect(secrets).toHaveLength(4);
    const all = system
      .local()
      .services.map(({ name }) => system.log(name))
      .join('');
    for (const secret of [...secrets, '@example.com']) expect(all).not.toContain(secret);
  });
});

describe('a trace', () => {
  const spans = (): Span[] =>
    readFileSync(join(folder, 'spans.jsonl'), 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Span);

  /** A span and those it is part of, the outermost first. */
  function lineage(all: Map<string, Span>, span: Span): Span[] {
    const parent = span.parentSpanId === null ? undefined : all.get(span.parentSpanId);
    return parent === undefined ? [span] : [...lineage(all, parent), span];
  }

  it('leads unbroken from a webhook of the shop to the request that makes the tracker', async () => {
    const found = await until(system, 'the span of the tracker’s request', 15_000, async () => {
      const all = spans();
      const made = all.find(
        (s) => s.service === 'writer-easypost' && s.kind === client && s.attributes['http.request.method'] === 'POST',
      );
      return made && { all, made };
    });
    const way = lineage(new Map(found.all.map((s) => [s.spanId, s])), found.made);
    expect(new Set(way.map(({ traceId }) => traceId)).size).toBe(1);
    expect(way[0]).toMatchObject({ service: 'ingestor-shopify', kind: server, parentSpanId: null });
    expect([...new Set(way.map(({ service }) => service))]).toEqual([
      'ingestor-shopify',
      'transformer',
      'writer-easypost',
    ]);
    const told = await jsonOf(system, 'record', code);
    expect(told.history.map(({ traceId }: { traceId: string }) => traceId)).toContain(found.made.traceId);
  }, 30_000);

  it('says nothing of the buyer', async () => {
    const order = await story.order(sent);
    const text = readFileSync(join(folder, 'spans.jsonl'), 'utf8');
    expect(text).not.toContain(order.email);
    expect(text).not.toContain('@example.com');
  });
});
