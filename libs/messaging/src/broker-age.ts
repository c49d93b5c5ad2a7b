import { connect } from 'node:net';

/** What we need of a broker: request, its key in the protocol, and the version that holds what we use. Kafka 2.3 has them. */
const needed = [
  { name: 'Produce', key: 0, version: 7 },
  { name: 'Fetch', key: 1, version: 11 },
  { name: 'InitProducerId', key: 22, version: 1 },
  { name: 'DescribeConfigs', key: 32, version: 1 },
] as const;

const answerMsMax = 3_000;

/**
 * What makes a broker too old for us, as a sentence; null where it is new enough, or does not answer, which others notice.
 * ApiVersions, version 0, which every broker answers (https://kafka.apache.org/protocol#The_Messages_ApiVersions).
 */
export async function brokerTooOld(broker: string): Promise<string | null> {
  const versions = await apiVersions(broker).catch(() => null);
  if (versions === null) return null;
  const lacking = needed.find(({ key, version }) => (versions.get(key) ?? -1) < version);
  if (lacking === undefined) return null;
  const has = versions.get(lacking.key);
  const told = has === undefined ? 'does not know' : `knows up to version ${has} of`;
  return `Kafka at ${broker} is too old: it ${told} the request ${lacking.name}, version ${lacking.version} is needed. Take Kafka 2.3 or newer.`;
}

async function apiVersions(broker: string): Promise<Map<number, number>> {
  const colon = broker.lastIndexOf(':');
  const host = broker.slice(0, colon).replace(/^\[|\]$/g, '');
  const request = Buffer.alloc(4 + 2 + 2 + 4 + 2);
  request.writeInt32BE(request.length - 4, 0);
  request.writeInt16BE(18, 4); // api key ApiVersions; version, correlation id 0
  request.writeInt16BE(-1, 12); // no client id
  const reply = await exchange(host, Number(broker.slice(colon + 1)), request);
  // Past length, correlation id and error code: how many, then key, first and last version of each.
  const versions = new Map<number, number>();
  const count = reply.readInt32BE(10);
  for (let i = 0; i < count; i++) versions.set(reply.readInt16BE(14 + i * 6), reply.readInt16BE(14 + i * 6 + 4));
  return versions;
}

function exchange(host: string, port: number, request: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let got = Buffer.alloc(0);
    const socket = connect({ host, port }, () => socket.write(request));
    socket.setTimeout(answerMsMax, () => socket.destroy(new Error('no answer')));
    socket.on('data', (chunk) => {
      got = Buffer.concat([got, chunk]);
      if (got.length < 4 || got.length < 4 + got.readInt32BE(0)) return;
      socket.destroy();
      resolve(got);
    });
    socket.on('error', reject).on('close', () => reject(new Error('closed')));
  });
}
