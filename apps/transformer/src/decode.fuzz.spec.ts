import { describe, expect, it } from '@jest/globals';
import { checkUnpolluted, fuzzed, fuzzMsMax, refusedText } from '@syncline/connector-sdk/testing';
import { isDatable, SyncError } from '@syncline/contracts';
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
      const ends = { observation: 0, receipt: 0, refused: 0 };
      fc.assert(
        fc.property(brokenMessages(), (message) => {
          const before = process.cpuUsage();
          let steps: Step[] = [];
          try {
            steps = decode(message, topology);
          } catch (thrown) {
            expect(thrown).toBeInstanceOf(SyncError);
            expect((thrown as SyncError).kind).toBe('unmappable');
            ends.refused++;
          }
          const { user, system } = process.cpuUsage(before);
          expect((user + system) / 1_000).toBeLessThan(decodeMsMax);
          for (const step of steps) {
            ends[step.type]++;
            const said = step.type === 'observation' ? step.observation : step.receipt;
            expect(refusedText(said)).toBeNull();
            expect(JSON.parse(JSON.stringify(said))).toEqual(said);
            if (step.type === 'observation') expect(isDatable(step.observation.version)).toBe(true);
          }
        }),
        run,
      );
      checkUnpolluted();
      // Half of it has to get through, or nothing behind the first check was tried.
      expect(ends.observation).toBeGreaterThan(run.numRuns / 4);
      expect(ends.receipt).toBeGreaterThan(run.numRuns / 50);
      expect(ends.refused).toBeGreaterThan(run.numRuns / 20);
    },
    fuzzMsMax(20_000),
  );
});
