// Faults on request: what networks and busy providers do, played on the next matching requests.

import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';

/** A fault as the control API takes it. */
export const faultSchema = z.strictObject({
  target: z.enum(['shop', 'carrier']),
  /**
   * slow: answered after delayMs · 5xx: refused with `status`, nothing done · 429: refused with a Retry-After ·
   * throttled: the shop's bucket is empty (THROTTLED inside a 200) · lost-reply: done, but the connection dies before the answer ·
   * hang: never answered · reset: connection reset, nothing done · garbage: done, answered with half a body
   */
  mode: z.enum(['slow', '5xx', '429', 'throttled', 'lost-reply', 'hang', 'reset', 'garbage']),
  /** Plays only where this stands in "METHOD /path" or in the GraphQL document. */
  match: z.string().min(1).optional(),
  /** Requests to play it on; absent: until faults are cleared. */
  count: z.number().int().positive().optional(),
  /** Share of matching requests, 0 to 1. */
  rate: z.number().min(0).max(1).default(1),
  delayMs: z.number().nonnegative().default(2_000),
  status: z.number().int().min(500).max(599).default(503),
  /** For 429: whole seconds, decimal seconds as Shopify writes them, an HTTP date, or no header. */
  retryAfter: z.enum(['seconds', 'decimal', 'date', 'none']).default('seconds'),
  retryAfterSeconds: z.number().positive().default(1),
});

export type Fault = z.output<typeof faultSchema> & { id: number; played: number };

export interface FaultDesk {
  add(fault: z.output<typeof faultSchema>): Fault;
  list(): Fault[];
  clear(target?: string): void;
  /** The first fault that plays on this request, counted. */
  take(target: 'shop' | 'carrier', line: string, words: string): Fault | undefined;
  played(requestId: string, mode: string): void;
}

/** A desk of faults; `random` decides on rates, `played` hears of each play. */
export function createFaultDesk(random: () => number, played: (requestId: string, mode: string) => void): FaultDesk {
  let faults: Fault[] = [];
  let nextId = 1;
  return {
    add: (fault) => {
      const added = { ...fault, id: nextId++, played: 0 };
      faults.push(added);
      return added;
    },
    list: () => faults.map((fault) => ({ ...fault })),
    clear: (target) => {
      faults = target ? faults.filter((fault) => fault.target !== target) : [];
    },
    take: (target, line, words) => {
      const fault = faults.find(
        (candidate) =>
          candidate.target === target &&
          (candidate.match === undefined || line.includes(candidate.match) || words.includes(candidate.match)) &&
          random() < candidate.rate,
      );
      if (!fault) return undefined;
      fault.played++;
      if (fault.count !== undefined && fault.played >= fault.count) faults = faults.filter((other) => other !== fault);
      return fault;
    },
    played,
  };
}

/** The Retry-After header of a fault, or undefined. */
export function retryAfterOf({ retryAfter, retryAfterSeconds }: Fault): string | undefined {
  if (retryAfter === 'none') return undefined;
  if (retryAfter === 'seconds') return String(Math.ceil(retryAfterSeconds));
  if (retryAfter === 'decimal') return retryAfterSeconds.toFixed(1);
  // Rounded up: a date has whole seconds only, and an early one would invite a second 429.
  return new Date(Math.ceil((Date.now() + retryAfterSeconds * 1000) / 1000) * 1000).toUTCString();
}

const BODIES = {
  shop: {
    tooMany: {
      errors: 'Exceeded 2 calls per second for api client. Reduce request rates to resume uninterrupted service.',
    },
    broken: { errors: 'Internal Server Error' },
  },
  carrier: {
    tooMany: { error: { code: 'RATE_LIMITED', message: 'You have been rate limited', errors: [] } },
    broken: { error: { code: 'INTERNAL_SERVER_ERROR', message: "We're sorry, something went wrong.", errors: [] } },
  },
} as const;

const THROTTLED = {
  errors: [
    {
      message: 'Throttled',
      extensions: { code: 'THROTTLED', documentation: 'https://shopify.dev/api/usage/rate-limits' },
    },
  ],
  extensions: {
    cost: {
      requestedQueryCost: 100,
      actualQueryCost: null,
      throttleStatus: { maximumAvailable: 2000, currentlyAvailable: 0, restoreRate: 100 },
    },
  },
};

/** Requests whose answer is to be lost or cut after the work is done. */
const spoiled = new WeakMap<FastifyRequest, Fault>();

/** Plays faults before a request's handler, and spoils answers after it. */
export function installFaults(
  app: FastifyInstance,
  desk: FaultDesk,
  target: 'shop' | 'carrier',
  wordsOf: (request: FastifyRequest) => string,
): void {
  app.addHook('preHandler', async (request, reply) => {
    const fault = desk.take(target, `${request.method} ${request.url}`, wordsOf(request));
    if (!fault) return undefined;
    desk.played(request.id, fault.mode);
    return await play(fault, target, request, reply);
  });
  app.addHook('onSend', async (request, _reply, payload) => {
    const fault = spoiled.get(request);
    if (!fault) return payload;
    if (fault.mode === 'garbage') return String(payload).slice(0, Math.floor(String(payload).length / 2));
    request.raw.socket.destroy();
    return payload;
  });
}

async function play(
  fault: Fault,
  target: 'shop' | 'carrier',
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<unknown> {
  switch (fault.mode) {
    case 'slow':
      await sleep(fault.delayMs);
      return undefined;
    case '5xx':
      return reply.code(fault.status).send(BODIES[target].broken);
    case '429': {
      const header = retryAfterOf(fault);
      if (header !== undefined) reply.header('retry-after', header);
      return reply.code(429).send(BODIES[target].tooMany);
    }
    case 'throttled':
      return reply.send(THROTTLED);
    case 'hang':
      reply.hijack();
      return reply;
    case 'reset':
      reply.hijack();
      (request.raw.socket as Socket).resetAndDestroy();
      return reply;
    default:
      spoiled.set(request, fault);
      return undefined;
  }
}
