import { Budget1700000004000 } from './budget.js';
import { Delivery1700000003000 } from './delivery.js';
import { Drift1764003000000 } from './drift.js';
import { Grants1700000005000 } from './grants.js';
import { Ingestion1700000002000 } from './ingestion.js';
import { IngestionBackfills1764001000000 } from './ingestion-backfills.js';
import { Operate1700000006000 } from './operate.js';
import { Transformer1700000001000 } from './transformer.js';
import { TransformerReplays1764002000000 } from './transformer-replays.js';

/** Every migration of the store, in order. One area a file; a later change adds a class, it never edits one that shipped. */
export const migrations = [
  Transformer1700000001000,
  Ingestion1700000002000,
  Delivery1700000003000,
  Budget1700000004000,
  Grants1700000005000,
  Operate1700000006000,
  IngestionBackfills1764001000000,
  TransformerReplays1764002000000,
  Drift1764003000000,
];
