import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { dataOf, kinds, type Observation, observation, type RawEnvelope, SyncError } from '@syncline/contracts';
import fc from 'fast-check';
import type { Connector, RawMessage } from '../connector.js';
import { broken, checkUnpolluted, fuzzed, fuzzMsMax, refusedText } from './fuzz.js';
import { corruptions, describeWebhooks, type SignedWebhook } from './webhooks.js';

export { broken, checkUnpolluted, fuzzed, fuzzMsMax, refusedText } from './fuzz.js';
export { corruptions };

export interface ConformanceOptions {
  /** Any connector; its settings and secrets are not looked into. */
  readonly connector: Connector;
  /**
   * Folder with one subfolder per noun: `<case>.json` is `{envelope, body}` as a message comes off the raw topic, and
   * `<case>.canonical.json` the observations it must map to. SYNCLINE_GOLDEN=write writes the latter anew.
   */
  readonly fixtures: URL;
  /** Signs as the provider does; absent for a connector without webhooks. */
  readonly webhook?: SignedWebhook;
  /** Mutated payloads per fixture. */
  readonly runs?: number;
}

interface Fixture {
  noun: string;
  name: string;
  message: RawMessage;
  golden: string;
}

/** A whole envelope from the part a fixture gives. */
export function fixtureEnvelope(part: Partial<RawEnvelope>): RawEnvelope {
  return {
    eventId: 'event-1',
    connection: 'fixture',
    type: 'poll',
    externalId: '1',
    occurredAt: null,
    origin: 'webhook',
    apiVersion: null,
    receivedAt: 1_767_225_600_000,
    readAt: null,
    ...part,
  };
}

function loadFixtures(folder: string): Fixture[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap((noun) =>
      readdirSync(`${folder}/${noun.name}`)
        .filter((file) => file.endsWith('.json') && !file.endsWith('.canonical.json'))
        .map((file) => {
          const path = `${folder}/${noun.name}/${file}`;
          const { envelope, body } = JSON.parse(readFileSync(path, 'utf8'));
          const golden = path.replace(/\.json$/, '.canonical.json');
          return {
            noun: noun.name,
            name: file.slice(0, -5),
            message: { envelope: fixtureEnvelope(envelope), body },
            golden,
          };
        }),
    );
}

const fieldsOf = Object.fromEntries(kinds.map((kind) => [kind, dataOf[kind].partial().strict()]));

/** Throws where an observation is not what contracts say: instants, money, enumerations and field names included. */
export function checkObservation(o: Observation): void {
  observation.parse(o);
  fieldsOf[o.kind]?.parse(o.fields);
  for (const ref of o.refs)
    if (!(ref.field in dataOf[o.kind].shape)) throw new Error(`ref to an unknown field ${ref.field}`);
}

const deepFreeze = <T>(value: T): T => {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
};

/** A message maps within this much processor time, in milliseconds, whatever is in it. */
const mapMsMax = 200;

function mapsOrRefuses(connector: Connector, noun: string, message: RawMessage): void {
  const before = process.cpuUsage();
  let observations: Observation[] = [];
  try {
    observations = connector.objects[noun]?.toCanonical(message) ?? [];
  } catch (error) {
    if (!(error instanceof SyncError) || error.kind !== 'unmappable') throw error;
  }
  const { user, system } = process.cpuUsage(before);
  if ((user + system) / 1000 > mapMsMax) throw new Error(`mapping took ${Math.round((user + system) / 1000)} ms`);
  for (const o of observations) {
    checkObservation(o);
    const refused = refusedText(o);
    if (refused !== null) throw new Error(`the text at ${refused} cannot be stored`);
  }
}

function describeMapping(connector: Connector, fixture: Fixture, runs: number): void {
  const { noun, name, message, golden } = fixture;
  const map = (): Observation[] => connector.objects[noun]?.toCanonical(message) ?? [];

  describe(`${noun}/${name}`, () => {
    it('maps to its golden canonical form', () => {
      const text = `${JSON.stringify(map(), null, 2)}\n`;
      if (process.env.SYNCLINE_GOLDEN === 'write') writeFileSync(golden, text);
      if (!existsSync(golden)) throw new Error(`${golden} is missing: run once with SYNCLINE_GOLDEN=write and read it`);
      expect(JSON.parse(text)).toEqual(JSON.parse(readFileSync(golden, 'utf8')));
    });

    it('gives what contracts allow, as plain JSON', () => {
      for (const o of map()) {
        checkObservation(o);
        expect(JSON.parse(JSON.stringify(o))).toEqual(o);
      }
    });

    it('is pure: same answer twice, input untouched', () => {
      deepFreeze(message.body);
      expect(map()).toEqual(map());
    });

    const { title, ...run } = fuzzed(runs);
    it(
      `is total: whatever stands anywhere, it maps or says unmappable, in time (${title})`,
      () => {
        fc.assert(
          fc.property(broken([message.body]), (body) =>
            mapsOrRefuses(connector, noun, { envelope: message.envelope, body }),
          ),
          run,
        );
        checkUnpolluted();
      },
      fuzzMsMax(20_000),
    );
  });
}

/**
 * The suite every connector passes: its tables are described, its mappings are pure, total and give valid canonical forms
 * equal to the golden ones, and its webhooks fail closed.
 */
export function describeConformance(options: ConformanceOptions): void {
  const { connector, runs = 300 } = options;
  const fixtures = loadFixtures(fileURLToPath(options.fixtures));

  describe(`connector ${connector.provider}`, () => {
    it('describes every setting and secret', () => {
      for (const [name, field] of [
        ...Object.entries(connector.settings.shape),
        ...Object.entries(connector.secrets.shape),
      ])
        expect({ name, description: (field as { description?: string }).description }).toEqual({
          name,
          description: expect.stringMatching(/\w{3}/),
        });
    });

    it('has a fixture for every noun it reads', () => {
      expect([...new Set(fixtures.map((f) => f.noun))].sort()).toEqual(Object.keys(connector.objects).sort());
    });

    it('writes only fields its kind has', () => {
      for (const [kind, target] of Object.entries(connector.targets ?? {}))
        if (target?.shape === 'objects')
          for (const field of [...target.updates, ...target.creates, ...target.needs])
            expect(Object.keys(dataOf[kind as keyof typeof dataOf].shape)).toContain(field);
    });

    for (const fixture of fixtures) describeMapping(connector, fixture, runs);
  });

  if (options.webhook !== undefined) describeWebhooks(connector, options.webhook, (body) => mutations(body, runs));
}

/** A number of broken copies of a JSON body, reproducible. */
function mutations(body: unknown, count: number): unknown[] {
  const { seed, numRuns } = fuzzed(count);
  return fc.sample(broken([body]), { seed, numRuns });
}
