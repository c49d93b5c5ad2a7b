import { describe, expect, it } from '@jest/globals';
import { quietShop } from '../testing/quiet-shop.js';
import { connection } from './connection.js';
import { bagOf, formatMinor, moneyV2, toMinor } from './money.js';
import { placeOrder } from './place.js';
import { parseQuery, SearchError } from './search.js';
import { restTime } from './times.js';

const entry = { id: 7, name: '#1007', createdAt: 1_000, updatedAt: Date.parse('2026-07-01T10:00:00Z'), tags: ['vip'] };
const matches = (query: string): boolean => parseQuery(query).every((test) => test(entry));

describe('order search', () => {
  it.each([
    ['', true],
    ["updated_at:>='2026-07-01T10:00:00Z'", true],
    ["updated_at:>'2026-07-01T10:00:00Z'", false],
    ['updated_at:<=2026-07-01T06:00:00-04:00', true],
    ["updated_at:>='2026-07-01' AND updated_at:<'2026-07-02'", true],
    ['name:1007', true],
    ['name:"#1007"', true],
    ['id:>=8', false],
    ['tag:vip status:any', true],
  ])('%s', (query, expected) => expect(matches(query)).toBe(expected));

  it.each(['colour:red', 'free text', '-name:1', 'updated_at:>=yesterday', 'status:open'])('refuses %s', (query) => {
    expect(() => parseQuery(query)).toThrow(SearchError);
  });
});

describe('pages', () => {
  const items = [3, 1, 2].map((id) => ({ id }));
  const page = (args: object) =>
    connection(
      items,
      args,
      ({ id }) => ({ value: items.findIndex((item) => item.id === id), id }),
      ({ id }) => id,
    );

  it('follow each other by cursor', () => {
    const first = page({ first: 2 });
    expect(first).toMatchObject({ nodes: [3, 1], pageInfo: { hasNextPage: true, hasPreviousPage: false } });
    expect(page({ first: 2, after: first.pageInfo.endCursor })).toMatchObject({
      nodes: [2],
      pageInfo: { hasNextPage: false, hasPreviousPage: true },
    });
    expect(page({ last: 1 })).toMatchObject({ nodes: [2], pageInfo: { hasPreviousPage: true } });
  });

  it.each([{}, { first: 251 }, { first: 1, after: 'nonsense' }])('refuse %j', (args) =>
    expect(() => page(args)).toThrow(),
  );
});

describe('the list index', () => {
  it('lists both ways and leaves its own order alone', () => {
    const { shop } = quietShop({ listLagMs: 0 });
    const names = Array.from({ length: 5 }, () => placeOrder(shop).name);
    expect(shop.index.find('', 'ORDER_NUMBER', false).map(({ name }) => name)).toEqual(names);
    expect(shop.index.find('', 'ORDER_NUMBER', true).map(({ name }) => name)).toEqual([...names].reverse());
    expect(shop.index.find('', 'ORDER_NUMBER', false).map(({ name }) => name)).toEqual(names);
  });
});

describe('money and time', () => {
  it('writes amounts as REST and as GraphQL do', () => {
    expect([formatMinor(1_250, 'USD'), formatMinor(1_200, 'JPY'), formatMinor(1_250, 'KWD')]).toEqual([
      '12.50',
      '1200',
      '1.250',
    ]);
    expect([1_250, 1_200, 1_205, 0].map((minor) => moneyV2(minor, 'USD').amount)).toEqual([
      '12.5',
      '12.0',
      '12.05',
      '0.0',
    ]);
    expect(moneyV2(1_200, 'JPY').amount).toBe('1200.0');
  });

  it('reads amounts, and converts over different decimals', () => {
    expect([toMinor('12.50', 'USD'), toMinor('1200', 'JPY')]).toEqual([1_250, 1_200]);
    expect(() => toMinor('twelve', 'USD')).toThrow('no amount of money');
    expect(bagOf(1_000, { currency: 'USD', presentmentCurrency: 'JPY' }, 150)).toEqual([1_000, 1_500]);
  });

  it("writes times with the shop zone's offset, summer and winter", () => {
    expect(restTime(Date.parse('2026-07-01T12:00:00Z'))).toBe('2026-07-01T08:00:00-04:00');
    expect(restTime(Date.parse('2026-12-01T02:00:00Z'))).toBe('2026-11-30T21:00:00-05:00');
  });
});
