/** A fetched record, as kafkajs decodes it; offsets and ids are decimal texts. */
export interface FetchedMessage {
  offset: string;
  key: Buffer | null;
  isControlRecord?: boolean;
  batchContext?: { producerId: string; inTransaction: boolean };
}

/** One partition's part of a fetch answer. */
export interface FetchedPartition {
  abortedTransactions?: { producerId: string; firstOffset: string }[] | null;
  messages: FetchedMessage[];
}

// Key of a control record: version and type, two bytes each; type 0 is an abort (Kafka's ControlRecordType).
const isAbortMarker = ({ key }: FetchedMessage): boolean => key !== null && key.length >= 4 && key.readInt16BE(2) === 0;

/**
 * Hides the records of aborted transactions from readers that read committed. kafkajs's own filter lets some through: it takes
 * the broker's list as sorted by first offset, which it is not where transactions overlap (the broker lists them as they ended),
 * and begins at most one of them per record, so a fetch that starts inside two shows the second one's record. Hidden records
 * are marked as control records: nobody sees them, and offsets go on past them.
 */
export function hideAborted(partition: FetchedPartition): void {
  const { abortedTransactions, messages } = partition;
  if (!abortedTransactions || abortedTransactions.length === 0) return;
  const waiting = abortedTransactions
    .map(({ producerId, firstOffset }) => ({ producerId, from: BigInt(firstOffset) }))
    .sort((a, b) => (a.from < b.from ? -1 : a.from > b.from ? 1 : 0));
  const aborted = new Set<string>();
  let next = 0;
  for (const message of messages) {
    const offset = BigInt(message.offset);
    for (let one = waiting[next]; one && one.from <= offset; one = waiting[++next]) aborted.add(one.producerId);
    const producer = message.batchContext?.producerId ?? '';
    if (message.isControlRecord) {
      if (isAbortMarker(message)) aborted.delete(producer);
    } else if (message.batchContext?.inTransaction && aborted.has(producer)) message.isControlRecord = true;
  }
  partition.abortedTransactions = [];
}
