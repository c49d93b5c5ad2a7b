import { Delivery1700000003000 } from './delivery.js';
import { Drift1700000007000 } from './drift.js';
import { Ingestion1700000002000 } from './ingestion.js';
import { Transformer1700000001000 } from './transformer.js';

/** Every migration of the store, in order. One area a file; a later change adds a class, it never edits one that shipped. */
export const migrations = [Transformer1700000001000, Ingestion1700000002000, Delivery1700000003000, Drift1700000007000];
