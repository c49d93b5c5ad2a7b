export * from './decide.js';
export { type Disposition, disposition, dispositionLimits, knownNotDone } from './disposition.js';
export { decideMerge, type MergeAction, type MergeSide } from './merge.js';
export type { Timing } from './object-target.js';
export type { RecentDelivery } from './progress.js';
export type { BatchProvider } from './serve-batches.js';
export { startWriter, type WriterOptions } from './start-writer.js';
export type { TargetStatus } from './status.js';
