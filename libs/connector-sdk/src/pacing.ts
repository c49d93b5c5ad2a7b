import type { Priority } from './budget-allot.js';
import type { RequestLimits } from './connector.js';
import type { HttpReply, HttpRequest } from './http.js';
import { learnedFromHeaders } from './learned.js';
import { createLimiter, type Limiter, type LimiterOptions } from './limiter.js';
import { retryAfterMs } from './reply-errors.js';

/** Sends a connection's requests within its budgets, and learns of these from the answers. */
export interface Pacing {
  /** Runs `exchange` once the request may go out. Throws what it throws, and `throttled` where the wait would be long. */
  send<A extends HttpReply>(priority: Priority, asked: HttpRequest, exchange: () => Promise<A>): Promise<A>;
  /** Gives back what was not used. */
  close(): Promise<void>;
}

const retryAfterMsDefault = 1_000;

/** The operation of a GraphQL request; all others cost alike. */
const operationOf = (asked: HttpRequest): string =>
  String((asked.json as { operationName?: unknown } | null | undefined)?.operationName ?? '');

/** Paces one connection by its limits, and by the narrower one of some requests where there is one. */
export function createPacing(limits: RequestLimits, options: LimiterOptions & { signal: AbortSignal }): Pacing {
  const { signal, connection = '' } = options;
  const { narrower } = limits;
  const whole = createLimiter(limits, options);
  const part = narrower
    ? createLimiter(
        { ...narrower, concurrency: limits.concurrency },
        { ...options, connection: `${connection}/${narrower.name}` },
      )
    : null;
  // What an operation cost, the dearer of late: one underpaid is refused, one overpaid gets the rest back.
  const costs = new Map<string, number>();

  const paid = async <A extends HttpReply>(
    priority: Priority,
    asked: HttpRequest,
    exchange: () => Promise<A>,
  ): Promise<A> => {
    const operation = operationOf(asked);
    const cost = costs.get(operation) ?? limits.costFirst ?? 1;
    await whole.acquire(signal, { priority, cost });
    let charged: number | undefined;
    try {
      const answer = await exchange();
      const learned = { ...learnedFromHeaders(answer), ...limits.learn?.(answer) };
      if (learned.cost) {
        charged = learned.cost.actual;
        const before = costs.get(operation) ?? 0;
        costs.set(operation, Math.max(learned.cost.asked, before + (learned.cost.asked - before) / 8));
      }
      whole.learn(learned);
      if (answer.status === 429) refused(whole, answer);
      return answer;
    } finally {
      whole.release(cost, charged);
    }
  };

  return {
    send: async (priority, asked, exchange) => {
      if (!part || !narrower?.of(asked)) return paid(priority, asked, exchange);
      await part.acquire(signal, { priority });
      try {
        const answer = await paid(priority, asked, exchange);
        if (answer.status === 429) refused(part, answer);
        return answer;
      } finally {
        part.release();
      }
    },
    close: async () => {
      await Promise.all([whole.close(), part?.close()]);
    },
  };
}

function refused(limiter: Limiter, { headers, answeredAt }: HttpReply): void {
  limiter.pause(retryAfterMs(headers['retry-after'], answeredAt) ?? retryAfterMsDefault, true);
}
