// Stands between the providers and the webhook endpoints and writes down what was answered: the history that "a webhook
// answered 2xx is never lost" is judged by. It keeps nothing back and repeats nothing.
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Agent, request } from 'undici';
import type { Answer } from './histories.js';

/** What a webhook says it is about, in its own words: its connection, the topic of ours it belongs to, and the ce_id of its record there. */
export type Acknowledged = Pick<Answer, 'connection' | 'topic' | 'eventId'>;

export interface Witness {
  /** What providers are to be given as our address. */
  readonly url: string;
  /** Webhooks that were answered 2xx. */
  readonly acknowledged: readonly Acknowledged[];
  /** Every answer to a webhook that is to be kept. */
  readonly history: readonly Answer[];
  /** Answers by status; `none` where the connection broke. */
  readonly answers: Readonly<Record<string, number>>;
  /** Where the requests go: webhook addresses by connection. */
  forwardTo(addresses: Readonly<Record<string, string>>): void;
  close(): Promise<void>;
}

const copied = (name: string): boolean => !['host', 'connection', 'content-length', 'transfer-encoding'].includes(name);

/** Starts a witness on a free port. */
export async function startWitness(): Promise<Witness> {
  const agent = new Agent({ connections: 64, connect: { timeout: 1_000 } });
  const acknowledged: Acknowledged[] = [];
  const history: Answer[] = [];
  const answers: Record<string, number> = {};
  let addresses: Readonly<Record<string, string>> = {};
  const count = (answer: string): void => {
    answers[answer] = (answers[answer] ?? 0) + 1;
  };
  const server = createServer(async (incoming, outgoing) => {
    const connection = incoming.url?.split('/').at(-1) ?? '';
    let told: Acknowledged[] = [];
    const keep = (status: number) => history.push(...told.map((one) => ({ ...one, status, atMs: Date.now() })));
    try {
      const body = await bodyOf(incoming);
      const headers = Object.fromEntries(Object.entries(incoming.headers).filter(([name]) => copied(name)));
      told = about(connection, headers, body);
      const gone = new AbortController();
      outgoing.once('close', () => gone.abort());
      const { dispatcher, method, signal } = { dispatcher: agent, method: 'POST' as const, signal: gone.signal };
      const reply = await request(addresses[connection] ?? '', { dispatcher, method, signal, headers, body });
      const answer = await reply.body.text();
      count(String(reply.statusCode));
      keep(reply.statusCode);
      if (reply.statusCode < 300) acknowledged.push(...told);
      outgoing.writeHead(reply.statusCode, reply.headers as Record<string, string>).end(answer);
    } catch {
      count('none');
      keep(0);
      outgoing.destroy();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    acknowledged,
    history,
    answers,
    forwardTo: (to) => {
      addresses = to;
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await agent.destroy();
    },
  };
}

async function bodyOf(incoming: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of incoming) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

/** What of our raw topics must hold this webhook. Shopify names its deliveries by header, EasyPost by the event's id. */
function about(connection: string, headers: Record<string, unknown>, body: Buffer): Acknowledged[] {
  const topic = headers['x-shopify-topic'];
  if (typeof topic === 'string') {
    const noun = topic.startsWith('orders/') ? 'order' : topic.startsWith('fulfillments/') ? 'fulfillment' : null;
    const eventId = String(headers['x-shopify-webhook-id']);
    return noun ? [{ connection, topic: `raw.shopify.${noun}`, eventId }] : [];
  }
  const event = JSON.parse(body.toString()) as { id: string; result?: { object?: string } };
  return [{ connection, topic: 'raw.easypost.tracker', eventId: event.id }];
}
