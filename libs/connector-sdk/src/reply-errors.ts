import { type FailureKind, SyncError } from '@syncline/contracts';

/** What a thrown HTTP failure carries as its `cause`: the status and the provider's own error code, nothing of the body. */
export interface HttpFailure {
  readonly status: number;
  readonly code: string | null;
}

/** Status and provider's code of a failed request; null for errors that came with no answer. */
export function httpFailure(error: unknown): HttpFailure | null {
  const cause = error instanceof SyncError ? error.cause : undefined;
  return typeof cause === 'object' && cause !== null && 'status' in cause ? (cause as HttpFailure) : null;
}

const retryAfterMsMax = 3_600_000;

/**
 * A Retry-After header (RFC 9110, 10.2.3) in milliseconds: seconds, also fractional as Shopify sends them ("2.0"), or an
 * HTTP date, judged by the answer's own clock so that skew between us does not matter. Between 0 and one hour;
 * undefined where there is none or it cannot be read.
 */
export function retryAfterMs(value: string | string[] | undefined, answeredAt: number): number | undefined {
  const text = (Array.isArray(value) ? value[0] : value)?.trim();
  if (!text) return undefined;
  const ms = /^\d+(\.\d+)?$/.test(text)
    ? Number(text) * 1000
    : /[A-Za-z]/.test(text)
      ? Date.parse(text) - answeredAt
      : Number.NaN;
  return Number.isNaN(ms) ? undefined : Math.min(retryAfterMsMax, Math.max(0, Math.ceil(ms)));
}

const wordsMax = 300;

/**
 * The provider's error text made fit for logs and topics: bounded, and without what may be personal or secret
 * (e-mail addresses, long digit runs, the connection's own secrets).
 */
export function safeWords(text: string, secrets: readonly string[] = []): string {
  let words = text.replace(/\s+/g, ' ').trim();
  for (const secret of secrets) if (secret.length >= 4) words = words.replaceAll(secret, '[secret]');
  words = words.replace(/[^\s@<>"']+@[^\s@<>"']+/g, '[e-mail]').replace(/\+?\d(?:[\s().-]{0,3}\d){6,}/g, '[number]');
  return words.length > wordsMax ? `${words.slice(0, wordsMax - 1)}…` : words;
}

const wordKeys = ['message', 'error_description', 'error', 'errors', 'detail', 'title'];

/** The human words of an error body, whatever its shape: strings at the usual keys, at most four levels down. */
function collectWords(json: unknown, out: string[], depth = 0): void {
  if (out.length >= 5 || depth > 4) return;
  if (typeof json === 'string') out.push(json);
  else if (Array.isArray(json)) for (const one of json.slice(0, 5)) collectWords(one, out, depth + 1);
  else if (typeof json === 'object' && json !== null) {
    const fields = json as Record<string, unknown>;
    const known = wordKeys.filter((k) => fields[k] !== undefined && fields[k] !== null);
    for (const key of known) collectWords(fields[key], out, depth + 1);
    // Validation answers name the field as the key: {errors: {tracking_number: ["is too long"]}}.
    if (known.length === 0 && depth > 0)
      for (const [key, value] of Object.entries(fields).slice(0, 5)) {
        const inner: string[] = [];
        if (typeof value === 'object') collectWords(value, inner, depth + 1);
        for (const word of inner) out.push(`${key}: ${word}`);
      }
  }
}

/** The provider's own error code (`error.code`, `code`), where the body has one that looks like a code. */
function errorCode(json: unknown): string | null {
  if (typeof json !== 'object' || json === null) return null;
  const fields = json as Record<string, unknown>;
  const code = fields.code ?? (fields.error === undefined ? undefined : errorCode(fields.error)) ?? fields.error;
  return typeof code === 'string' && /^[\w.:-]{1,64}$/.test(code) ? code : null;
}

function kindOf(status: number): FailureKind {
  if (status === 401 || status === 403) return 'unauthorized';
  if (status === 409 || status === 412) return 'conflict';
  if (status === 429) return 'throttled';
  if (status === 408 || status === 425 || status >= 500) return 'transient';
  return 'rejected';
}

/**
 * Whether an unsafe request that was answered with this status may have taken effect: a gateway or a crash answers for work
 * that may have been done, while 503 and every 4xx refuse it.
 */
const mayHaveTakenEffect = (status: number): boolean => status >= 500 && status !== 503 && status !== 501;

/** The SyncError an answer outside 2xx means. `what` names the request without its query ("POST /v2/trackers"). */
export function errorOfReply(reply: {
  status: number;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  json: unknown;
  answeredAt: number;
  what: string;
  safe: boolean;
  secrets: readonly string[];
}): SyncError {
  const kind = kindOf(reply.status);
  const wait = retryAfterMs(reply.headers['retry-after'], reply.answeredAt);
  const words: string[] = [];
  collectWords(reply.json, words);
  const said = words.length === 0 ? '' : `: ${safeWords(words.join('; '), reply.secrets)}`;
  const redirect = reply.status >= 300 && reply.status < 400 ? ': redirects are not followed, check the URL' : '';
  return new SyncError(kind, `${reply.what} answered ${reply.status}${redirect || said}`, {
    ...(kind === 'throttled' ? { retryAfterMs: wait ?? 1_000 } : {}),
    ...(kind === 'transient' && wait !== undefined ? { retryAfterMs: wait } : {}),
    outcomeUnknown: !reply.safe && mayHaveTakenEffect(reply.status),
    cause: { status: reply.status, code: errorCode(reply.json) } satisfies HttpFailure,
  });
}

/** Errors that come before a byte of the request was sent: the outcome is known, nothing happened. */
const beforeSending = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_HAS_EXPIRED',
  'ERR_TLS_CERT_ALTNAME_INVALID',
]);

/** The SyncError a request that got no whole answer means; `reason` replaces the library's code where we ended it ourselves. */
export function errorOfTransport(thrown: unknown, what: string, safe: boolean, reason?: string): SyncError {
  const code = (thrown as { code?: unknown } | null)?.code;
  const word = reason ?? (typeof code === 'string' ? code : thrown instanceof Error ? thrown.name : 'failure');
  const sent = reason !== undefined || typeof code !== 'string' || !beforeSending.has(code);
  return new SyncError('transient', `${what} got no answer: ${word}`, { outcomeUnknown: !safe && sent, cause: thrown });
}
