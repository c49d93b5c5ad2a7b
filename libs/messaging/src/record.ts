import type { RawHeaders } from '@syncline/contracts';
import type { KafkaMessage } from 'kafkajs';

/** A record as consumers see it. Headers stay bytes until someone reads one. */
export interface InboundRecord {
  topic: string;
  partition: number;
  offset: bigint;
  /** Empty where the record has no key. */
  key: string;
  /** null: a tombstone. */
  value: Buffer | null;
  headers: RawHeaders;
  /** Milliseconds since the epoch, as the producer or the broker set it. */
  timestamp: number;
}

/** A record of kafkajs as ours. */
export function inbound(topic: string, partition: number, message: KafkaMessage): InboundRecord {
  return {
    topic,
    partition,
    offset: BigInt(message.offset),
    key: message.key === null ? '' : message.key.toString(),
    value: message.value,
    headers: (message.headers ?? {}) as RawHeaders,
    timestamp: Number(message.timestamp),
  };
}

/** A record to be sent. */
export interface OutboundMessage {
  key: string;
  value: Buffer | string | null;
  headers: Record<string, string | Buffer | (string | Buffer)[]>;
}

/**
 * Bytes of records in one send. The broker limits a record batch, 1 MiB by default, and all records of a send to one partition
 * make one batch; a single larger record goes alone.
 */
export const sendBytesMax = 900_000;
/** kafkajs copies its list once per record of a send: more records cost more than a second send. */
export const sendRecordsMax = 500;

/** About the size of a record in its batch, in bytes. */
export function sizeOf(message: OutboundMessage): number {
  let size = 64 + message.key.length * 2;
  const { value, headers } = message;
  if (value !== null) size += typeof value === 'string' ? Buffer.byteLength(value) : value.length;
  for (const name in headers) {
    const header = headers[name]!;
    size += name.length + 4;
    if (Array.isArray(header)) for (const one of header) size += one.length;
    else size += header.length;
  }
  return size;
}
