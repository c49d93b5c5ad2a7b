import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';

// Just enough of PostgreSQL's protocol to log in with a password and run a statement: the real client belongs to another
// library. Formats: https://www.postgresql.org/docs/current/protocol-message-formats.html, SCRAM: RFC 5802 and 7677.

interface Message {
  readonly type: string;
  readonly body: Buffer;
}

/** Runs one statement over a new connection; resolves with the first column of its rows, rejects with the server's words. */
export async function query(url: string, sql: string): Promise<string[]> {
  const { hostname, port, username, password, pathname } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) });
  socket.setTimeout(10_000, () => socket.destroy(new Error('no answer within 10 s')));
  const messages = readMessages(socket);
  try {
    const start = Buffer.from(`user\0${username}\0database\0${pathname.slice(1)}\0\0`);
    const head = Buffer.alloc(8);
    head.writeInt32BE(8 + start.length);
    head.writeInt32BE(3 << 16, 4);
    socket.write(Buffer.concat([head, start]));
    await logIn(socket, messages, password);
    for await (const { type } of messages) if (type === 'Z') break;
    send(socket, 'Q', Buffer.from(`${sql}\0`));
    const rows: string[] = [];
    for await (const { type, body } of messages) {
      if (type === 'D') rows.push(body.toString('utf8', 6, 6 + body.readInt32BE(2)));
      if (type === 'Z') break;
    }
    return rows;
  } finally {
    socket.destroy();
  }
}

async function logIn(socket: Socket, messages: AsyncIterator<Message>, password: string): Promise<void> {
  const next = async () => {
    const { value } = (await messages.next()) as { value: Message | undefined };
    if (!value) throw new Error('connection ended');
    return { code: value.body.readInt32BE(0), text: value.body.toString('utf8', 4) };
  };
  const offer = await next();
  if (offer.code !== 10 || !offer.text.includes('SCRAM-SHA-256'))
    throw new Error(`not SCRAM but authentication ${offer.code}`);
  const bare = `n=,r=${randomBytes(18).toString('base64')}`;
  const first = Buffer.from(`n,,${bare}`);
  const length = Buffer.alloc(4);
  length.writeInt32BE(first.length);
  send(socket, 'p', Buffer.concat([Buffer.from('SCRAM-SHA-256\0'), length, first]));
  const challenge = (await next()).text;
  const part = (name: string) =>
    challenge
      .split(',')
      .find((each) => each.startsWith(`${name}=`))!
      .slice(2);
  const salted = pbkdf2Sync(password, Buffer.from(part('s'), 'base64'), Number(part('i')), 32, 'sha256');
  const clientKey = createHmac('sha256', salted).update('Client Key').digest();
  const withoutProof = `c=biws,r=${part('r')}`;
  const storedKey = createHash('sha256').update(clientKey).digest();
  const signature = createHmac('sha256', storedKey).update(`${bare},${challenge},${withoutProof}`).digest();
  const proof = Buffer.from(clientKey.map((byte, i) => byte ^ signature[i]!)).toString('base64');
  send(socket, 'p', Buffer.from(`${withoutProof},p=${proof}`));
  await next();
}

function send(socket: Socket, type: string, body: Buffer): void {
  const head = Buffer.alloc(5);
  head.write(type);
  head.writeInt32BE(body.length + 4, 1);
  socket.write(Buffer.concat([head, body]));
}

/** Yields whole messages; throws the server's error when it sends one. Breaking out of a loop over it keeps it usable. */
function readMessages(socket: Socket): AsyncIterableIterator<Message> {
  const chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let got = Buffer.alloc(0);
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      while (got.length < 5 || got.length < 1 + got.readInt32BE(1)) {
        const { value, done } = await chunks.next();
        if (done) return { value: undefined, done: true };
        got = Buffer.concat([got, value]);
      }
      const size = 1 + got.readInt32BE(1);
      const message = { type: got.toString('latin1', 0, 1), body: got.subarray(5, size) };
      got = got.subarray(size);
      if (message.type === 'E') throw new Error(message.body.toString('utf8').replaceAll('\0', ' '));
      return { value: message, done: false };
    },
  };
}
