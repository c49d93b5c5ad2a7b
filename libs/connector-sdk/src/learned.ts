import type { BudgetLimit } from './budget.js';
import type { HttpReply } from './http.js';

/** What an answer says of the provider's budget for the connection. */
export interface Learned {
  /** The limit itself. */
  readonly limit?: BudgetLimit;
  /** What is left now. */
  readonly available?: number;
  /** What the request was charged at first, and in the end. */
  readonly cost?: { readonly asked: number; readonly actual: number };
  /** How long nothing is to be sent, in milliseconds. */
  readonly pauseMs?: number;
}

type Headers = HttpReply['headers'];

/** What limits of "so many in this window" leave when requests come as densely as a bucket lets them. */
const windowShare = 0.8;
const pauseMsMax = 3_600_000;

function numberIn(headers: Headers, ...names: string[]): number | undefined {
  for (const name of names) {
    const value = headers[name];
    const text = (Array.isArray(value) ? value[0] : value)?.trim();
    // "100, 100;w=60" (draft-ietf-httpapi-ratelimit-headers-06): the first figure is the limit that is near.
    const number = text === undefined ? Number.NaN : Number.parseFloat(text);
    if (number >= 0) return number;
  }
  return undefined;
}

/** Milliseconds until a window ends: seconds to go, or a moment in seconds or milliseconds since the epoch. Providers do all three. */
function resetMs(value: number | undefined, answeredAt: number): number | undefined {
  if (value === undefined) return undefined;
  const ms = value > 1e11 ? value - answeredAt : value > 1e8 ? value * 1000 - answeredAt : value * 1000;
  return Math.min(pauseMsMax, Math.max(0, ms));
}

/** The window of a limit in seconds, where a policy beside it tells (`;w=60`). */
function windowS(headers: Headers): number | undefined {
  const text = String(headers['ratelimit-policy'] ?? headers['ratelimit-limit'] ?? '');
  const found = /;\s*w=(\d+)/.exec(text);
  return found ? Number(found[1]) : undefined;
}

/**
 * What RateLimit-*, X-RateLimit-* and X-Rate-Limit-* headers say (draft-ietf-httpapi-ratelimit-headers up to 06, and the habits
 * before it). A limit is learned only where its window is told; a fifth of it may come at once and four fifths over the window,
 * so that no window of that length, whenever it begins, sees more than the limit.
 */
export function learnedFromHeaders({ headers, answeredAt }: Pick<HttpReply, 'headers' | 'answeredAt'>): Learned {
  const max = numberIn(headers, 'ratelimit-limit', 'x-ratelimit-limit', 'x-rate-limit-limit');
  const left = numberIn(headers, 'ratelimit-remaining', 'x-ratelimit-remaining', 'x-rate-limit-remaining');
  const reset = numberIn(headers, 'ratelimit-reset', 'x-ratelimit-reset', 'x-rate-limit-reset');
  const window = windowS(headers);
  const known = max !== undefined && max > 0 && window !== undefined && window > 0;
  const pauseMs = left === 0 ? resetMs(reset, answeredAt) : undefined;
  return {
    ...(known
      ? { limit: { perSecond: (max * windowShare) / window, burst: Math.max(1, max - max * windowShare) } }
      : {}),
    ...(left === undefined ? {} : { available: left }),
    ...(pauseMs ? { pauseMs } : {}),
  };
}
