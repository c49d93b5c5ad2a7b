import { connect } from 'node:net';

// Readiness is asked in the services' own protocols, by hand: the clients belong to other libraries.

/** True when something accepts connections there. */
export async function acceptsTcp(host: string, port: number, timeoutMs = 2_000): Promise<boolean> {
  return (await exchange(host, port, undefined, () => false, timeoutMs)) !== undefined;
}

/** Where a broker tells its clients to connect. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** True when the broker lists a live broker: it is then registered and unfenced, which an open port does not say. */
export async function kafkaIsReady(port: number): Promise<boolean> {
  return (await advertisedBrokers(port)).length > 0;
}

/**
 * The brokers that the listener on this port of 127.0.0.1 advertises; none when it does not answer.
 * Metadata request, version 1, for no topic (https://kafka.apache.org/protocol#The_Messages_Metadata).
 */
export async function advertisedBrokers(port: number): Promise<Endpoint[]> {
  const client = Buffer.from('syncline-infra');
  const request = Buffer.alloc(4 + 8 + 2 + client.length + 4);
  request.writeInt32BE(request.length - 4, 0);
  request.writeInt16BE(3, 4); // api key Metadata
  request.writeInt16BE(1, 6); // version
  request.writeInt32BE(1, 8); // correlation id
  request.writeInt16BE(client.length, 12);
  client.copy(request, 14);
  request.writeInt32BE(0, 14 + client.length); // topics: none
  const isWhole = (got: Buffer) => got.length >= 4 && got.length >= 4 + got.readInt32BE(0);
  const reply = await exchange('127.0.0.1', port, request, isWhole);
  return reply ? parseBrokers(reply) : [];
}

function parseBrokers(reply: Buffer): Endpoint[] {
  const brokers: Endpoint[] = [];
  let at = 12; // past length, correlation id and count
  for (let left = reply.readInt32BE(8); left > 0; left -= 1) {
    const hostLength = reply.readInt16BE(at + 4); // past the node id
    const portAt = at + 6 + hostLength;
    brokers.push({ host: reply.toString('utf8', at + 6, portAt), port: reply.readInt32BE(portAt) });
    const rackLength = reply.readInt16BE(portAt + 4);
    at = portAt + 6 + Math.max(rackLength, 0);
  }
  return brokers;
}

/**
 * True when the server asks for a password; while it starts or recovers it answers with an error instead.
 * Start-up message, protocol 3.0 (https://www.postgresql.org/docs/current/protocol-message-formats.html).
 */
export async function postgresIsReady(port: number, user: string, database: string): Promise<boolean> {
  const parameters = Buffer.from(`user\0${user}\0database\0${database}\0\0`);
  const request = Buffer.alloc(8 + parameters.length);
  request.writeInt32BE(request.length, 0);
  request.writeInt32BE(3 << 16, 4);
  parameters.copy(request, 8);
  const reply = await exchange('127.0.0.1', port, request, (got) => got.length >= 1);
  return reply?.[0] === 'R'.charCodeAt(0);
}

/** What came back until `enough`, the end or the time limit; undefined when there was no connection or no whole answer. */
function exchange(
  host: string,
  port: number,
  request: Buffer | undefined,
  enough: (got: Buffer) => boolean,
  timeoutMs = 2_000,
): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    let got = Buffer.alloc(0);
    const socket = connect({ host, port });
    const finish = (result: Buffer | undefined) => {
      socket.destroy();
      resolve(result);
    };
    socket.setTimeout(timeoutMs, () => finish(undefined));
    socket.once('error', () => finish(undefined));
    socket.once('close', () => finish(undefined));
    socket.once('connect', () => (request ? socket.write(request) : finish(got)));
    socket.on('data', (chunk) => {
      got = Buffer.concat([got, chunk]);
      if (enough(got)) finish(got);
    });
  });
}
