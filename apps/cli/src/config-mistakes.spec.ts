import { describe, expect, it } from '@jest/globals';
import { ConfigError, type ConfigProblem, parseSynclineConfig } from '@syncline/runtime';
import { providers } from './config.js';

const env = { SHOP_SECRET: 'hush-hush-hush', CARRIER_KEY: 'EZTKhushhush', EMPTY: '', SHORT: 'hush' };
const hidden = /hush/;

/** A sound file; `{}` parts are replaced by each mistake. */
const shop = `shop: { provider: shopify, settings: { url: "https://a.myshopify.com" }, secrets: { clientId: id, clientSecret: "\${SHOP_SECRET}" } }`;
const carrier = `carrier: { provider: easypost, secrets: { apiKey: "\${CARRIER_KEY}", webhookSecret: "\${SHOP_SECRET}" } }`;
const warehouse = 'warehouse: { provider: postgres, secrets: { url: "postgres://u:hush@h/db" } }';
const flow = '{ kinds: [order, shipment], from: [shop], to: [warehouse] }';
const file = (connections: readonly string[], rest = `flows:\n  - ${flow}\n`) =>
  `connections:\n${connections.map((c) => `  ${c}\n`).join('')}${rest}`;
const sound = file([shop, carrier, warehouse]);
const withFlow = (text: string) => file([shop, carrier, warehouse], `flows:\n  - ${text}\n`);
const withOwner = (text: string) => file([shop, carrier, warehouse], `ownership: ${text}\n`);

const problemsOf = (text: string): ConfigProblem[] => {
  try {
    parseSynclineConfig(text, 'syncline.yaml', env, providers());
  } catch (thrown) {
    if (thrown instanceof ConfigError) {
      expect(thrown.message).not.toMatch(hidden);
      return thrown.problems;
    }
    throw thrown;
  }
  return [];
};

type Mistake = [what: string, text: string, place: [line: number, column: number], path: string, message: RegExp];
const mistakes: Mistake[] = [
  ['an empty file', '', [1, 1], '', /expected a file with connections and flows/],
  ['a list', '- a\n', [1, 1], '', /expected a file with connections and flows/],
  ['no connection', 'connections: {}\n', [1, 14], 'connections', /expected at least one connection by name/],
  [
    'connections as a list',
    'connections: [shop]\n',
    [1, 14],
    'connections',
    /expected at least one connection by name/,
  ],
  ['a mistyped section', `${sound}flow: []\n`, [7, 1], 'flow', /"flow" is not known here; did you mean "flows"\?/],
  ['a tab as indent', `connections:\n\t${warehouse}\n`, [2, 1], '', /no valid YAML \(tab as indent\)/],
  ['a bracket that is not closed', 'connections: { shop: { provider: shopify\n', [2, 1], '', /no valid YAML/],
  ['an unknown alias', 'connections: { shop: *hush }\n', [1, 22], '', /alias .* has no anchor/],
  ['a name used twice', file([warehouse, warehouse], ''), [3, 3], '', /this name is used twice/],
  [
    'a name with capitals',
    file(['Shop: { provider: postgres, secrets: { url: postgres://h/d } }'], ''),
    [2, 3],
    'connections.Shop',
    /named by a letter a-z/,
  ],
  [
    'a connection without content',
    file(['shop:'], ''),
    [2, 8],
    'connections.shop',
    /expected \{ provider, settings, secrets \}/,
  ],
  [
    'no provider',
    file(['shop: { settings: {} }'], ''),
    [2, 3],
    'connections.shop',
    /provider is missing; expected one of shopify, easypost, postgres/,
  ],
  [
    'a mistyped provider',
    file(['shop: { provider: shopfy }'], ''),
    [2, 21],
    'connections.shop.provider',
    /did you mean "shopify"\?/,
  ],
  [
    'a provider that is a number',
    file(['shop: { provider: 5 }'], ''),
    [2, 21],
    'connections.shop.provider',
    /no provider is called "5"; expected one of/,
  ],
  [
    'a mistyped part',
    file([warehouse.replace('secrets', 'secret')], ''),
    [2, 36],
    'connections.warehouse.secret',
    /did you mean "secrets"\?/,
  ],
  [
    'a secret outside of secrets',
    file(['c: { provider: easypost, apiKey:hush }'], ''),
    [2, 28],
    'connections.c.apiKey…',
    /"apiKey…" is not known here \(a space belongs after a colon\)/,
  ],
  [
    'a mistyped setting',
    file([shop.replace('url:', 'urll:')], ''),
    [2, 42],
    'connections.shop.settings.urll',
    /did you mean "url"\?/,
  ],
  [
    'a setting of the wrong type',
    file(['w: { provider: postgres, settings: { connections: many }, secrets: { url: postgres://h/d } }'], ''),
    [2, 53],
    'connections.w.settings.connections',
    /expected number, received string \(Sessions a writer holds at most\)/,
  ],
  [
    'a setting out of bounds',
    file(['w: { provider: postgres, settings: { connections: 5000 }, secrets: { url: postgres://h/d } }'], ''),
    [2, 53],
    'connections.w.settings.connections',
    /<=50/,
  ],
  [
    'a mistyped word',
    file(['w: { provider: postgres, settings: { onDelete: archiv }, secrets: { url: postgres://h/d } }'], ''),
    [2, 50],
    'connections.w.settings.onDelete',
    /did you mean "archive"\?/,
  ],
  [
    'an address without https',
    file([shop.replace('https', 'http')], ''),
    [2, 47],
    'connections.shop.settings.url',
    /expected https:/,
  ],
  [
    'an address inside a network',
    file([carrier.replace('secrets', 'settings: { url: "https://169.254.169.254" }, secrets')], ''),
    [2, 51],
    'connections.carrier.settings.url',
    /expected https:/,
  ],
  [
    'a span nobody knows',
    file([shop.replace('settings: {', 'settings: { since: sixty days,')], ''),
    [2, 49],
    'connections.shop.settings.since',
    /expected a duration such as 60d/,
  ],
  [
    'settings as a list',
    file(['w: { provider: postgres, settings: [public], secrets: { url: postgres://h/d } }'], ''),
    [2, 38],
    'connections.w.settings',
    /expected schema, onDelete, connections, statementMsMax by name/,
  ],
  [
    'a missing secret',
    file([carrier.replace(/apiKey: "[^"]*", /, '')], ''),
    [2, 43],
    'connections.carrier.secrets.apiKey',
    /is missing \(API key/,
  ],
  [
    'a secret that is too short',
    file([carrier.replace('SHOP_SECRET', 'SHORT')], ''),
    [2, 86],
    'connections.carrier.secrets.webhookSecret',
    /has not the expected form \(Secret EasyPost signs/,
  ],
  [
    'a secret that is a number',
    file([carrier.replace(/"[^"]*"/, '123456')], ''),
    [2, 53],
    'connections.carrier.secrets.apiKey',
    /has not the expected form/,
  ],
  [
    'a secret of an unknown name',
    file([carrier.replace('apiKey:', 'apiKye: hush, apiKey:')], ''),
    [2, 45],
    'connections.carrier.secrets',
    /this name is not known here; did you mean "apiKey"\?/,
  ],
  [
    'a secret without a space after its colon',
    file(['c: { provider: easypost, secrets: { apiKey: k, webhookSecret:hush-hush } }'], ''),
    [2, 50],
    'connections.c.secrets',
    /\(a space belongs after a colon\); did you mean "webhookSecret"\?/,
  ],
  [
    'secrets as one text',
    file(['c: { provider: easypost, secrets: hush }'], ''),
    [2, 37],
    'connections.c.secrets',
    /expected apiKey, webhookSecret, webhookSecretOld by name/,
  ],
  [
    'a variable that is not set',
    file([carrier.replace('CARRIER_KEY', 'CARRIER_KEYS')], ''),
    [2, 53],
    'connections.carrier.secrets.apiKey',
    /the environment variable CARRIER_KEYS is not set/,
  ],
  [
    'a variable that is empty',
    file([carrier.replace('CARRIER_KEY', 'EMPTY')], ''),
    [2, 53],
    'connections.carrier.secrets.apiKey',
    /the environment variable EMPTY is not set/,
  ],
  [
    'a placeholder that names nothing',
    file([carrier.replace('CARRIER_KEY', 'no name')], ''),
    [2, 53],
    'connections.carrier.secrets.apiKey',
    /consists of letters, digits and _/,
  ],
  [
    'a placeholder that is not closed',
    file([carrier.replace('CARRIER_KEY}', 'CARRIER_KEY')], ''),
    [2, 53],
    'connections.carrier.secrets.apiKey',
    /a placeholder .* ends with \}/,
  ],
  [
    'a variable without braces',
    file([carrier.replace('{CARRIER_KEY}', 'CARRIER_KEY')], ''),
    [2, 53],
    'connections.carrier.secrets.apiKey',
    /is written \$\{NAME\}/,
  ],
  [
    'flows as a mapping',
    file([warehouse], 'flows: { kinds: [order] }\n'),
    [3, 8],
    'flows',
    /expected a list of \{ kinds, from, to \}/,
  ],
  ['a flow that is a text', withFlow('order'), [6, 5], 'flows.0', /expected \{ kinds, from, to \}/],
  [
    'a flow without a target',
    withFlow('{ kinds: [order], from: [shop] }'),
    [6, 5],
    'flows.0.to',
    /expected a list of at least one connection/,
  ],
  [
    'a flow with a mistyped part',
    withFlow(flow.replace('from', 'form')),
    [6, 33],
    'flows.0.form',
    /did you mean "from"\?/,
  ],
  [
    'a kind that is no list',
    withFlow(flow.replace('[order, shipment]', 'order')),
    [6, 14],
    'flows.0.kinds',
    /expected a list of at least one kind/,
  ],
  [
    'a mistyped kind',
    withFlow(flow.replace('shipment', 'shipmnet')),
    [6, 22],
    'flows.0.kinds.1',
    /did you mean "shipment"\?/,
  ],
  [
    'a kind listed twice',
    withFlow(flow.replace('shipment', 'order')),
    [6, 22],
    'flows.0.kinds.1',
    /"order" is listed twice/,
  ],
  [
    'a mistyped connection',
    withFlow(flow.replace('[shop]', '[shpo]')),
    [6, 40],
    'flows.0.from.0',
    /no connection is called "shpo"; did you mean "shop"\?/,
  ],
  [
    'a source that is only written to',
    withFlow(flow.replace('[shop]', '[shop, warehouse]')),
    [6, 46],
    'flows.0.from.1',
    /"warehouse" cannot be a source: postgres is only written to/,
  ],
  [
    'a flow to itself',
    withFlow(flow.replace('[warehouse]', '[shop]')),
    [6, 52],
    'flows.0.to.0',
    /this flow goes from "shop" to itself/,
  ],
  [
    'a kind its sources do not have',
    withFlow('{ kinds: [order], from: [carrier], to: [warehouse] }'),
    [6, 15],
    'flows.0.kinds.0',
    /none of carrier has records of the kind "order"/,
  ],
  [
    'an owner of an unknown kind',
    withOwner('{ shipmnt: { status: carrier } }'),
    [5, 14],
    'ownership.shipmnt',
    /did you mean "shipment"\?/,
  ],
  [
    'an owner of an unknown field',
    withOwner('{ shipment: { stats: carrier } }'),
    [5, 26],
    'ownership.shipment.stats',
    /shipment has no field "stats"; did you mean "status"\?/,
  ],
  [
    'an owner nobody is',
    withOwner('{ shipment: { status: carier } }'),
    [5, 34],
    'ownership.shipment.status',
    /did you mean "carrier"\?/,
  ],
  [
    'an owner that is never read',
    withOwner('{ shipment: { status: warehouse } }'),
    [5, 34],
    'ownership.shipment.status',
    /"warehouse" cannot own a field: postgres is only written to/,
  ],
  [
    'an owner without such records',
    withOwner('{ order: { note: carrier } }'),
    [5, 29],
    'ownership.order.note',
    /easypost has no records of the kind "order"/,
  ],
];

describe('mistakes in syncline.yaml', () => {
  it('finds none in a sound file', () => expect(problemsOf(sound)).toEqual([]));

  it.each(mistakes)('%s', (_, text, [line, column], path, message) => {
    const problems = problemsOf(text);
    expect(problems).toContainEqual({ path, line, column, message: expect.stringMatching(message) });
    expect(JSON.stringify(problems)).not.toMatch(hidden);
    for (const problem of problems) expect([problem.line, problem.column]).not.toContain(undefined);
  });

  it('tells all of them at once', () => {
    const text = file(
      [shop.replace('url:', 'urll:'), carrier.replace('CARRIER_KEY', 'NOT_SET'), 'x: { provider: shopfy }'],
      `flows:\n  - { kinds: [ordr], from: [shpo], to: [] }\nownership: { parcel: {} }\nmore: 1\n`,
    );
    expect(problemsOf(text).map((p) => p.path)).toEqual([
      'more',
      'connections.shop.settings.urll',
      'connections.shop.settings.url',
      'connections.carrier.secrets.apiKey',
      'connections.x.provider',
      'flows.0.kinds.0',
      'flows.0.from.0',
      'flows.0.to',
      'ownership.parcel',
    ]);
  });
});
