// What happened to a record, in time order, from all histories: what a failing run is read by.
import type { Histories } from './histories.js';

interface Moment {
  atMs: number;
  who: string;
  what: string;
}

const shownMax = 200;

/** The names under which a breach's sentence knows a record, and those that belong to the same one. */
export function namesOf(sentence: string, { log, truth, objects }: Histories): Set<string> {
  const names = new Set(
    [
      ...sentence.matchAll(
        /[0-9a-f]{8}-[0-9a-f-]{27}|#\d+|\b9400\d{18}\b|\b(?:trk|shp)_\w+|\b\d{10,}\b|(?<=webhook )\S+/g,
      ),
    ].map(([name]) => name),
  );
  const grow = (group: readonly string[]): boolean => {
    if (!group.some((name) => names.has(name)) || group.every((name) => names.has(name))) return false;
    for (const name of group) names.add(name);
    return true;
  };
  const groups = [
    ...log.flatMap((entry) => [
      ...(entry.sources.length > 0 ? [[entry.key, ...entry.sources.map(({ externalId }) => externalId)]] : []),
      ...(entry.eventId !== null && entry.subject !== null ? [[entry.eventId, entry.subject]] : []),
    ]),
    ...truth.orders.flatMap((order) => [
      [order.name, String(order.id)],
      ...order.fulfillments.map(({ id, trackingNumbers }) => [String(id), ...trackingNumbers]),
    ]),
    ...truth.trackers.map(({ id, trackingCode }) => [id, trackingCode]),
    ...objects.map(({ externalId }) => [externalId]),
  ];
  while (groups.filter(grow).length > 0);
  return names;
}

/** The story of what a sentence is about; of the whole run where it names no record. */
export function tellTale(sentence: string, histories: Histories): string {
  const names = namesOf(sentence, histories);
  const about = (...of: (string | null | undefined)[]): boolean => of.some((name) => name && names.has(name));
  const moments: Moment[] = histories.struck.map(({ atMs, what }) => ({ atMs, who: '*', what }));
  for (const { atMs, order, what, parcel } of histories.changes)
    if (about(`#${order}`, parcel)) moments.push({ atMs, who: 'source', what: `#${order} ${what}` });
  for (const one of histories.answers)
    if (about(one.eventId))
      moments.push({
        atMs: one.atMs,
        who: one.connection,
        what: `webhook ${one.eventId} answered ${one.status || 'nothing'}`,
      });
  for (const one of histories.log) {
    if (!about(one.key, one.subject, one.eventId, ...one.sources.map(({ externalId }) => externalId))) continue;
    const revision = one.revision === null ? '' : ` revision ${one.revision}`;
    const seen = one.sources.map(
      (s) => `${s.connection}/${s.externalId} as of ${s.seen}${s.deleted ? ', deleted' : ''}`,
    );
    const what = `${one.topic}/${one.partition}@${one.offset} ${one.isTombstone ? 'tombstone' : one.words}${revision} ${one.eventId ?? ''} ${seen.join('; ')}`;
    moments.push({ atMs: one.atMs, who: 'log', what: what.trimEnd() });
  }
  for (const row of histories.rows)
    if (about(row.id))
      moments.push({
        atMs: row.atMs,
        who: 'warehouse',
        what: `${row.kind} ${row.id} ${row.was ?? 'new'} → ${row.became}${row.deleted ? ', deleted' : ''}`,
      });
  for (const write of histories.writes) {
    const said = JSON.stringify([write.input, write.effects]);
    if (![...names].some((name) => name.length > 4 && said.includes(name))) continue;
    const effects = write.effects.map(({ kind, id }) => `${kind} ${id}`).join(', ') || 'no effect';
    const what = `${write.operation ?? `${write.method} ${write.path}`} → ${write.status ?? 'no answer'}${write.fault ? ` (${write.fault})` : ''}: ${effects}`;
    moments.push({ atMs: Date.parse(write.at), who: write.target, what });
  }
  moments.sort((a, b) => a.atMs - b.atMs);
  const lines = moments.map(
    ({ atMs, who, what }) => `  ${new Date(atMs).toISOString().slice(11, 23)} ${who.padEnd(10)} ${what}`,
  );
  const left = lines.length - shownMax;
  return [sentence, ...lines.slice(0, shownMax), ...(left > 0 ? [`  … and ${left} more`] : [])].join('\n');
}
