import type { Message } from 'kafkajs';
import { crc32c } from './crc32c.js';

/** What kafkajs gives its produce request (version 3 and newer). */
export interface ProduceArguments {
  acks: number;
  timeout: number;
  compression?: number;
  transactionalId?: string | null;
  /** A 64-bit number, as whatever kafkajs keeps it in; -1 for a plain producer. */
  producerId?: { toString(): string } | undefined;
  producerEpoch?: number;
  topicData: { topic: string; partitions: { partition: number; firstSequence?: number; messages: Message[] }[] }[];
}

/** Bytes of a record batch before its first record, from the base offset to the record count. */
const batchHeadBytes = 61;
const transactionalBit = 16;
const batchMagic = 2;

const zigzag = (n: number): number => (n << 1) ^ (n >> 31);

function varintBytes(n: number): number {
  const z = zigzag(n);
  return z >>> 7 === 0 ? 1 : z >>> 14 === 0 ? 2 : z >>> 21 === 0 ? 3 : z >>> 28 === 0 ? 4 : 5;
}

const bytesOf = (data: string | Buffer): number => (typeof data === 'string' ? Buffer.byteLength(data) : data.length);

/** Bytes of every key, value and header in the order they are written, so that text is measured only once. */
type Sizes = number[];

/** Notes the size of a byte string and returns its bytes with its length before it. */
function measure(data: string | Buffer | null | undefined, sizes: Sizes): number {
  if (data == null) {
    sizes.push(-1);
    return 1;
  }
  const size = bytesOf(data);
  sizes.push(size);
  return varintBytes(size) + size;
}

/** Notes a record's sizes, its own after those of its parts, and returns its bytes. */
function measureRecord(message: Message, index: number, sizes: Sizes): number {
  // Attributes and the difference to the batch's time: one byte each.
  let size = 2 + varintBytes(index) + measure(message.key, sizes) + measure(message.value, sizes);
  let count = 0;
  const { headers } = message;
  for (const name in headers) {
    const header = headers[name];
    if (header === undefined) continue;
    if (!Array.isArray(header)) {
      size += measure(name, sizes) + measure(header, sizes);
      count++;
      continue;
    }
    for (const one of header) size += measure(name, sizes) + measure(one, sizes);
    count += header.length;
  }
  size += varintBytes(count);
  sizes.push(count, size);
  return varintBytes(size) + size;
}

/** Writes into one buffer of the right size. */
class Writer {
  at = 0;
  constructor(
    readonly buf: Buffer,
    private readonly sizes: Sizes,
  ) {}

  varint(n: number): void {
    let z = zigzag(n) >>> 0;
    while (z > 127) {
      this.buf[this.at++] = (z & 127) | 128;
      z >>>= 7;
    }
    this.buf[this.at++] = z;
  }

  sized(data: string | Buffer | null | undefined, size: number): void {
    this.varint(size);
    if (data == null || size <= 0) return;
    if (typeof data === 'string') this.buf.write(data, this.at, size, 'utf8');
    else data.copy(this.buf, this.at);
    this.at += size;
  }

  text(text: string | null | undefined): void {
    const size = text == null ? -1 : Buffer.byteLength(text);
    this.at = this.buf.writeInt16BE(size, this.at);
    if (text != null) this.at += this.buf.write(text, this.at, size, 'utf8');
  }

  /** Returns where in the sizes the next record's begin. */
  record(message: Message, index: number, from: number): number {
    const { sizes, buf } = this;
    // The parts' sizes come first, then the count of headers and the whole: found by walking the headers.
    let next = from + 2;
    const { headers } = message;
    for (const name in headers) {
      const header = headers[name];
      if (header !== undefined) next += Array.isArray(header) ? header.length * 2 : 2;
    }
    this.varint(sizes[next + 1]!);
    buf[this.at++] = 0;
    buf[this.at++] = 0;
    this.varint(index);
    this.sized(message.key, sizes[from]!);
    this.sized(message.value, sizes[from + 1]!);
    this.varint(sizes[next]!);
    let at = from + 2;
    for (const name in headers) {
      const header = headers[name];
      if (header === undefined) continue;
      for (const one of Array.isArray(header) ? header : [header]) {
        this.sized(name, sizes[at++]!);
        this.sized(one, sizes[at++]!);
      }
    }
    return next + 2;
  }
}

/**
 * The body of a produce request, record batches of magic 2, uncompressed, in one buffer. kafkajs makes a buffer per header, per
 * record and per layer and copies each record seven times, which is most of what a produced record costs it.
 * Layout: https://kafka.apache.org/documentation/#recordbatch and the protocol guide's Produce, versions 3 to 8.
 */
export function encodeProduce(request: ProduceArguments): Buffer {
  const { acks, timeout, transactionalId, topicData } = request;
  const sizes: Sizes = [];
  const batchBytes: number[] = [];
  let total = 2 + (transactionalId == null ? 0 : Buffer.byteLength(transactionalId)) + 2 + 4 + 4;
  for (const { topic, partitions } of topicData) {
    total += 2 + Buffer.byteLength(topic) + 4;
    for (const { messages } of partitions) {
      let bytes = batchHeadBytes;
      for (let i = 0; i < messages.length; i++) bytes += measureRecord(messages[i]!, i, sizes);
      batchBytes.push(bytes);
      total += 8 + bytes;
    }
  }
  const w = new Writer(Buffer.allocUnsafe(total), sizes);
  w.text(transactionalId);
  w.at = w.buf.writeInt16BE(acks, w.at);
  w.at = w.buf.writeInt32BE(timeout, w.at);
  w.at = w.buf.writeInt32BE(topicData.length, w.at);
  let from = 0;
  let batch = 0;
  for (const { topic, partitions } of topicData) {
    w.text(topic);
    w.at = w.buf.writeInt32BE(partitions.length, w.at);
    for (const { partition, firstSequence = 0, messages } of partitions) {
      const bytes = batchBytes[batch++]!;
      w.at = w.buf.writeInt32BE(partition, w.at);
      w.at = w.buf.writeInt32BE(bytes, w.at);
      const head = w.at;
      w.at += batchHeadBytes;
      for (let i = 0; i < messages.length; i++) from = w.record(messages[i]!, i, from);
      writeHead(w.buf, head, bytes, messages.length, firstSequence, request);
    }
  }
  return w.buf;
}

/** The head is written last: its checksum covers the records. */
function writeHead(
  buf: Buffer,
  head: number,
  bytes: number,
  count: number,
  firstSequence: number,
  { transactionalId, producerId, producerEpoch = 0 }: ProduceArguments,
): void {
  const now = BigInt(Date.now());
  let at = buf.writeBigInt64BE(0n, head);
  at = buf.writeInt32BE(bytes - 12, at);
  at = buf.writeInt32BE(0, at);
  at = buf.writeInt8(batchMagic, at);
  const sumAt = at;
  at = buf.writeInt16BE(transactionalId ? transactionalBit : 0, at + 4);
  at = buf.writeInt32BE(count - 1, at);
  at = buf.writeBigInt64BE(now, at);
  at = buf.writeBigInt64BE(now, at);
  at = buf.writeBigInt64BE(BigInt(String(producerId ?? -1)), at);
  at = buf.writeInt16BE(producerEpoch, at);
  at = buf.writeInt32BE(firstSequence, at);
  buf.writeInt32BE(count, at);
  buf.writeUInt32BE(crc32c(buf, sumAt + 4, head + bytes), sumAt);
}
