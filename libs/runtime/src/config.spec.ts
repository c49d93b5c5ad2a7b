import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { type ProviderSchemas, targetsOf } from './config.js';
import { ConfigError, type ConfigProblem } from './config-error.js';
import { parseSynclineConfig } from './config-parse.js';

const providers: ProviderSchemas[] = [
  {
    provider: 'shopify',
    settings: z.object({
      url: z.url().describe('The shop'),
      since: z
        .string()
        .regex(/^\d+d$/)
        .default('30d'),
    }),
    secrets: z.object({ clientSecret: z.string().min(8).describe("The app's client secret") }),
    readonly: false,
    writesOnly: false,
    kinds: ['order', 'shipment'],
  },
  {
    provider: 'ups',
    settings: z.object({}),
    secrets: z.object({}),
    readonly: true,
    writesOnly: false,
    kinds: ['shipment'],
  },
  {
    provider: 'postgres',
    settings: z.object({}),
    secrets: z.object({}),
    readonly: false,
    writesOnly: true,
    kinds: ['order', 'shipment'],
  },
];

const good = `
connections:
  shop: { provider: shopify, settings: { url: "https://a.example" }, secrets: { clientSecret: "\${SECRET}" } }
  carrier: { provider: ups }
  warehouse: { provider: postgres }
flows:
  - { kinds: [order, shipment], from: [shop, carrier], to: [warehouse] }
  - { kinds: [shipment], from: [carrier], to: [shop] }
ownership: { shipment: { status: carrier } }
`;
const env = { SECRET: 'hush-hush-hush' };

const problemsOf = (text: string, given: NodeJS.ProcessEnv = env): ConfigProblem[] => {
  try {
    parseSynclineConfig(text, 'syncline.yaml', given, providers);
  } catch (thrown) {
    if (thrown instanceof ConfigError) return thrown.problems;
    throw thrown;
  }
  return [];
};

describe('syncline.yaml', () => {
  it('is read, filled and defaulted', () => {
    const config = parseSynclineConfig(good, 'syncline.yaml', env, providers);
    expect(config.connections.shop).toEqual({
      name: 'shop',
      provider: 'shopify',
      settings: { url: 'https://a.example', since: '30d' },
      secrets: { clientSecret: 'hush-hush-hush' },
    });
    expect(config.flows[1]).toEqual({ kinds: ['shipment'], from: ['carrier'], to: ['shop'] });
    expect(config.ownership).toEqual({ shipment: { status: 'carrier' } });
    expect(targetsOf(config)).toEqual([
      { connection: 'warehouse', provider: 'postgres', kinds: ['order', 'shipment'] },
      { connection: 'shop', provider: 'shopify', kinds: ['shipment'] },
    ]);
  });

  it('reports every mistake at once, where it is and with the nearest name', () => {
    const text = `connections:
  shop: { provider: shopfy, settings: { url: "https://a.example" } }
  store: { provider: shopify, settings: { url: "nonsense", sinse: 60d }, secrets: {} }
  Bad_Name: { provider: ups }
flows:
  - { kinds: [order, shipmnet], from: [stoer], to: [carrier] }
ownership: { shipment: { statsu: store, carrier: nobody }, parcel: {} }
conections: {}
`;
    expect(problemsOf(text).map((p) => [p.path, p.line, p.column, p.message])).toEqual([
      ['conections', 8, 1, expect.stringContaining('did you mean "connections"?')],
      ['connections.shop.provider', 2, 21, expect.stringContaining('did you mean "shopify"?')],
      ['connections.store.settings.sinse', 3, 60, expect.stringContaining('did you mean "since"?')],
      ['connections.store.settings.url', 3, 48, expect.stringContaining('The shop')],
      ['connections.store.secrets.clientSecret', 3, 83, "is missing (The app's client secret)"],
      ['connections.Bad_Name', 4, 3, expect.stringContaining('a-z')],
      ['flows.0.kinds.1', 6, 22, expect.stringContaining('did you mean "shipment"?')],
      ['flows.0.from.0', 6, 40, expect.stringContaining('did you mean "store"?')],
      ['flows.0.to.0', 6, 53, expect.stringContaining('expected one of shop, store, Bad_Name')],
      ['ownership.shipment.statsu', 7, 26, expect.stringContaining('did you mean "status"?')],
      ['ownership.shipment.carrier', 7, 50, expect.stringContaining('no connection is called "nobody"')],
      ['ownership.parcel', 7, 60, expect.stringContaining('expected one of order, shipment')],
    ]);
  });

  it('refuses a read-only target, a write-only source, a kind nobody has and a flow to itself', () => {
    const text = `connections: { a: { provider: ups }, b: { provider: postgres }, c: { provider: ups } }
flows:
  - { kinds: [order], from: [a], to: [a, b] }
  - { kinds: [shipment], from: [b], to: [c] }
`;
    expect(problemsOf(text).map((p) => [p.path, p.message])).toEqual([
      ['flows.0.to.0', '"a" cannot be a target: ups is read only'],
      ['flows.0.to.0', 'this flow goes from "a" to itself'],
      ['flows.0.kinds.0', 'none of a has records of the kind "order"'],
      ['flows.1.to.0', '"c" cannot be a target: ups is read only'],
      ['flows.1.from.0', '"b" cannot be a source: postgres is only written to'],
    ]);
  });

  it('names a variable that is missing and never shows a value', () => {
    const [missing, ...others] = problemsOf(good, {});
    expect(missing).toMatchObject({ path: 'connections.shop.secrets.clientSecret', line: 3 });
    expect(missing?.message).toContain('SECRET is not set');
    expect(others).toEqual([]);
    const short = problemsOf(good, { SECRET: 'tooshrt' });
    expect(short).toHaveLength(1);
    expect(JSON.stringify(short)).not.toContain('tooshrt');
  });

  it('finds names used twice, broken YAML and an empty file', () => {
    expect(problemsOf('connections:\n  a: { provider: ups }\n  a: { provider: ups }\n')).toMatchObject([
      { line: 3, column: 3, message: expect.stringContaining('used twice') },
    ]);
    const broken = problemsOf('connections: { a: "secret-in-the-text\n');
    expect(broken.length).toBeGreaterThan(0);
    expect(JSON.stringify(broken)).not.toContain('secret-in-the-text');
    expect(problemsOf('')).toHaveLength(1);
    expect(problemsOf('- a')).toHaveLength(1);
  });

  it('does not fill variables outside settings and secrets, where messages quote names', () => {
    const found = problemsOf(`connections: { a: { provider: "\${SECRET}" } }`);
    expect(JSON.stringify(found)).not.toContain('hush');
  });

  it('can leave other providers alone: neither their variables nor their settings are looked at', () => {
    const only = providers.filter((p) => p.provider === 'ups');
    const config = parseSynclineConfig(good, 'syncline.yaml', {}, only, { othersUnchecked: true });
    expect(config.connections.shop).toEqual({ name: 'shop', provider: 'shopify', settings: {}, secrets: {} });
    expect(targetsOf(config)).toHaveLength(2);
  });
});
