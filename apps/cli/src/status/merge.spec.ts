import { describe, expect, it } from '@jest/globals';
import type { Local, LocalService } from '../local.js';
import { mergeStatus, type ServiceStatus, serviceStatus } from './merge.js';
import { ago, span, statusLines } from './table.js';

const service = (name: string, role: LocalService['role'], connections: string[]): LocalService => ({
  name,
  role,
  connections,
  pid: 7,
  url: 'http://127.0.0.1:1',
  state: 'ready',
  restarts: 0,
});

const local: Local = {
  kafkaBrokers: '127.0.0.1:9',
  databaseUrl: '',
  warehouseUrl: '',
  webhooks: {},
  sandbox: null,
  services: [
    service('ingestor-shopify', 'ingestor', ['shop']),
    service('transformer', 'transformer', ['shop']),
    service('writer-postgres', 'writer', ['warehouse']),
  ],
  infra: [],
  config: '',
  connections: { shop: 'shopify', warehouse: 'postgres' },
};

const answers = (parts: Record<string, unknown>): Map<string, ServiceStatus> =>
  new Map(Object.entries(parts).map(([name, part]) => [name, serviceStatus.parse(part)]));

const all = {
  'ingestor-shopify': {
    connections: [
      { name: 'shop', state: 'connected', reason: null, accepted: 12, lastReceivedAt: Date.UTC(2026, 10, 23, 10) },
    ],
  },
  transformer: {
    changed: { shop: 5 },
    consumers: [{ group: 'transformer', topic: 'raw.shopify.order', lagRecords: 3, lagSeconds: 0.4 }],
  },
  'writer-postgres': {
    targets: [
      { name: 'warehouse', desired: 5, delivered: 4, pending: 1, dead: 0, freshnessMs: { p50: 30, p99: 1_900 } },
    ],
    consumers: [{ group: 'writer.warehouse', topic: 'canonical.order', lagRecords: 0, lagSeconds: 0 }],
  },
};

describe('mergeStatus', () => {
  it('puts each service’s part where it belongs', () => {
    const status = mergeStatus(local, answers(all));
    expect(status.connections).toEqual([
      {
        name: 'shop',
        provider: 'shopify',
        state: 'connected',
        reason: null,
        accepted: 12,
        changed: 5,
        lastReceivedAt: '2026-11-23T10:00:00.000Z',
        paused: null,
      },
    ]);
    expect(status.targets).toEqual([
      {
        name: 'warehouse',
        state: 'ready',
        reason: null,
        desired: 5,
        delivered: 4,
        pending: 1,
        dead: 0,
        freshnessMs: { p50: 30, p99: 1_900 },
        paused: null,
      },
    ]);
    expect(status.consumers.map(({ group }) => group)).toEqual(['transformer', 'writer.warehouse']);
    expect(status.services.map(({ state }) => state)).toEqual(['ready', 'ready', 'ready']);
  });

  it('shows what does not answer as down, with its figures unknown', () => {
    const { 'ingestor-shopify': ingestor } = all;
    const status = mergeStatus(local, answers({ 'ingestor-shopify': ingestor }));
    expect(status.connections[0]).toMatchObject({ state: 'connected', accepted: 12, changed: null });
    expect(status.targets[0]).toMatchObject({ name: 'warehouse', state: 'down', desired: null, delivered: null });
    expect(status.services.map(({ state }) => state)).toEqual(['ready', 'down', 'down']);
    expect(statusLines(status).join('\n')).toMatch(/transformer down; writer-postgres down/);
  });

  it('says why a connection does not work', () => {
    const refused = {
      name: 'shop',
      state: 'unauthorized',
      reason: 'the shop refuses the client secret',
      accepted: 0,
      lastReceivedAt: null,
    };
    const lines = statusLines(mergeStatus(local, answers({ 'ingestor-shopify': { connections: [refused] } })));
    expect(lines.at(-1)).toBe('shop: the shop refuses the client secret');
  });

  it('counts no change of a connection as zero where the transformer answers', () => {
    expect(mergeStatus(local, answers({ transformer: { changed: {} } })).connections[0]?.changed).toBe(0);
  });
});

describe('the status for people', () => {
  it('aligns figures and names what lags', () => {
    const lines = statusLines(mergeStatus(local, answers(all)), Date.parse('2026-11-23T10:00:02.500Z'));
    expect(lines).toContain('shop        shopify   connected        12        5  2.5 s ago');
    expect(lines).toContain('Lag: transformer on raw.shopify.order 3 (0.4 s)');
    expect(lines).toContain('All 3 services are ready.');
  });

  it('says who waits for the budget of a connection, once', () => {
    const budget = {
      available: 3,
      perSecond: 100,
      burst: 2_000,
      learned: true,
      pausedMs: 1_200,
      waiting: [{ service: 'writer-shopify', priority: 'write', tokens: 70, forMs: 2_100 }],
      sharers: 2,
    };
    const shop = { name: 'shop', accepted: 0, lastReceivedAt: null, state: 'connected', budget };
    const target = {
      name: 'shop',
      desired: 0,
      delivered: 0,
      pending: 0,
      dead: 0,
      freshnessMs: { p50: null, p99: null },
    };
    const told = answers({
      'ingestor-shopify': { connections: [shop] },
      'writer-shopify': { targets: [{ ...target, budget }] },
    });
    const status = mergeStatus(local, told);
    expect(status.budgets).toEqual([{ connection: 'shop', ...budget }]);
    expect(statusLines(status)).toContain(
      'Budget of shop: 3 left, 100 a second; paused for 1.2 s; writer-shopify waits for 70 (write, 2.1 s)',
    );
  });

  it('says what is paused, since when', () => {
    const since = Date.UTC(2026, 10, 23, 9, 58);
    const paused = {
      ...all,
      'ingestor-shopify': { connections: [{ ...all['ingestor-shopify'].connections[0], paused: since }] },
      'writer-postgres': { targets: [{ ...all['writer-postgres'].targets[0], paused: since }] },
    };
    const lines = statusLines(mergeStatus(local, answers(paused)), Date.parse('2026-11-23T10:00:00.000Z'));
    expect(lines).toContain('shop        shopify   paused        12        5  0 ms ago');
    expect(lines.at(-1)).toMatch(/^Paused: shop as a source for 2 min, warehouse as a target for 2 min /);
  });

  it('writes spans shortly', () => {
    expect([null, 12.4, 1_250, 90_000, 7_200_000].map(span)).toEqual(['-', '12 ms', '1.3 s', '2 min', '2 h']);
    expect(ago(null)).toBe('never');
  });
});
