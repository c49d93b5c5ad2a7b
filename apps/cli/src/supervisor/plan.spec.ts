import { describe, expect, it } from '@jest/globals';
import type { SynclineConfig } from '@syncline/runtime';
import { restartDelayMs } from './backoff.js';
import { plannedServices } from './plan.js';

const connection = (name: string, provider: string) => ({ name, provider, settings: {}, secrets: {} });

const config = (flows: SynclineConfig['flows']): SynclineConfig => ({
  connections: {
    shop: connection('shop', 'shopify'),
    outlet: connection('outlet', 'shopify'),
    carrier: connection('carrier', 'easypost'),
    warehouse: connection('warehouse', 'postgres'),
  },
  flows,
  ownership: {},
});

describe('the services of a configuration', () => {
  it('are an ingestor per source provider, the transformer, and a writer per target provider', () => {
    const planned = plannedServices(
      config([
        { kinds: ['order', 'shipment'], from: ['shop', 'outlet', 'carrier'], to: ['warehouse'] },
        { kinds: ['shipment'], from: ['carrier'], to: ['shop'] },
      ]),
    );
    expect(planned.map(({ name, connections }) => [name, connections])).toEqual([
      ['ingestor-shopify', ['shop', 'outlet']],
      ['ingestor-easypost', ['carrier']],
      ['transformer', ['shop', 'outlet', 'carrier']],
      ['writer-postgres', ['warehouse']],
      ['writer-shopify', ['shop']],
    ]);
  });

  it('leave out providers that no flow names', () => {
    const planned = plannedServices(config([{ kinds: ['order'], from: ['shop'], to: ['warehouse'] }]));
    expect(planned.map(({ program }) => program)).toEqual([
      'apps/ingestors/shopify/dist/main.js',
      'apps/transformer/dist/main.js',
      'apps/writers/postgres/dist/main.js',
    ]);
  });
});

describe('the wait before a restart', () => {
  it('is short at first, doubles, and ends at 15 s', () => {
    expect([1, 2, 3, 8, 50].map(restartDelayMs)).toEqual([200, 400, 800, 15_000, 15_000]);
  });
});
