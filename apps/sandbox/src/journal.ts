// What was asked of the sandbox and what it did: the recording that tests compare with what a client believes it did.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

/** One request to the shop or the carrier. */
export interface JournalEntry {
  n: number;
  at: string;
  target: 'shop' | 'carrier';
  method: string;
  path: string;
  /** The GraphQL document's first words, such as "mutation fulfillmentCreate"; for REST null. */
  operation: string | null;
  /** GraphQL variables or the REST body of a write; credentials never. */
  input: unknown;
  /** The answer's status; null when no answer left. */
  status: number | null;
  /** Changes made, in order: {kind, id}. */
  effects: { kind: string; id: string }[];
  /** The fault that was played on it, or null. */
  fault: string | null;
  tookMs: number;
}

export interface Journal {
  /** Notes a change made by the request with that id. */
  effect(requestId: string, kind: string, id: string): void;
  /** Notes the fault played on the request with that id. */
  fault(requestId: string, mode: string): void;
  add(requestId: string, entry: Omit<JournalEntry, 'n' | 'at' | 'effects' | 'fault'>): void;
  /** The newest entries, oldest first. */
  entries(filter: {
    target?: string | undefined;
    writes?: boolean | undefined;
    since?: number | undefined;
  }): JournalEntry[];
  clear(): void;
}

/** A journal of the last `size` requests. */
export function createJournal(size = 20_000): Journal {
  let list: JournalEntry[] = [];
  let n = 0;
  const open = new Map<string, { effects: JournalEntry['effects']; fault: string | null }>();
  const about = (id: string) => {
    let found = open.get(id);
    if (!found) {
      found = { effects: [], fault: null };
      open.set(id, found);
    }
    return found;
  };
  return {
    effect: (requestId, kind, id) => void about(requestId).effects.push({ kind, id }),
    fault: (requestId, mode) => {
      about(requestId).fault = mode;
    },
    add: (requestId, entry) => {
      list.push({ n: ++n, at: new Date().toISOString(), ...entry, ...about(requestId) });
      open.delete(requestId);
      // Cut in bulk: shifting one by one would cost a copy each.
      if (list.length > size * 1.2) list = list.slice(-size);
    },
    entries: ({ target, writes, since }) =>
      list.filter(
        (entry) =>
          (!target || entry.target === target) &&
          (!writes || isWrite(entry)) &&
          (since === undefined || entry.n > since),
      ),
    clear: () => {
      list = [];
    },
  };
}

const isWrite = ({ operation, method }: JournalEntry): boolean =>
  operation === null ? method !== 'GET' : operation.startsWith('mutation');

/** Makes a server's requests appear in the journal when they are over, answered or not. */
export function keepJournal(app: FastifyInstance, journal: Journal, target: 'shop' | 'carrier'): void {
  app.addHook('onRequest', async (request, reply) => {
    let noted = false;
    const over = (): void => {
      if (noted) return;
      noted = true;
      add(journal, target, request, reply);
    };
    reply.raw.once('finish', over).once('close', over);
  });
}

function add(journal: Journal, target: 'shop' | 'carrier', request: FastifyRequest, reply: FastifyReply): void {
  const path = request.url.split('?')[0]!;
  const body = (request.body ?? null) as { query?: unknown; variables?: unknown } | null;
  const document = typeof body?.query === 'string' ? body.query : null;
  const secret = path.endsWith('/access_token') || path.startsWith('/v2/webhooks');
  journal.add(request.id, {
    target,
    method: request.method,
    path,
    operation: document === null ? null : firstWords(document),
    input: secret || request.method === 'GET' ? null : document === null ? body : (body?.variables ?? null),
    status: reply.raw.writableFinished ? reply.statusCode : null,
    tookMs: Math.round(reply.elapsedTime),
  });
}

/** "mutation fulfillmentCreate" of a document: its kind and the first field it asks for. */
function firstWords(document: string): string {
  const kind = /^(?:\s|#.*\n)*mutation\b/.test(document) ? 'mutation' : 'query';
  const field = /\{\s*(?:\w+\s*:\s*)?(\w+)/.exec(document)?.[1] ?? '';
  return `${kind} ${field}`;
}
