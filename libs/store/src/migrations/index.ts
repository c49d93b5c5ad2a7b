import { Delivery1700000003000 } from './delivery.js';
import { Ingestion1700000002000 } from './ingestion.js';
import { IngestionBackfills1764001000000 } from './ingestion-backfills.js';
import { Transformer1700000001000 } from './transformer.js';
import { TransformerReplays1764002000000 } from './transformer-replays.js';

/** Every migration of the store, in order. One area a file; a later change adds a class, it never edits one that shipped. */
export const migrations = [
  Transformer1700000001000,
  Ingestion1700000002000,
  Delivery1700000003000,
  IngestionBackfills1764001000000,
  TransformerReplays1764002000000,
];
