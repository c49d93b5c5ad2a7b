import { describe, expect, it } from '@jest/globals';
import { retryAfterMs, safeWords } from './reply-errors.js';

describe('Retry-After', () => {
  const now = Date.UTC(2026, 0, 1, 10, 0, 0);
  it.each([
    ['5', 5_000],
    ['2.0', 2_000],
    ['0.25', 250],
    ['0', 0],
    [' 7 ', 7_000],
    ['999999', 3_600_000],
    ['Thu, 01 Jan 2026 10:00:30 GMT', 30_000],
    ['Thu, 01 Jan 2026 09:59:00 GMT', 0],
    ['Thu, 01 Jan 2099 00:00:00 GMT', 3_600_000],
    ['-5', undefined],
    ['soon', undefined],
    ['1e9', undefined],
    ['', undefined],
    ['NaN', undefined],
    [undefined, undefined],
    [['3', '9'], 3_000],
  ] as [string | string[] | undefined, number | undefined][])('%j is %s ms', (value, ms) => {
    expect(retryAfterMs(value, now)).toBe(ms);
  });
});

describe('words of a provider', () => {
  it.each([
    ['Email bob.norman+x@hostmail.example has already been taken', 'Email [e-mail] has already been taken'],
    ['phone (555) 625-1199 is invalid', 'phone ([number] is invalid'],
    ['line 12 of 450 is wrong', 'line 12 of 450 is wrong'],
    ['key abcd-1234 refused', 'key [secret] refused'],
    ['a\n  b', 'a b'],
  ])('%j become %j', (text, words) => {
    expect(safeWords(text, ['abcd-1234', ''])).toBe(words);
  });

  it('are bounded', () => {
    expect(safeWords('word '.repeat(1000))).toHaveLength(300);
  });
});
