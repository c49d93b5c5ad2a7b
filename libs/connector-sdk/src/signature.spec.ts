import { createHmac } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { type HmacSpec, verifyHmac } from './signature.js';

const body = Buffer.from('{"id":1,"note":"ü"}');
const base64: HmacSpec = { header: 'x-sig', algorithm: 'sha256', encoding: 'base64' };
const hex: HmacSpec = { header: 'x-sig', algorithm: 'sha256', encoding: 'hex', prefix: 'sha256=' };
const verdict = (spec: HmacSpec, value: string | string[] | undefined, secrets = ['s1']) =>
  verifyHmac({ headers: { 'x-sig': value }, body, receivedAt: 0 }, secrets, spec);

const in64 = createHmac('sha256', 's1').update(body).digest('base64');
const inHex = `sha256=${createHmac('sha256', 's1').update(body).digest('hex')}`;

describe('verifyHmac', () => {
  it('takes what one of the secrets signed', () => {
    expect(verdict(base64, in64)).toEqual({ ok: true });
    expect(verdict(base64, [in64])).toEqual({ ok: true });
    expect(verdict(hex, inHex, ['old', 's1', 'other'])).toEqual({ ok: true });
  });

  it('checks a known answer (RFC 4231, case 2)', () => {
    const request = {
      headers: { 'x-sig': '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843' },
      body: Buffer.from('what do ya want for nothing?'),
      receivedAt: 0,
    };
    expect(verifyHmac(request, ['Jefe'], { ...hex, prefix: '' })).toEqual({ ok: true });
  });

  it.each([
    ['absent', base64, undefined],
    ['absent', base64, ''],
    ['absent', base64, []],
    ['malformed', base64, [in64, in64]],
    ['malformed', base64, in64.slice(0, -1)],
    ['malformed', base64, `${in64.slice(0, -1)} `],
    ['malformed', base64, in64.replace(/=$/, 'A=')],
    ['malformed', base64, `${in64}, ${in64}`],
    ['malformed', hex, inHex.slice(7)],
    ['malformed', hex, inHex.toUpperCase()],
    ['malformed', hex, inHex.replace('sha256=', 'sha512=')],
    ['malformed', hex, `sha256=${inHex.slice(7).toUpperCase()}`],
    ['mismatch', base64, createHmac('sha256', 's2').update(body).digest('base64')],
    ['mismatch', hex, `sha256=${'0'.repeat(64)}`],
  ] as [string, HmacSpec, string | string[] | undefined][])('refuses as %s', (reason, spec, value) => {
    expect(verdict(spec, value)).toEqual({ ok: false, reason });
  });

  it('matches nothing without a secret, not even what an empty one signed', () => {
    expect(verdict(base64, in64, [])).toEqual({ ok: false, reason: 'mismatch' });
    expect(verdict(base64, createHmac('sha256', '').update(body).digest('base64'), [''])).toEqual({
      ok: false,
      reason: 'mismatch',
    });
  });

  it('refuses another spelling of the same base64 digest', () => {
    const at = in64.length - 2;
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
    const twin = `${in64.slice(0, at)}${alphabet[alphabet.indexOf(in64[at] ?? '') ^ 1]}=`;
    expect(Buffer.from(twin, 'base64')).toEqual(Buffer.from(in64, 'base64'));
    expect(verdict(base64, twin)).toEqual({ ok: false, reason: 'mismatch' });
  });
});
