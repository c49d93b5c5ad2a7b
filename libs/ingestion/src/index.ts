export { bodyBytesMax } from './body.js';
export { type IngestorEnv, ingestorEnv } from './env.js';
export type { IngestorTimes } from './ingestor.js';
export { overlapMs } from './poll.js';
export { type IngestorOverrides, type RunningIngestor, startIngestor } from './start.js';
