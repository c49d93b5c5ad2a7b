import type { ObjectTarget } from '@syncline/connector-sdk';
import type { CanonicalRecord, Kind } from '@syncline/contracts';
import { transformerGroup, writerGroup } from '@syncline/contracts';
import { suggestion } from '@syncline/runtime';
import { z } from 'zod';
import { connectorOf } from '../config.js';
import { Failure } from '../failure.js';
import type { Local } from '../local.js';
import { askTransformer } from '../record/ask.js';
import { askParts, askService } from '../status/ask.js';
import type { ServiceStatus } from '../status/merge.js';
import { delivery, type Facts, whereabouts } from './facts.js';

const answer = z.object({ deliveries: z.array(delivery) });

/** Asks every service that knows something of the record at the target. Throws a Failure where there is no such target. */
export async function gatherFacts(local: Local, id: string, target: string): Promise<Facts> {
  const writers = local.services.filter((s) => s.role === 'writer');
  const names = writers.flatMap((s) => s.connections);
  const writer = writers.find((s) => s.connections.includes(target));
  if (!writer) throw new Failure(`There is no target "${target}": ${suggestion(target, names)}`, 2);
  const [parts, told, row] = await Promise.all([
    askParts(local),
    askTransformer(local, `/records/whereabouts?id=${encodeURIComponent(id)}`),
    askService(writer, `/deliveries?record=${encodeURIComponent(id)}`),
  ]);
  const record = whereabouts.parse(told);
  const rows = answer.safeParse(row);
  const own = parts.get(writer.name)?.targets.find((t) => t.name === target);
  const found = rows.success ? (rows.data.deliveries.find((d) => d.target === target) ?? null) : null;
  return {
    nowMs: Date.now(),
    target,
    record,
    delivery: found,
    writer:
      own && rows.success
        ? {
            state: own.state ?? 'ok',
            reason: own.reason ?? null,
            paused: own.paused ?? null,
            heldUntil: own.heldUntil ?? null,
            takes: own.takes ?? {},
            pending: own.pending,
          }
        : null,
    lag: lagOf(parts, writerGroup(target)),
    transformerLag: lagOf(parts, transformerGroup)?.records ?? null,
    pausedSources: pausedSources(parts, record),
    notApplying: notApplying(local.connections[target], record),
    names: await namesOf(local, found?.waitsFor ?? []),
  };
}

/** How far a consumer group is behind over all its topics; null where nobody tells. */
function lagOf(parts: ReadonlyMap<string, ServiceStatus>, group: string): Facts['lag'] {
  const all = [...parts.values()].flatMap((part) => part.consumers).filter((c) => c.group === group);
  if (all.length === 0) return null;
  const seconds = all.filter((c) => c.lagRecords > 0).map((c) => c.lagSeconds ?? 0);
  return {
    records: all.reduce((sum, c) => sum + c.lagRecords, 0),
    seconds: seconds.length === 0 ? null : Math.max(...seconds),
  };
}

function pausedSources(parts: ReadonlyMap<string, ServiceStatus>, record: Facts['record']): string[] {
  const paused = [...parts.values()].flatMap((part) => part.connections).filter((c) => c.paused);
  return paused.map(({ name }) => name).filter((name) => record.sources.some((s) => s.connection === name));
}

/** Why the target's connector takes no object of the record; null where it does, or takes batches, which take everything. */
function notApplying(provider: string | undefined, record: Facts['record']): string | null {
  const targets = connectorOf[provider ?? '']?.targets as Partial<Record<Kind, ObjectTarget>> | undefined;
  const spec = targets?.[record.kind as Kind];
  if (record.document === null || spec?.shape !== 'objects') return null;
  if (spec.creates.length === 0) return `cannot be created there: ${provider} only takes changes of a ${record.kind}`;
  const applies = spec.applies(record.document as unknown as CanonicalRecord);
  return applies === true ? null : String(applies);
}

async function namesOf(local: Local, ids: readonly string[]): Promise<Record<string, string>> {
  const named = await Promise.all(
    ids.map(async (id) => {
      const told = await askTransformer(local, `/records/whereabouts?id=${encodeURIComponent(id)}`).catch(() => null);
      const parsed = whereabouts.safeParse(told);
      return [id, parsed.success ? `${parsed.data.kind} ${parsed.data.name}` : `record ${id}`] as const;
    }),
  );
  return Object.fromEntries(named);
}
