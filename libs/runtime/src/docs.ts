import { readFileSync, writeFileSync } from 'node:fs';
import type { z } from 'zod';
import { declaredMetrics } from './metrics.js';

/** The environment variables of a schema as a Markdown table, but for those that another schema has. */
export function envTable(schema: z.ZodObject, but?: z.ZodObject): string {
  const own = Object.entries(schema.shape).filter(([name]) => !(but && name in but.shape));
  const rows = own.map(([name, field]) => {
    const type = field as z.ZodType;
    const absent = type.safeParse(undefined);
    const fallback = !absent.success ? 'needed' : absent.data === undefined ? '' : `\`${String(absent.data)}\``;
    return [`\`${name}\``, fallback, type.description ?? ''];
  });
  return table(['variable', 'default', 'meaning'], rows);
}

/** Every declared metric as a Markdown table, by the names /metrics shows. */
export function metricsTable(): string {
  const rows = declaredMetrics.map((m) => [
    `\`${prometheusName(m.name, m.type)}\``,
    `${m.type}${m.unit.startsWith('{') || m.unit === '1' ? '' : `, ${m.unit}`}`,
    m.attributes.map((a) => `\`${a.replaceAll('.', '_')}\``).join(' '),
    m.description,
  ]);
  return table(['on /metrics', 'type', 'labels', 'meaning'], rows);
}

/** The name a metric has on /metrics: the exporter adds _total to counters and no units. */
export function prometheusName(name: string, type: 'counter' | 'histogram' | 'gauge'): string {
  return `${name.replaceAll('.', '_')}${type === 'counter' ? '_total' : ''}`;
}

/**
 * Compares the parts of a document between `<!-- name:begin -->` and `<!-- name:end -->` with what they should say, and returns
 * the names that differ. With SYNCLINE_UPDATE_DOCS set it writes them instead. Throws where a marker is missing.
 */
export function staleParts(path: string, parts: Readonly<Record<string, string>>): string[] {
  let text = readFileSync(path, 'utf8');
  const stale: string[] = [];
  for (const [name, content] of Object.entries(parts)) {
    const begin = `<!-- ${name}:begin -->\n`;
    const from = text.indexOf(begin) + begin.length;
    const to = text.indexOf(`<!-- ${name}:end -->`);
    if (from < begin.length || to < from) throw new Error(`${path} has no part ${name}`);
    if (text.slice(from, to) !== content) stale.push(name);
    text = text.slice(0, from) + content + text.slice(to);
  }
  if (!process.env.SYNCLINE_UPDATE_DOCS) return stale;
  writeFileSync(path, text);
  return [];
}

/** A Markdown table with padded cells, the form the formatter keeps. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [head, ...rows].map((row) => row.map((c) => c.replaceAll('|', '\\|')));
  const widths = head.map((_, i) => Math.max(3, ...cells.map((row) => row[i]!.length)));
  const line = (row: readonly string[]) => `| ${row.map((c, i) => c.padEnd(widths[i]!)).join(' | ')} |\n`;
  const [top, ...rest] = cells.map(line);
  return `${top}${line(widths.map((w) => '-'.repeat(w)))}${rest.join('')}`;
}
