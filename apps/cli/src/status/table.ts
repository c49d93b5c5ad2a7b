import { styleText } from 'node:util';
import type { Status } from './merge.js';

/** A table as lines: columns as wide as their widest cell, numbers to the right. Unknown values are shown as a dash. */
export function table(head: readonly string[], rows: readonly (readonly (string | number | null)[])[]): string[] {
  const text = (cell: string | number | null): string =>
    cell === null ? '-' : typeof cell === 'number' ? cell.toLocaleString('en-US') : cell;
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => text(row[i] ?? null).length)));
  const isNumeric = head.map((_, i) => rows.some((row) => typeof row[i] === 'number'));
  const line = (cells: readonly (string | number | null)[]): string =>
    cells
      .map((cell, i) => (isNumeric[i] ? text(cell).padStart(widths[i]!) : text(cell).padEnd(widths[i]!)))
      .join('  ')
      .trimEnd();
  return [styleText('dim', line(head)), ...rows.map(line)];
}

/** A time span in words short enough for a column: 340 ms, 2.1 s, 4 min. */
export function span(ms: number | null): string {
  if (ms === null) return '-';
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  if (ms < 3_600_000) return `${Math.round(ms / 60_000)} min`;
  return `${Math.round(ms / 3_600_000)} h`;
}

/** How long ago an instant was, for people. */
export function ago(instant: string | null, nowMs = Date.now()): string {
  return instant === null ? 'never' : `${span(Math.max(0, nowMs - Date.parse(instant)))} ago`;
}

/** What keeps requests to a provider waiting: its own wish, or that the budget is spent, and who waits. */
function budgetLine(b: Status['budgets'][number]): string {
  const left = `${b.available.toLocaleString('en-US')} left, ${Math.round(b.perSecond)} a second`;
  const paused = b.pausedMs > 0 ? [`paused for ${span(b.pausedMs)}`] : [];
  const waiting = b.waiting.map(
    (w) => `${w.service} waits for ${Math.ceil(w.tokens)} (${w.priority}, ${span(w.forMs)})`,
  );
  return `Budget of ${b.connection}: ${[left, ...paused, ...waiting].join('; ')}`;
}

/** The status as `syncline status` and the live view print it. */
export function statusLines(status: Status, nowMs = Date.now()): string[] {
  const lagging = status.consumers.filter((consumer) => consumer.lagRecords > 0);
  const unwell = status.services.filter((service) => service.state !== 'ready' || service.restarts > 0);
  const paused = [
    ...status.connections.flatMap((c) => (c.paused ? [`${c.name} as a source for ${ago(c.paused, nowMs)}`] : [])),
    ...status.targets.flatMap((t) => (t.paused ? [`${t.name} as a target for ${ago(t.paused, nowMs)}`] : [])),
  ].map((text) => text.replace(/ ago$/, ''));
  const skewed = status.services.filter((service) => Math.abs(service.clockSkewMs ?? 0) >= 5_000);
  const reasons = [...status.connections, ...status.targets].flatMap((c) =>
    c.reason ? [`${c.name}: ${c.reason}`] : [],
  );
  return [
    ...table(
      ['CONNECTION', 'PROVIDER', 'STATE', 'ACCEPTED', 'CHANGED', 'LAST RECEIVED'],
      status.connections.map((c) => [
        c.name,
        c.provider,
        c.paused ? 'paused' : c.state,
        c.accepted,
        c.changed,
        ago(c.lastReceivedAt, nowMs),
      ]),
    ),
    '',
    ...table(
      ['TARGET', 'STATE', 'DESIRED', 'DELIVERED', 'PENDING', 'DEAD', 'FRESHNESS P50', 'P99'],
      status.targets.map((t) => [
        t.name,
        t.paused ? 'paused' : t.state,
        t.desired,
        t.delivered,
        t.pending,
        t.dead,
        span(t.freshnessMs.p50),
        span(t.freshnessMs.p99),
      ]),
    ),
    '',
    lagging.length === 0
      ? 'No consumer lags behind.'
      : `Lag: ${lagging.map((c) => `${c.group} on ${c.topic} ${c.lagRecords} (${c.lagSeconds ?? '?'} s)`).join(', ')}`,
    ...status.budgets.filter((b) => b.waiting.length > 0 || b.pausedMs > 0).map(budgetLine),
    unwell.length === 0
      ? `All ${status.services.length} services are ready.`
      : `Services: ${unwell.map((s) => `${s.name} ${s.state}${s.restarts > 0 ? `, restarted ${s.restarts}×` : ''}`).join('; ')}`,
    ...(paused.length > 0 ? [`Paused: ${paused.join(', ')} ("syncline resume" lets it go on)`] : []),
    ...skewed.map(
      ({ name, clockSkewMs }) =>
        `Clock: that of ${name} is ${span(Math.abs(clockSkewMs ?? 0))} ${(clockSkewMs ?? 0) > 0 ? 'ahead of' : 'behind'} the database's.`,
    ),
    ...reasons,
  ];
}
