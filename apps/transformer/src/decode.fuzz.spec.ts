import { describe, expect, it } from '@jest/globals';
import { checkUnpolluted, fuzzed, fuzzMsMax, refusedText } from '@syncline/connector-sdk/testing';
import { canonicalHeaders, SyncError } from '@syncline/contracts';
import fc from 'fast-check';
import { decode, type Step } from './decode.js';
import { brokenMessages, fuzzTopology } from './testing/fuzz-messages.js';

const topology = fuzzTopology();
/** A message is decoded within this much processor time, whatever is in it. */
const decodeMsMax = 300;

describe('decode', () => {
  const { title, ...run } = fuzzed(2_000);
  it(
    `says what a message means or that it is unmappable, in time and storable (${title})`,
    () => {
      const ends = { mapped: 0, refused: 0 };
      fc.assert(
        fc.property(brokenMessages(), (message) => {
          const before = process.cpuUsage();
          let steps: Step[] = [];
          try {
            steps = decode(message, topology);
            ends.mapped++;
          } catch (thrown) {
            expect(thrown).toBeInstanceOf(SyncError);
            expect((thrown as SyncError).kind).toBe('unmappable');
            ends.refused++;
          }
          const { user, system } = process.cpuUsage(before);
          expect((user + system) / 1_000).toBeLessThan(decodeMsMax);
          for (const step of steps) {
            const said = step.type === 'observation' ? step.observation : step.receipt;
            expect(refusedText(said)).toBeNull();
            expect(JSON.parse(JSON.stringify(said))).toEqual(said);
            if (step.type === 'observation') headersOf(step.observation.version);
          }
        }),
        run,
      );
      checkUnpolluted();
      // Half of it has to get through, or nothing behind the first check was tried.
      expect(ends.mapped).toBeGreaterThan(run.numRuns / 4);
      expect(ends.refused).toBeGreaterThan(run.numRuns / 20);
    },
    fuzzMsMax(20_000),
  );
});

/** What is published from it can be written. */
const headersOf = (changedAt: number) =>
  canonicalHeaders({ id: 'i', kind: 'order', revision: 1, cause: 'shop', connections: [], changedAt, receivedAt: 1 });
