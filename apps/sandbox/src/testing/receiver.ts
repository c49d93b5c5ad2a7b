import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A request a receiver got, with its exact bytes. */
export interface Received {
  headers: IncomingHttpHeaders;
  body: Buffer;
  at: number;
}

/** A webhook receiver; `answer` decides each request's status. */
export interface Receiver {
  url: string;
  received: Received[];
  /** Waits until that many requests match; throws after `timeoutMs`. */
  until(count: number, match?: (request: Received) => boolean, timeoutMs?: number): Promise<Received[]>;
  close(): Promise<void>;
}

/** Starts a receiver on 127.0.0.1. */
export async function startReceiver(answer: (request: Received, n: number) => number = () => 200): Promise<Receiver> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const got = { headers: request.headers, body: Buffer.concat(chunks), at: Date.now() };
      received.push(got);
      response.writeHead(answer(got, received.length)).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    received,
    until: async (count, match = () => true, timeoutMs = 5_000) => {
      const end = Date.now() + timeoutMs;
      while (received.filter(match).length < count) {
        if (Date.now() > end)
          throw new Error(`${received.filter(match).length} of ${count} webhooks came within ${timeoutMs} ms`);
        await sleep(5);
      }
      return received.filter(match);
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
