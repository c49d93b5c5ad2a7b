import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { formatMoney, parseMoney } from './money.js';

describe('money', () => {
  it.each([
    ['199.00', 'EUR', 19_900],
    ['-0.5', 'USD', -50],
    ['1234', 'JPY', 1234],
    ['1.2345', 'KWD', 1235],
    ['.99', 'USD', 99],
    ['0.005', 'USD', 1],
    ['-0.005', 'USD', -1],
    ['0.004', 'USD', 0],
  ])('%s %s is %i minor units', (text, currency, minor) => {
    expect(parseMoney(text, currency)?.minor).toBe(minor);
  });

  it.each(['', '.', 'abc', '1,50', '1e3', '99999999999999999999', '1.2.3', ' '])('%j is no amount', (text) => {
    expect(parseMoney(text, 'EUR')).toBeNull();
  });

  it("keeps the source's digits where the minor unit has too few", () => {
    expect(parseMoney('0.0125', 'EUR')).toEqual({ minor: 1, currency: 'EUR', exact: '0.0125' });
    expect(parseMoney('1.50000', 'EUR')).toEqual({ minor: 150, currency: 'EUR' });
  });

  it('comes back from its text', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -1e12, max: 1e12 }),
        fc.constantFrom('EUR', 'JPY', 'KWD', 'CLF'),
        (minor, currency) => {
          expect(parseMoney(formatMoney({ minor, currency }), currency)).toEqual({ minor, currency });
        },
      ),
    );
  });
});
