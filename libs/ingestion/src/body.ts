import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';

/** Bytes a webhook may have: 1 MiB, Kafka's limit for a record, less room for key and headers. */
export const bodyBytesMax = 1024 * 1024 - 16 * 1024;
const depthMax = 64;

/** Why a webhook was not accepted; `status` is its HTTP answer. The reason is for metrics and quotes nothing. */
export class Refusal extends Error {
  constructor(
    readonly status: 400 | 401 | 404 | 405 | 408 | 413 | 415 | 429 | 503,
    readonly reason: string,
    readonly retryAfterSeconds?: number,
  ) {
    super(reason);
    this.name = 'Refusal';
  }
}

const inflate = promisify(gunzip);
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Refuses what is too large by its own account, and anything that is not JSON in UTF-8, plain or gzipped (415). */
export function checkHeaders(headers: IncomingHttpHeaders): { gzipped: boolean } {
  if (Number(headers['content-length'] ?? 0) > bodyBytesMax) throw new Refusal(413, 'too_large');
  const [type = '', ...parameters] = (headers['content-type'] ?? '').split(';').map((p) => p.trim().toLowerCase());
  if (!/^application\/([\w.+-]+\+)?json$/.test(type)) throw new Refusal(415, 'content_type');
  for (const parameter of parameters)
    if (parameter.startsWith('charset=') && !/^charset="?utf-?8"?$/.test(parameter)) throw new Refusal(415, 'charset');
  const encoding = (headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  if (encoding !== 'identity' && encoding !== 'gzip' && encoding !== 'x-gzip')
    throw new Refusal(415, 'content_encoding');
  return { gzipped: encoding !== 'identity' };
}

/** Reads a request's body, at most bodyBytesMax of it. Rejects 413 beyond that, 400 where the sender breaks off. */
export function readBody(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const end = (settle: () => void) => {
      request.off('data', onData).off('end', onEnd).off('error', onBroken).off('close', onBroken);
      settle();
    };
    const onData = (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > bodyBytesMax) end(() => reject(new Refusal(413, 'too_large')));
      else chunks.push(chunk);
    };
    const onEnd = () => end(() => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
    const onBroken = () => end(() => reject(new Refusal(400, 'broken_off')));
    request.on('data', onData).on('end', onEnd).on('error', onBroken).on('close', onBroken);
  });
}

/** The body a signature covers: unpacked, bounded (413 for what unpacks to more). */
export async function unpack(body: Buffer, gzipped: boolean): Promise<Buffer> {
  if (!gzipped) return body;
  try {
    return await inflate(body, { maxOutputLength: bodyBytesMax });
  } catch (thrown) {
    if ((thrown as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE') throw new Refusal(413, 'too_large_unpacked');
    throw new Refusal(400, 'gzip');
  }
}

/** The JSON of verified bytes. Refuses (400) invalid UTF-8, nesting deeper than 64 and what is no JSON. */
export function parseJson(body: Buffer): { text: string; value: unknown } {
  let text: string;
  try {
    text = utf8.decode(body);
  } catch {
    throw new Refusal(400, 'utf8');
  }
  if (depthOf(body) > depthMax) throw new Refusal(400, 'depth');
  try {
    return { text, value: JSON.parse(text) };
  } catch {
    throw new Refusal(400, 'json');
  }
}

const quote = 0x22;
const backslash = 0x5c;

/** How deep brackets nest outside strings; right for any valid JSON, and ends early once it is too deep. */
function depthOf(body: Buffer): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let i = 0; i < body.length; i++) {
    const byte = body[i];
    if (inString) {
      if (byte === backslash) i++;
      else if (byte === quote) inString = false;
    } else if (byte === quote) inString = true;
    else if (byte === 0x7b || byte === 0x5b) {
      depth++;
      if (depth > deepest) deepest = depth;
      if (deepest > depthMax) return deepest;
    } else if (byte === 0x7d || byte === 0x5d) depth--;
  }
  return deepest;
}
