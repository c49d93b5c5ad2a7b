import { describe, expect, it } from '@jest/globals';
import { mutants } from './breaks.js';
import { copyBuilt, replaceOnce } from './built-copy.js';
import { promises } from './check.js';

describe('the deliberate breaks', () => {
  it('fit the programs as they are built, each exactly once', () => {
    const copy = copyBuilt();
    try {
      for (const { edits } of mutants) copy.apply(edits)();
    } finally {
      copy.remove();
    }
  });

  it('are there for every promise', () => {
    expect(new Set(mutants.map(({ promise }) => promise))).toEqual(new Set(Object.keys(promises).map(Number)));
  });

  it('are refused where their text is missing, or is there twice', () => {
    expect(replaceOnce('a.js', 'one two', 'two', '$& three')).toBe('one $& three');
    expect(() => replaceOnce('a.js', 'one', 'two', '')).toThrow('a.js: 0 places');
    expect(() => replaceOnce('a.js', 'two two', 'two', '')).toThrow('a.js: 2 places');
  });
});
