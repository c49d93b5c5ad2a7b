import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { type Backfill, backfillLine } from './backfill.js';
import { causeLines } from './replay-dead.js';
import { type Difference, differenceLines, instantOf } from './replay-raw.js';

const plain = (lines: string[]) => lines.map(stripVTControlCharacters);
const now = Date.parse('2026-11-23T12:00:00Z');

const backfill: Backfill = {
  id: 1,
  connection: 'shop',
  noun: 'order',
  state: 'running',
  reason: null,
  dryRun: false,
  found: 120,
  published: 120,
  missing: 0,
  share: 0.254,
  perSecond: 40.04,
  leftMs: 120_000,
};

describe('a backfill in a line', () => {
  it.each<[string, Partial<Backfill>]>([
    ['shop order: running, 120 published, 40.0/s, 25 %, about 2 min left', {}],
    ['shop order: running, 0 published', { published: 0, share: null, perSecond: null, leftMs: null }],
    [
      'shop order: running, 120 published, 40.0/s, 25 %, about 2 min left (GET /orders answered 503)',
      { reason: 'GET /orders answered 503' },
    ],
    ['shop order: done, 120 published, 2 do not exist, 40.0/s', { state: 'done', missing: 2, leftMs: null, share: 1 }],
    [
      'shop order: done, 120 found, nothing published (dry run), 40.0/s',
      { state: 'done', dryRun: true, published: 0, leftMs: null, share: 1 },
    ],
  ])('%s', (line, change) => expect(backfillLine({ ...backfill, ...change })).toBe(line));
});

describe('what was given up', () => {
  it('is one line a cause', () => {
    const lines = plain(
      causeLines(
        [
          {
            target: 'transformer',
            kind: 'unmappable',
            reason: 'x'.repeat(120),
            count: 1200,
            replayed: 3,
            since: now - 7_200_000,
            examples: ['raw.shopify.order/3/9'],
          },
          { target: 'warehouse', kind: 'rejected', reason: 'why', count: 1, since: now - 1_000, examples: [] },
        ],
        now,
      ),
    );
    expect(lines[1]).toBe(
      `transformer  unmappable  1,200         3  2 h ago    raw.shopify.order/3/9  ${'x'.repeat(99)}…`,
    );
    expect(lines[2]).toBe('warehouse    rejected        1         0  1.0 s ago  -                      why');
    expect(lines.at(-1)).toMatch(/^Replay with --cause/);
    expect(causeLines([])).toEqual(['Nothing was given up.']);
  });
});

describe('what a replay of raw messages would change', () => {
  const nothing: Difference = {
    topic: 'raw.shopify.order',
    messages: 9,
    objects: 4,
    unmappable: 1,
    records: 0,
    added: 0,
    fields: {},
    examples: [],
  };

  it('is counted by field, most frequent first', () => {
    expect(differenceLines(nothing).slice(1)).toEqual(['  No record would change.']);
    const some = { records: 3, added: 1, fields: { order: { note: 1, total: 3 } }, examples: ['id-1'] };
    expect(differenceLines({ ...nothing, ...some })).toEqual([
      'raw.shopify.order: 9 messages of 4 objects, 1 of them cannot be mapped.',
      '  3 records would change, 1 would be new; for example id-1.',
      '  order.total: 3 records',
      '  order.note: 1 record',
    ]);
  });

  it.each([
    ['90m', now - 5_400_000],
    ['7d', now - 604_800_000],
    ['2026-11-01T00:00:00Z', Date.UTC(2026, 10, 1)],
  ])('begins %s', (text, at) => expect(instantOf(text, now)).toBe(at));

  it('says what a time looks like', () => expect(() => instantOf('soon', now)).toThrow(/--since soon: write a span/));
});
