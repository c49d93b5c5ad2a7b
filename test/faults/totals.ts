// The figures of a campaign, and its last line.
import { type Breach, type Finding, promises } from './check.js';

export interface Totals {
  runs: number;
  faults: number;
  records: number;
  longestRecoveryMs: number;
  breaches: Record<Breach, number>;
}

export const noTotals = (): Totals => ({
  runs: 0,
  faults: 0,
  records: 0,
  longestRecoveryMs: 0,
  breaches: { lost: 0, duplicated: 0, inverted: 0, told: 0 },
});

/** Adds a run. */
export function addRun(
  totals: Totals,
  run: { findings: readonly Finding[]; faults: number; records: number; recoveryMs: number | null },
): void {
  totals.runs++;
  totals.faults += run.faults;
  totals.records += run.records;
  totals.longestRecoveryMs = Math.max(totals.longestRecoveryMs, run.recoveryMs ?? 0);
  for (const { promise } of run.findings) totals.breaches[promises[promise]!.breach]++;
}

export const isClean = ({ breaches }: Totals): boolean => Object.values(breaches).every((count) => count === 0);

/** `N runs, N faults, N records, N lost, N duplicated, N inverted`; breaches of other kinds are added where there are any. */
export function lastLine({ runs, faults, records, breaches }: Totals): string {
  const { lost, duplicated, inverted, told } = breaches;
  const line = `${runs} runs, ${faults} faults, ${records} records, ${lost} lost, ${duplicated} duplicated, ${inverted} inverted`;
  return told > 0 ? `${line}, ${told} told` : line;
}
