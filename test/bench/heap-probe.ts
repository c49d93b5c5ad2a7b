// Loaded into a measured service before its own code (`--import`): on SIGUSR2 it collects its garbage and writes what is left.
import { writeFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const file = process.env.BENCH_HEAP_FILE;
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

process.on('SIGUSR2', () => {
  collect();
  const { heapUsed, external, rss } = process.memoryUsage();
  if (file) writeFileSync(file, JSON.stringify({ liveMb: (heapUsed + external) / 1e6, residentMb: rss / 1e6 }));
});
