import { describe, expect, it } from '@jest/globals';
import type { Local } from '../local.js';
import { changeLine, collectChanges, type Ended, wordsOf } from './recent.js';
import { frame, plainStatus } from './view.js';

const news = (target: string, more: Partial<Ended> = {}): Ended => ({
  at: 10_000,
  target,
  kind: 'order',
  id: 'o-1',
  revision: 9,
  outcome: 'written',
  deleted: false,
  tookMs: 300,
  ...more,
});

describe('the last records', () => {
  it('are one line per record, with every target it reached', () => {
    const changes = collectChanges();
    changes.add([news('warehouse')]);
    changes.add([news('carrier', { at: 10_200, tookMs: 1_500 }), news('shop', { outcome: 'dead', tookMs: null })]);
    const [change, ...others] = changes.newest();
    expect(others).toEqual([]);
    expect(changeLine({ ...change!, words: '#1042 paid' })).toBe(
      'order #1042 paid → warehouse 300 ms, carrier 1.5 s, shop failed',
    );
  });

  it('start a new line for a later change of the same record', () => {
    const changes = collectChanges();
    changes.add([news('warehouse'), news('carrier')]);
    changes.add([news('warehouse', { revision: 12, at: 20_000, tookMs: 80 })]);
    expect(changes.newest().map(changeLine)).toEqual(['order o-1 → warehouse 80 ms']);
  });

  it('leave out what wrote nothing', () => {
    const changes = collectChanges();
    changes.add([news('warehouse', { outcome: 'superseded', tookMs: null })]);
    expect(changes.newest()).toEqual([]);
  });

  it('are the newest ten, oldest first', () => {
    const changes = collectChanges();
    changes.add(Array.from({ length: 500 }, (_, i) => news('warehouse', { id: `o-${i}`, at: i })));
    expect(changes.newest().map(({ id }) => id)).toEqual(Array.from({ length: 10 }, (_, i) => `o-${490 + i}`));
  });

  it('are told once, when nothing more is expected', () => {
    const changes = collectChanges();
    changes.add([news('warehouse')]);
    expect(changes.takeSettled(11_000)).toEqual([]);
    expect(changes.takeSettled(11_600)).toHaveLength(1);
    expect(changes.takeSettled(20_000)).toEqual([]);
  });

  it.each([
    [{ name: '#1042', financialStatus: 'paid', status: 'open' }, '#1042 paid'],
    [{ trackingNumber: 'EZ1', status: 'in_transit' }, 'EZ1 in_transit'],
    [{ status: null }, ''],
  ])('call %j %j', (data, words) => expect(wordsOf(data)).toBe(words));
});

describe('the view', () => {
  const status = {
    connections: [
      {
        name: 'shop',
        provider: 'shopify',
        state: 'connected',
        reason: null,
        accepted: 4,
        changed: 3,
        lastReceivedAt: null,
        paused: null,
      },
    ],
    targets: [
      {
        name: 'warehouse',
        state: 'ok',
        reason: null,
        desired: 3,
        delivered: 2,
        pending: 1,
        dead: 0,
        freshnessMs: { p50: 40, p99: 120 },
        paused: null,
      },
    ],
    consumers: [],
    budgets: [],
    services: [{ name: 'transformer', state: 'restarting', pid: null, url: null, restarts: 2, clockSkewMs: null }],
  };
  const local: Local = {
    kafkaBrokers: '127.0.0.1:9092',
    databaseUrl: 'postgres://syncline:secret@127.0.0.1:5432/syncline',
    warehouseUrl: 'postgres://syncline:secret@127.0.0.1:5432/warehouse',
    webhooks: { shop: 'http://127.0.0.1:8081/webhooks/shop' },
    sandbox: null,
    services: [],
    infra: [{ name: 'kafka', pid: null, state: 'restarting', restarts: 1 }],
    config: '',
    connections: {},
  };

  it('shows figures, services, servers and addresses, and no password', () => {
    const text = frame({ status, changes: [], steps: ['transformer ended'], local, upMs: 5_000, nowMs: 0 }).join('\n');
    expect(text).toMatch(/shop .* connected .* 4 .* 3/);
    expect(text).toMatch(/warehouse .* ok .* 3 .* 2 .* 1 .* 0 .*40 ms .*120 ms/);
    expect(text).toContain('Services: transformer restarting, restarted 2×');
    expect(text).toContain('Servers: kafka restarting');
    expect(text).toContain('http://127.0.0.1:8081/webhooks/shop');
    expect(text).not.toContain('secret');
  });

  it('says it in one line where there is no terminal', () => {
    expect(plainStatus(status)).toBe('shop accepted 4 changed 3 → warehouse 2/3 (1 pending) p99 120 ms');
  });
});
