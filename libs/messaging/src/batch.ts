import type { SyncError } from '@syncline/contracts';
import type { KafkaSettings } from './client.js';
import type { InboundRecord } from './record.js';

/**
 * How one record ended: null = done. unmappable goes to invalid.<group>, rejected and defect to dead-letter.<group>, superseded
 * is done; any other kind cannot end a record, so the batch counts as failed for now.
 */
export type Outcome = null | SyncError;

/** Records of one partition, oldest first. */
export interface Batch {
  topic: string;
  partition: number;
  records: readonly InboundRecord[];
  /** The offset after the partition's last record, as of the last fetch. */
  highWatermark: bigint;
  /** True for the first batch after this partition was assigned, and for one that is given again after it failed. */
  takeover: boolean;
  /** Throws when the partition is no longer ours: a handler calls it between steps of long work and lets the error out. */
  heartbeat(): Promise<void>;
  /** Aborted when the partition is revoked, the session is lost, or a stop has waited long enough. */
  signal: AbortSignal;
}

/**
 * Handles a batch. Returns one outcome per record, or nothing when all are done. A throw means that the batch as a whole
 * cannot be handled now: it is given again, unchanged, after a pause with full jitter of at most 10 s.
 */
export type BatchHandler = (batch: Batch) => Promise<readonly Outcome[] | undefined> | Promise<void>;

export interface BatchStrategyOptions {
  kafka: KafkaSettings;
  groupId: string;
  topics: string[];
  /** Partitions handled at the same time. Default 3. */
  partitionsConcurrent?: number;
  /** The handler puts batches of several partitions together: all are started, `partitionsConcurrent` only slows fetching down. */
  together?: boolean;
  /** Default 1,000. */
  maxBatchRecords?: number;
  /** Default 1,000 ms. */
  commitIntervalMs?: number;
  /** Where a group without an offset begins. Default true: at the first record. */
  fromBeginning?: boolean;
  /** Awaited before the partition's first batch, for all partitions at once when the group is joined; repeated until it does not throw. */
  onAssigned?(topic: string, partition: number): Promise<void>;
  /** Awaited when the partition has gone to another member (its last batch has ended by then), and on a stop. */
  onRevoked?(topic: string, partition: number): Promise<void>;
}
