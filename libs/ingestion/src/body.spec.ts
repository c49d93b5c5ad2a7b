import { gzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { bodyBytesMax, checkHeaders, parseJson, Refusal, unpack } from './body.js';

const refusalOf = async (work: () => unknown): Promise<[number, string] | null> => {
  try {
    await work();
    return null;
  } catch (thrown) {
    if (thrown instanceof Refusal) return [thrown.status, thrown.reason];
    throw thrown;
  }
};
const json = { 'content-type': 'application/json' };

describe('checkHeaders', () => {
  it.each([
    [{ ...json }, null],
    [{ 'content-type': 'Application/JSON; Charset=UTF-8' }, null],
    [{ 'content-type': 'application/cloudevents+json; charset="utf-8"' }, null],
    [{ ...json, 'content-encoding': 'gzip' }, null],
    [{}, [415, 'content_type']],
    [{ 'content-type': 'text/plain' }, [415, 'content_type']],
    [{ 'content-type': 'application/json2' }, [415, 'content_type']],
    [{ 'content-type': 'application/x-www-form-urlencoded' }, [415, 'content_type']],
    [{ 'content-type': 'application/json; charset=utf-16' }, [415, 'charset']],
    [{ ...json, 'content-encoding': 'br' }, [415, 'content_encoding']],
    [{ ...json, 'content-encoding': 'gzip, gzip' }, [415, 'content_encoding']],
    [{ ...json, 'content-length': String(bodyBytesMax + 1) }, [413, 'too_large']],
  ])('%j → %j', async (headers, expected) => {
    expect(await refusalOf(() => checkHeaders(headers))).toEqual(expected);
  });
});

describe('unpack', () => {
  it('unpacks gzip, within bounds', async () => {
    expect(await unpack(gzipSync('{"a":1}'), true)).toEqual(Buffer.from('{"a":1}'));
    expect(await refusalOf(() => unpack(gzipSync(Buffer.alloc(bodyBytesMax + 1)), true))).toEqual([
      413,
      'too_large_unpacked',
    ]);
    expect(await refusalOf(() => unpack(Buffer.from('no gzip'), true))).toEqual([400, 'gzip']);
    expect(await refusalOf(() => unpack(gzipSync('{"a":1}').subarray(0, 12), true))).toEqual([400, 'gzip']);
  });
});

describe('parseJson', () => {
  const nested = (depth: number) => Buffer.from('['.repeat(depth) + ']'.repeat(depth));

  it('takes nesting of 64, brackets in texts and odd numbers', () => {
    expect(() => parseJson(nested(64))).not.toThrow();
    const odd = '{"a":"[[[[\\"[[","__proto__":{"x":1},"b":1e400,"c":9007199254740993,"d":"\\u0000\\ud800","b":2}';
    expect(parseJson(Buffer.from(odd)).text).toBe(odd);
    expect(({} as { x?: number }).x).toBeUndefined();
  });

  it.each([
    [nested(65), [400, 'depth']],
    [Buffer.from(`${'{"a":'.repeat(100_000)}1`), [400, 'depth']],
    [Buffer.from([0x22, 0xc3, 0x28, 0x22]), [400, 'utf8']],
    [Buffer.from([0xef, 0xbb, 0xbf, 0x7b, 0x7d]), [400, 'json']],
    [Buffer.from(''), [400, 'json']],
    [Buffer.from('{"a":1,}'), [400, 'json']],
    [Buffer.from('{"a":NaN}'), [400, 'json']],
  ])('refuses %#', async (body, expected) => {
    expect(await refusalOf(() => parseJson(body))).toEqual(expected);
  });

  it('takes whatever JSON.parse takes, refuses the rest, and throws nothing else', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.json({ maxDepth: 5 }), fc.string()), (input) => {
        const body = Buffer.from(input as string);
        try {
          const { value, text } = parseJson(body);
          expect(value).toEqual(JSON.parse(text));
          expect(Buffer.from(text)).toEqual(body);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(Refusal);
          expect(() => JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body))).toThrow();
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('survives any headers and any body', async () => {
    const anything = fc.dictionary(fc.constantFrom('content-type', 'content-encoding', 'content-length'), fc.string());
    await fc.assert(
      fc.asyncProperty(anything, fc.uint8Array({ maxLength: 300 }), fc.boolean(), async (headers, bytes, packed) => {
        const body = packed ? gzipSync(bytes) : Buffer.from(bytes);
        await refusalOf(async () => {
          const { gzipped } = checkHeaders(headers);
          parseJson(await unpack(body, gzipped || packed));
        });
      }),
      { numRuns: 500 },
    );
  });
});
