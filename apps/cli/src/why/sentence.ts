import { span } from '../status/table.js';
import type { Facts } from './facts.js';

/** Why a record is, or is not, where it should be. `code` is stable, for programs. */
export interface Answer {
  code: string;
  sentence: string;
  /** True where nothing is to be done: the record is there, or is rightly not. */
  well: boolean;
}

const well = (code: string, said: string): Answer => ({ code, sentence: begun(said), well: true });
const not = (code: string, said: string): Answer => ({ code, sentence: begun(said), well: false });
/** As a sentence begins; none of them begins with a connection's name. */
const begun = (said: string): string => said.charAt(0).toUpperCase() + said.slice(1);

/** One sentence saying why a record is not where it should be, from the real state; what stands nearest to the target comes first. */
export function whyNot(facts: Facts): Answer {
  const { record, target, delivery } = facts;
  if (record.mergedInto !== null)
    return well(
      'merged',
      `${called(facts)} turned out to be another record, ${record.mergedInto}: ask about that one.`,
    );
  if (!facts.writer) return not('writer-down', `The writer of ${target} does not answer, so ${called(facts)} waits.`);
  if (delivery?.state === 'dead') return gaveUp(facts, delivery);
  const missing = notThere(facts);
  return missing ?? arrived(facts);
}

/** Null where the newest revision is at the target. */
function notThere(facts: Facts): Answer | null {
  const { record, delivery } = facts;
  const open = delivery !== null && (delivery.state === 'pending' || delivery.state === 'waiting');
  if (open && delivery.desiredRevision >= record.revision) return shut(facts) ?? parked(facts, delivery);
  const unwanted = notWanted(facts);
  if (unwanted) return unwanted;
  const up = delivery !== null && delivery.desiredRevision >= record.revision && delivery.state !== 'pending';
  if (up) return null;
  return shut(facts) ?? behind(facts);
}

/** The record has no place at the target. */
function notWanted(facts: Facts): Answer | null {
  const { record, delivery, target, writer } = facts;
  const lives = record.sources.some((s) => s.connection === target && !s.deleted);
  if (record.document === null)
    return not('mentioned', `${called(facts)} is only mentioned by another record: nothing of it has been read yet.`);
  if (lives || (delivery !== null && delivery.state !== 'unwanted')) return null;
  const [key] = record.ambiguous;
  if (key) return ambiguous(facts, key);
  const from = writer?.takes[record.kind] ?? [];
  const holders = [...new Set(record.sources.map((s) => s.connection))];
  if (!holders.some((c) => from.includes(c)))
    return well(
      'not-wanted',
      `No flow takes a record of the kind ${record.kind} from ${holders.join(' or ') || 'nowhere'} to ${target}.`,
    );
  if (record.deleted) return well('deleted', `${called(facts)} was deleted at its source and was never at ${target}.`);
  if (facts.notApplying !== null && delivery?.state === 'unwanted')
    return well('not-applying', `${called(facts)} has no place at ${target}: it ${facts.notApplying}.`);
  return null;
}

function ambiguous(facts: Facts, key: Facts['record']['ambiguous'][number]): Answer {
  const { record, target } = facts;
  const other = key.id === record.id ? `${key.connection}'s ${key.externalId}` : `record ${key.id}`;
  return not(
    'ambiguous',
    `${called(facts)} is not at ${target} under its key: ${other} has the same ${scopeWords(key.scope)}, and the two were not joined, since both live at ${key.connection}.`,
  );
}

/** "tracking" is a carrier and a number; "name:shop" the name an order has at a shop. */
function scopeWords(scope: string): string {
  if (scope === 'tracking') return 'tracking number';
  return scope.startsWith('name:') ? `name at ${scope.slice('name:'.length)}` : `key (${scope})`;
}

/** Nothing goes to the target at all. */
function shut(facts: Facts): Answer | null {
  const { target, writer, nowMs } = facts;
  if (!writer) return null;
  const what = writing(facts);
  if (writer.paused !== null)
    return not('paused', `${what} since an operator paused ${target} at ${time(Date.parse(writer.paused))}.`);
  if (writer.state === 'unauthorized')
    return not('unauthorized', `${what} since ${target} refuses our credentials${words(writer.reason)}.`);
  if (writer.state === 'unreachable')
    return not(
      'circuit-open',
      `${what} since ${target} failed too often in a row${words(writer.reason)}; it is tried again by and by.`,
    );
  if (writer.heldUntil !== null && writer.heldUntil > nowMs)
    return not('throttled', `${what} until ${time(writer.heldUntil)}, since ${target} throttled us.`);
  return null;
}

/** The row says itself what it waits for. */
function parked(facts: Facts, row: NonNullable<Facts['delivery']>): Answer {
  const { target, nowMs, writer } = facts;
  const failure = `${row.failureKind}: ${row.failureReason ?? 'no reason was given'}`;
  if (row.state === 'waiting') {
    const names = (row.waitsFor ?? []).map((id) => facts.names[id] ?? `record ${id}`);
    const what = names.length > 0 ? names.join(' and ') : 'a record it does not name yet';
    return not(
      'waits-for-link',
      `${called(facts)} waits for ${what} to be known at ${target}, which it refers to there.`,
    );
  }
  if (row.underWay) return not('under-way', `${called(facts)} is being written to ${target} now.`);
  if (row.settleUntil !== null && row.settleUntil > nowMs) {
    const lost = row.pendingCreate ? 'its create' : 'a write';
    const then = row.pendingCreate ? `what became of it is looked up at ${target}` : 'it is decided anew';
    return not(
      row.pendingCreate ? 'create-unknown' : 'write-unknown',
      `The outcome of ${lost} at ${target} is unknown (${failure}): ${then} at ${time(row.settleUntil)}, when the request can no longer arrive.`,
    );
  }
  if (row.dueAt > nowMs) {
    if (row.failureKind === 'throttled')
      return not('throttled', `${writing(facts)} until ${time(row.dueAt)}, since ${target} throttled us.`);
    if (row.failureKind !== null)
      return not(
        'retrying',
        `${called(facts)} failed ${row.attempts} ${row.attempts === 1 ? 'time' : 'times'} at ${target} (${failure}) and is tried again at ${time(row.dueAt)}.`,
      );
    return not('postponed', `${called(facts)} is parked until ${time(row.dueAt)}: another write of it is under way.`);
  }
  const others = Math.max(0, (writer?.pending ?? 1) - 1);
  return not('due', `${called(facts)} is due at ${target} now, with ${others} others.`);
}

/** The newest revision has not reached the writer's own table. */
function behind(facts: Facts): Answer {
  const { target, lag, record } = facts;
  if (lag === null)
    return not(
      'lag-unknown',
      `The writer of ${target} has not taken in r${record.revision} of ${called(facts)} yet, and Kafka does not say how far it is.`,
    );
  if (lag.records > 0) {
    const old = lag.seconds === null ? '' : `, the oldest ${span(lag.seconds * 1_000)} old`;
    return not(
      'consumer-lag',
      `The writer of ${target} is ${lag.records} records behind${old}; r${record.revision} of ${called(facts)} is among them.`,
    );
  }
  const lives = record.sources.some((s) => s.connection === target);
  if (lives && facts.delivery === null)
    return well('own-record', `${called(facts)} is ${target}'s own record, and nothing of it has to be brought there.`);
  return not('not-taken-in', `The writer of ${target} has not taken in r${record.revision} of ${called(facts)} yet.`);
}

/** The newest known revision is at the target: what may still be missing stands before it. */
function arrived(facts: Facts): Answer {
  const { record, target, delivery, nowMs } = facts;
  const revision = `r${record.revision}`;
  const [held] = record.held;
  if (held)
    return not(
      'held',
      `A change of ${called(facts)} at ${held.connection} has been held for ${span(nowMs - held.since)}, until the receipt of a write of ours there comes (30 s at most).`,
    );
  if (delivery?.state === 'unwanted' && !record.deleted)
    return well(
      'unwanted',
      `${called(facts)} has no place at ${target}: the flows and its connector bring nothing of it there.`,
    );
  if (record.deleted || delivery?.deleted)
    return well('deleted', `${called(facts)} was deleted at its source, and ${target} has been told (${revision}).`);
  const lacking = record.sources.find((s) => s.connection === target && !s.deleted)?.behind ?? [];
  if (lacking.length > 0)
    return not(
      'lacking',
      `${called(facts)} is at ${target} (${revision}) but for ${lacking.join(', ')}: the answer to a write of it is still awaited, or it was not kept.`,
    );
  if (facts.pausedSources.length > 0)
    return not(
      'source-paused',
      `${called(facts)} is at ${target} as far as we know (${revision}), but ${facts.pausedSources.join(' and ')} is paused as a source: later changes come by webhook alone.`,
    );
  if ((facts.transformerLag ?? 0) > 0)
    return not(
      'transformer-lag',
      `${called(facts)} is at ${target} as far as we know (${revision}); ${facts.transformerLag} messages of sources are not mapped yet.`,
    );
  return well('delivered', `${called(facts)} is at ${target}, up to date (${revision}).`);
}

function gaveUp(facts: Facts, row: NonNullable<Facts['delivery']>): Answer {
  const { target } = facts;
  const times = `${row.attempts} ${row.attempts === 1 ? 'attempt' : 'attempts'}`;
  return not(
    'dead',
    `${called(facts)} was given up at ${target} after ${times} (${row.failureKind}: ${row.failureReason ?? 'no reason was given'}); "syncline deliveries ${target} --state dead" lists what was.`,
  );
}

const called = ({ record }: Facts): string => `${record.kind} ${record.name}`;
const writing = (facts: Facts): string =>
  `${facts.delivery?.deleted ? 'The deletion of ' : ''}${called(facts)} is not written to ${facts.target}`;
const words = (reason: string | null): string => (reason === null ? '' : ` (${reason})`);
const time = (ms: number): string => new Date(ms).toISOString();
