import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { changesOf } from './changes.js';
import { addMessage, addShape, newShape, nodesMax, type Shape } from './shape.js';
import { readShape, shapeText } from './shape-text.js';

type Make = (i: number) => unknown;
let clock = 1_000;
const feed = (shape: Shape, count: number, make: Make, version: string | null = null): Shape => {
  for (let i = 0; i < count; i++) addMessage(shape, make(i), clock++, version);
  return shape;
};
const order = (more: object = {}) => ({ id: 7, name: '#1', total: '1.00', lines: [{ sku: 'a', grams: 4 }], ...more });
const told = (shape: Shape) => changesOf(shape).map(({ change, path, from, to }) => ({ change, path, from, to }));

describe('what messages look like', () => {
  it('tells nothing of messages that stay alike, of fields that come seldom, and of null', () => {
    const shape = newShape();
    feed(shape, 400, (i) =>
      order({ note: i % 3 === 0 ? null : 'x', ...(i % 7 === 0 ? { gift: { to: 'x' } } : {}), refunds: [] }),
    );
    feed(shape, 30, () => order({ note: null, refunds: [] }));
    expect(told(shape)).toEqual([]);
  });

  it('tells what appeared, once, with its type and since when', () => {
    const shape = feed(newShape(), 50, () => order());
    const since = clock;
    feed(shape, 5, () => order({ duties: { amount: '1', currency: 'EUR' }, lines: [{ sku: 'a', grams: 4, hs: '1' }] }));
    expect(changesOf(shape)).toEqual([
      expect.objectContaining({ change: 'appeared', path: 'lines[].hs', to: ['string'], since, messages: 5 }),
      expect.objectContaining({ change: 'appeared', path: 'duties', to: ['object'], since, messages: 5 }),
    ]);
  });

  it('tells what vanished, since it was last there, and not what is only rare', () => {
    const shape = newShape();
    feed(shape, 100, (i) => order({ ...(i % 50 === 0 ? { rare: 1 } : {}), old: { deep: 1 } }));
    const last = clock - 1;
    feed(shape, 25, () => order());
    expect(changesOf(shape)).toEqual([
      expect.objectContaining({ change: 'vanished', path: 'old', from: ['object'], since: last, messages: 25 }),
    ]);
  });

  it('tells a changed type also inside lists, and a new version of the API', () => {
    const shape = feed(newShape(), 30, () => order(), '2026-07');
    feed(shape, 3, () => order({ id: 'gid://7', lines: [{ sku: 'a', grams: '4' }] }), '2026-10');
    expect(told(shape)).toEqual([
      { change: 'version', path: '2026-10', from: [], to: [] },
      { change: 'retyped', path: 'id', from: ['number'], to: ['string'] },
      { change: 'retyped', path: 'lines[].grams', from: ['number'], to: ['string'] },
    ]);
  });

  it('says the same whether one process saw the messages, or several did in turns, or it was stored between', () => {
    const make: Make = (i) => order({ ...(i < 60 ? { old: 1 } : {}), ...(i > 70 ? { fresh: true } : {}) });
    const messages = Array.from({ length: 120 }, (_, i) => make(i));
    const whole = newShape();
    let parts = newShape();
    let part = newShape();
    messages.forEach((message, i) => {
      addMessage(whole, message, i, null);
      addMessage(part, message, i, null);
      if (i % 13 !== 12) return;
      parts = readShape(JSON.parse(shapeText(parts)));
      addShape(parts, part);
      part = newShape();
    });
    addShape(parts, part);
    expect(changesOf(parts)).toEqual(changesOf(whole));
    expect(told(whole)).toEqual([
      { change: 'vanished', path: 'old', from: ['number'], to: [] },
      { change: 'appeared', path: 'fresh', from: [], to: ['boolean'] },
    ]);
  });
});

describe('keys that are data', () => {
  it.each<[string, (i: number) => string]>([
    ['ids', (i) => String(450789469 + i)],
    ['prefixed ids', (i) => `order_${10_000 + i}`],
    ['addresses', (i) => `person${i}@example.com`],
    ['days', (i) => `2026-01-${i}`],
    ['names with spaces', (i) => `Zoë Müller ${i}`],
    [
      'words',
      (i) => `w${'abcdefghijklmnopqrstuvwxyz'[i % 26]}${'abcdefghijklmnopqrstuvwxyz'[Math.floor(i / 26) % 26]}`,
    ],
  ])('%s are one field', (_, key) => {
    const shape = newShape();
    feed(shape, 600, (i) => ({ id: 1, by: { [key(i)]: { amount: i } } }));
    const parts = addedTo(newShape(), shape);
    for (const each of [shape, parts]) {
      expect(each.nodes).toBeLessThan(10);
      expect(told(each).filter((c) => c.path.startsWith('by.') && c.change !== 'retyped')).toEqual([]);
    }
  });

  it('keeps no text of a message that could be data, and stays within its bounds', () => {
    const shape = newShape();
    feed(shape, 300, (i) => ({
      mail: 'jane@example.com',
      'jane@example.com': 1,
      'Jane Doe': { 'secret stuff': 'hush' },
      deep: JSON.parse(`${'['.repeat(500)}${']'.repeat(500)}`),
      ...Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`f${'abcdefghij'[i % 10]}_${n}`, { a: { b: i } }])),
    }));
    const text = shapeText(shape);
    expect(text).not.toMatch(/jane|hush|secret/i);
    expect(shape.nodes).toBeLessThanOrEqual(nodesMax);
    const many = newShape();
    feed(many, 200, (i) => ({ [`g${'abcdefghijklmnopqrst'[i % 20]}`]: wide(i) }));
    expect(many.nodes).toBeLessThanOrEqual(nodesMax);
    expect(addedTo(newShape(), many).nodes).toBeLessThanOrEqual(nodesMax);
  });

  it('takes any JSON, pollutes nothing and can be stored', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue(), { maxLength: 30 }), (messages) => {
        const shape = newShape();
        for (const message of messages) addMessage(shape, message, clock++, null);
        const again = readShape(JSON.parse(shapeText(shape)));
        expect(changesOf(again)).toEqual(changesOf(shape));
      }),
      { numRuns: 200, seed: 1 },
    );
    feed(newShape(), 30, () => JSON.parse('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}'));
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });
});

const wide = (i: number): object =>
  Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`h${'abcdefghij'[i % 3]}${n}`, { a: 1, b: 2 }]));

function addedTo(into: Shape, from: Shape): Shape {
  addShape(into, from);
  return into;
}
