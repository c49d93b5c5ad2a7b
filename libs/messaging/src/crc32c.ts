/** Castagnoli's polynomial, bits reversed. */
const polynomial = 0x82f63b78;

/** Eight tables of 256 in a row: table n says what a byte does to the sum when n more bytes follow it. */
const tables = new Int32Array(8 * 256);
for (let byte = 0; byte < 256; byte++) {
  let sum = byte;
  for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ polynomial : sum >>> 1;
  tables[byte] = sum;
}
for (let i = 256; i < tables.length; i++) {
  const before = tables[i - 256]!;
  tables[i] = (before >>> 8) ^ tables[before & 0xff]!;
}

/**
 * CRC-32C (RFC 3720, appendix B.4) of a part of a buffer, unsigned: the checksum of Kafka's record batches. Eight bytes a step;
 * node:zlib has only the other CRC-32.
 */
export function crc32c(data: Uint8Array, start = 0, end = data.length): number {
  const t = tables;
  let sum = -1;
  let at = start;
  for (const last = end - 7; at < last; at += 8) {
    const low = sum ^ (data[at]! | (data[at + 1]! << 8) | (data[at + 2]! << 16) | (data[at + 3]! << 24));
    sum =
      t[1792 + (low & 0xff)]! ^
      t[1536 + ((low >>> 8) & 0xff)]! ^
      t[1280 + ((low >>> 16) & 0xff)]! ^
      t[1024 + (low >>> 24)]! ^
      t[768 + data[at + 4]!]! ^
      t[512 + data[at + 5]!]! ^
      t[256 + data[at + 6]!]! ^
      t[data[at + 7]!]!;
  }
  for (; at < end; at++) sum = (sum >>> 8) ^ t[(sum ^ data[at]!) & 0xff]!;
  return ~sum >>> 0;
}
