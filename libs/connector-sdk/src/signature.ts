import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Verdict, WebhookRequest } from './webhook.js';

export interface HmacSpec {
  /** Header that carries the signature, in lower case. */
  readonly header: string;
  readonly algorithm: 'sha256' | 'sha512' | 'sha1';
  readonly encoding: 'hex' | 'base64';
  /** Text before the digits, e.g. `hmac-sha256-hex=`; a signature without it is malformed. */
  readonly prefix?: string;
  /** The signed bytes where they are not the body alone. */
  readonly signed?: (request: WebhookRequest) => Buffer;
}

const shapes = { hex: /^[0-9a-f]+$/, base64: /^[A-Za-z0-9+/]+={0,2}$/ } as const;
const digestBytes = { sha1: 20, sha256: 32, sha512: 64 } as const;

const textLength = (spec: HmacSpec): number =>
  spec.encoding === 'hex' ? digestBytes[spec.algorithm] * 2 : Math.ceil(digestBytes[spec.algorithm] / 3) * 4;

/**
 * Judges an HMAC over a request's raw bytes against each of several secrets (a rotation under way), in constant time.
 * Fails closed: no header, several headers, another length or alphabet, or no secret at all are never a match. The texts are
 * compared, not decoded bytes, so another spelling of the same digest (capital hex, base64 without padding) is refused too.
 */
export function verifyHmac(request: WebhookRequest, secrets: readonly string[], spec: HmacSpec): Verdict {
  const given = request.headers[spec.header];
  if (given === undefined || given === '' || (Array.isArray(given) && given.length === 0))
    return { ok: false, reason: 'absent' };
  if (Array.isArray(given) && given.length > 1) return { ok: false, reason: 'malformed' };
  const text = Array.isArray(given) ? (given[0] ?? '') : given;
  const prefix = spec.prefix ?? '';
  if (!text.startsWith(prefix)) return { ok: false, reason: 'malformed' };
  const digits = text.slice(prefix.length);
  if (digits.length !== textLength(spec) || !shapes[spec.encoding].test(digits))
    return { ok: false, reason: 'malformed' };
  const signed = spec.signed === undefined ? request.body : spec.signed(request);
  const theirs = Buffer.from(digits, 'latin1');
  let matches = 0;
  // Every secret is tried whatever the earlier ones gave, so the time tells nothing of which one matched.
  for (const secret of secrets) {
    if (secret === '') continue;
    const ours = Buffer.from(createHmac(spec.algorithm, secret).update(signed).digest(spec.encoding), 'latin1');
    if (ours.length === theirs.length && timingSafeEqual(ours, theirs)) matches += 1;
  }
  return matches > 0 ? { ok: true } : { ok: false, reason: 'mismatch' };
}
