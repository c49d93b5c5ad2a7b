import { connect } from 'node:net';

/** One answer as it came over the wire. */
export interface RawAnswer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/**
 * Sends bytes over a socket of its own and reads the answer: for requests that no HTTP client would send. The pieces go one
 * after the other, `pauseMs` apart.
 */
export function sendRaw(url: string, pieces: readonly (string | Buffer)[], pauseMs = 0): Promise<RawAnswer> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname);
    let text = '';
    let stopped = false;
    socket.setEncoding('utf8');
    socket.on('data', (chunk) => {
      text += chunk;
      const answer = parse(text);
      if (!answer) return;
      stopped = true;
      socket.destroy();
      resolve(answer);
    });
    socket.on('error', (error) => {
      if (!stopped) reject(error);
    });
    socket.on('close', () => {
      if (!stopped) reject(new Error(`closed without an answer: ${text.slice(0, 100)}`));
      stopped = true;
    });
    void (async () => {
      for (const piece of pieces) {
        if (stopped) return;
        socket.write(piece);
        if (pauseMs > 0) await new Promise((r) => setTimeout(r, pauseMs));
      }
    })();
  });
}

function parse(text: string): RawAnswer | null {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return null;
  const [first = '', ...lines] = text.slice(0, end).split('\r\n');
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  );
  const body = text.slice(end + 4);
  if (body.length < Number(headers['content-length'] ?? 0)) return null;
  return { status: Number(first.split(' ')[1]), headers, body };
}
