import { z } from 'zod';
import type { Local, LocalService } from '../local.js';
import { askService } from '../status/ask.js';
import { span } from '../status/table.js';

const shownMax = 10;
const keptMax = 200;
/** So long after the last news of a change nothing more is expected of it. */
const quietMs = 1_500;

const ended = z.object({
  at: z.number(),
  target: z.string(),
  kind: z.string(),
  id: z.string(),
  revision: z.number(),
  outcome: z.string(),
  deleted: z.boolean().default(false),
  /** Since the change reached us; null where nothing was written. */
  tookMs: z.number().nullable(),
});
/** A delivery that ended, as a writer tells it. */
export type Ended = z.infer<typeof ended>;

const recent = z.object({ now: z.number(), recent: z.array(ended) });
const named = z.object({ record: z.object({ data: z.record(z.string(), z.unknown()) }).nullable() });

/** A record that changed, and the targets its newest revision has reached, by name. */
export interface Change {
  id: string;
  revision: number;
  kind: string;
  deleted: boolean;
  atMs: number;
  targets: Map<string, { tookMs: number | null; failed: boolean }>;
  /** What people call the record and how it stands; undefined until asked. */
  words?: string;
}

/** Collects what writers say about ended deliveries into changes of records. */
export interface Changes {
  /** Takes news; answers of no interest (nothing written, nothing failed) are passed over. */
  add(news: readonly Ended[]): void;
  /** The newest changes that fit the view, oldest first. */
  newest(): Change[];
  /** Changes of which nothing more is expected and that were not given out before, oldest first. */
  takeSettled(nowMs: number): Change[];
}

/** An empty collection; it keeps the last 200 changes. */
export function collectChanges(): Changes {
  const changes = new Map<string, Change>();
  const given = new Map<string, number>();
  const inOrder = (): Change[] => [...changes.values()].sort((a, b) => a.atMs - b.atMs);
  return {
    add(news) {
      for (const { id, revision, kind, deleted, target, tookMs, outcome, at } of news) {
        const failed = outcome === 'dead';
        if (tookMs === null && !failed) continue;
        let change = changes.get(id);
        // News within a moment belong to one line: a change often comes in several revisions.
        if (!change || (revision > change.revision && at - change.atMs > quietMs)) {
          change = { id, revision, kind, deleted, atMs: at, targets: new Map() };
          changes.set(id, change);
        }
        if (revision > change.revision) {
          Object.assign(change, { revision, deleted });
          delete change.words;
        }
        change.atMs = Math.max(change.atMs, at);
        change.targets.set(target, { tookMs, failed });
      }
      for (const old of inOrder().slice(0, Math.max(0, changes.size - keptMax))) {
        changes.delete(old.id);
        given.delete(old.id);
      }
    },
    newest: () => inOrder().slice(-shownMax),
    takeSettled(nowMs) {
      const settled = inOrder().filter(
        ({ id, atMs, revision }) => nowMs - atMs > quietMs && given.get(id) !== revision,
      );
      for (const { id, revision } of settled) given.set(id, revision);
      return settled;
    },
  };
}

/** One change as a line: `order #1042 paid → warehouse 300 ms, carrier 500 ms`. */
export function changeLine(change: Change): string {
  const targets = [...change.targets].map(
    ([name, { tookMs, failed }]) => `${name} ${failed ? 'failed' : span(tookMs)}`,
  );
  return `${change.kind} ${change.words ?? change.id}${change.deleted ? ' deleted' : ''} → ${targets.join(', ')}`;
}

/** What people call a record, and how it stands: `#1042 paid`, `EZ1000000001 in_transit`. */
export function wordsOf(data: Readonly<Record<string, unknown>>): string {
  const texts = [data.name ?? data.trackingNumber, data.financialStatus ?? data.status];
  return texts.filter((text) => typeof text === 'string' && text !== '').join(' ');
}

/** Asks the writers of a running system for their news. */
export function followWriters(changes: Changes): (local: Local) => Promise<void> {
  const heardMs = new Map<string, number>();
  return async (local) => {
    const writers = local.services.filter(({ role }) => role === 'writer');
    await Promise.all(
      writers.map(async (writer) => {
        const parsed = recent.safeParse(await askService(writer, `/recent?after=${heardMs.get(writer.name) ?? 0}`));
        if (!parsed.success) return;
        const newest = parsed.data.recent.at(-1);
        if (newest) heardMs.set(writer.name, newest.at);
        changes.add(parsed.data.recent);
      }),
    );
  };
}

/** Adds the words to changes that have none yet; those without an answer keep their id. */
export async function nameChanges(local: Local, changes: readonly Change[]): Promise<void> {
  const transformer = local.services.find(({ role }) => role === 'transformer');
  if (!transformer) return;
  await Promise.all(
    changes.filter(({ words }) => words === undefined).map((change) => nameChange(transformer, change)),
  );
}

async function nameChange(transformer: LocalService, change: Change): Promise<void> {
  const parsed = named.safeParse(
    await askService(transformer, `/records/timeline?id=${encodeURIComponent(change.id)}`),
  );
  if (!parsed.success) return;
  change.words = (parsed.data.record && wordsOf(parsed.data.record.data)) || change.id;
}
