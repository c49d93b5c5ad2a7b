// `npm run bench`: Syncline side by side with what a team would write first, on the same machine in the same run. Trust ratios.
import { type Drained, drainNaive, drainSyncline } from './drain.js';
import { live } from './live.js';
import { type Metered, median } from './meter.js';
import { heapMbMax, type Scaled, scaled } from './scale.js';

const number = (name: string, fallback: number) =>
  Number(process.argv.find((a) => a.startsWith(`--${name}=`))?.split('=')[1] ?? fallback);
// 2,000 messages between two versions are about 7 s of a shop at 300 a second; as many as there are records: nothing to fold.
const backlog = { orders: number('orders', 20_000), versions: 3, apart: number('apart', 2_000) };
const rounds = number('rounds', 3);
const load = { perSecond: number('rate', 300), seconds: number('seconds', 60), heaps: number('heaps', 0) };
const records = backlog.orders * backlog.versions;

const fixed = (n: number, digits = 0) => n.toFixed(digits);

function row(name: string, used: Readonly<Record<string, Metered>>, per: number): string {
  const cells = Object.entries(used).map(
    ([who, u]) => `${who} ${fixed((u.cpuSeconds / per) * 1000, 3)} s, peak ${fixed(u.peakMb)} MB`,
  );
  return `  ${name}: CPU per 1,000 records and peak memory: ${cells.join(' · ')}`;
}

// --scale=1000000: whether a change costs the same where so many records are known as where 10,000 are; nothing else is measured.
const knownMany = number('scale', 0);
if (knownMany > 0) {
  const probe = 10_000;
  const [few, many] = [await scaled(probe, probe), await scaled(knownMany, probe)];
  for (const s of [few, many]) console.log(scaleText(s));
  const ratio = (of: (s: Scaled) => number) => fixed(of(many) / of(few), 2);
  console.log(
    `${knownMany} known against ${probe}: CPU of the services ${ratio((s) => s.cpu)}, of Kafka and PostgreSQL ${ratio((s) => s.serverCpu)}, time ${ratio((s) => s.seconds)}`,
  );
  process.exit(0);
}

function scaleText(s: Scaled): string {
  const peaks = Object.entries(s.peakMb).map(([who, mb]) => `${who} ${fixed(mb)} MB`);
  return [
    `${s.known} records with heaps of ${heapMbMax} MB: drained in ${fixed(s.drainSeconds, 1)} s = ${fixed(s.known / s.drainSeconds)} records/s, peak resident memory ${peaks.join(', ')}`,
    `  then, per 1,000 changes: ${fixed(s.cpu, 3)} CPU s of the services, ${fixed(s.serverCpu, 3)} of Kafka and PostgreSQL, ${fixed(s.seconds, 2)} s`,
  ].join('\n');
}

const rates = { syncline: [] as number[], naive: [] as number[] };
const report = (name: string, round: number, d: Drained) => {
  console.log(
    `${name}, round ${round}: ${records} records in ${fixed(d.seconds, 1)} s = ${fixed(d.recordsPerSecond)} records/s, ${d.rowsWritten} rows written`,
  );
  console.log(row(name, d.used, records));
};

if (!process.argv.includes('--no-drain')) {
  console.log(
    `Backlog of ${backlog.orders} orders × ${backlog.versions} versions, ${backlog.apart} messages apart, 6 partitions`,
  );
  for (let round = 1; round <= rounds; round++) {
    const ours = await drainSyncline(backlog);
    rates.syncline.push(ours.recordsPerSecond);
    report('syncline', round, ours);
    if (process.argv.includes('--no-naive')) continue;
    const theirs = await drainNaive(backlog);
    rates.naive.push(theirs.recordsPerSecond);
    report('naive', round, theirs);
  }
}
if (!process.argv.includes('--no-live')) {
  const l = await live(load);
  console.log(
    `${load.perSecond} webhooks/s for ${load.seconds} s: sent ${l.sent}, refused ${l.refused}, arrived ${l.arrived}, written twice ${l.duplicated}`,
  );
  console.log(
    `  freshness, request sent → row committed: p50 ${fixed(l.p50)} ms, p95 ${fixed(l.p95)} ms, p99 ${fixed(l.p99)} ms`,
  );
  console.log(
    `  memory of the services: ${fixed(l.memory.early)} MB after a third of the time, ${fixed(l.memory.late)} MB at the end`,
  );
  for (const [i, held] of l.heaps.entries()) {
    const cells = Object.entries(held).map(
      ([who, h]) => `${who} ${fixed(h.liveMb)} MB live, ${fixed(h.residentMb)} MB resident`,
    );
    console.log(`  after ${i + 1}/${load.heaps} of the time and a garbage collection: ${cells.join(' · ')}`);
  }
  console.log(row('syncline', l.used, l.sent));
}
if (rates.syncline.length > 0) {
  const [x, y] = [median(rates.syncline), median(rates.naive)];
  const beside = rates.naive.length > 0 ? `, naive: ${fixed(y)} records/s, ratio ${fixed(x / y, 1)}` : '';
  console.log(`end to end: ${fixed(x)} records/s${beside}`);
}
process.exit(0);
