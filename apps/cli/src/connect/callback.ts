import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Failure } from '../failure.js';

const path = '/callback';

/** The address on this machine a provider sends the browser back to (RFC 8252, 7.3). */
export interface Callback {
  readonly redirectUri: string;
  /**
   * The first answer that carries this state. Others are turned away and change nothing: anybody can call a local port.
   * `done` then tells the person in the browser how it went.
   */
  answer(state: string, signal: AbortSignal): Promise<{ url: URL; done(sentence: string): void }>;
  close(): Promise<void>;
}

/** Listens on 127.0.0.1; port 0 takes a free one. Throws a Failure where the port is taken. */
export async function listenForAnswer(port: number): Promise<Callback> {
  let taken: ((url: URL, response: ServerResponse) => boolean) | null = null;
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', redirectUri);
    if (request.method !== 'GET' || url.pathname !== path) tell(response, 404, 'There is nothing here.');
    else if (!taken?.(url, response))
      tell(
        response,
        400,
        'This answer does not belong to the request in the terminal. Open the address it shows again.',
      );
  });
  const redirectUri = await new Promise<string>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        error.code === 'EADDRINUSE' ? new Failure(`Port ${port} is taken: name another one with --port.`, 2) : error,
      ),
    );
    server.listen(port, '127.0.0.1', () =>
      resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`),
    );
  });
  return {
    redirectUri,
    answer: (state, signal) =>
      new Promise((resolve, reject) => {
        const onAbort = () => reject(new Failure('Nobody gave access in time: nothing has changed.'));
        signal.addEventListener('abort', onAbort, { once: true });
        taken = (url, response) => {
          if (url.searchParams.get('state') !== state) return false;
          taken = null;
          signal.removeEventListener('abort', onAbort);
          resolve({ url, done: (sentence) => tell(response, 200, sentence) });
          return true;
        };
      }),
    close: async () => {
      const ended = new Promise((resolve) => server.close(resolve));
      server.closeIdleConnections();
      setTimeout(() => server.closeAllConnections(), 1_000).unref();
      await ended;
    },
  };
}

function tell(response: ServerResponse, status: number, sentence: string): void {
  response
    .writeHead(status, {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': "default-src 'none'",
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      connection: 'close',
    })
    .end(`<!doctype html><title>Syncline</title><p>${sentence}</p>`);
}
