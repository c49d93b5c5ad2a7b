import { describe, expect, it } from '@jest/globals';
import { SyncError } from '@syncline/contracts';
import { isCircuitOpen, TargetGate } from './gate.js';

const fail = () => Promise.reject(new SyncError('transient', 'away'));
const answer = () => Promise.resolve('well');
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const gateOf = (changes: boolean[] = []) =>
  new TargetGate({
    concurrency: 4,
    failuresMax: 3,
    probeMsMin: 40,
    probeMsMax: 80,
    onChange: (shut) => changes.push(shut),
  });
async function broken(changes?: boolean[]) {
  const gate = gateOf(changes);
  for (let i = 0; i < 3; i++) await gate.call(fail).catch(() => undefined);
  return gate;
}

describe('the gate of a target', () => {
  it('opens after failures in a row, sends nothing, then lets one probe through', async () => {
    const changes: boolean[] = [];
    const gate = await broken(changes);
    expect(gate).toMatchObject({ circuitState: 'open' });
    expect(gate.state()).toBe('unreachable');
    expect(gate.reason).toBe('away');
    expect(gate.capacity()).toBe(0);
    expect(isCircuitOpen(await gate.call(answer).catch((thrown: unknown) => thrown))).toBe(true);
    await pause(60);
    expect(gate.capacity()).toBe(1);
    expect(await gate.call(answer)).toBe('well');
    expect(gate.capacity()).toBe(4);
    expect(changes).toEqual([true, false]);
  });
  it('stays open where the probe fails', async () => {
    const gate = await broken();
    await pause(60);
    await gate.call(fail).catch(() => undefined);
    expect(gate.circuitState).toBe('open');
    expect(gate.capacity()).toBe(0);
  });
  it('takes any answer for a sign of life', async () => {
    const gate = gateOf();
    for (let i = 0; i < 9; i++)
      await gate
        .call(() => (i % 3 === 2 ? Promise.reject(new SyncError('rejected', 'no')) : fail()))
        .catch(() => undefined);
    expect(gate.circuitState).toBe('closed');
  });
  it('gives the thrown failure on', async () => {
    const refused = new SyncError('rejected', 'no');
    await expect(gateOf().call(() => Promise.reject(refused))).rejects.toBe(refused);
  });
  it('holds for as long as it is told', () => {
    const gate = gateOf();
    gate.hold(1_000);
    gate.hold(10);
    expect(gate.capacity(Date.now() + 900)).toBe(0);
    expect(gate.state()).toBe('throttled');
    expect(gate.capacity(Date.now() + 1_100)).toBe(4);
  });
  it('parks until it is let out, and says each change once', () => {
    const changes: boolean[] = [];
    const gate = gateOf(changes);
    gate.park('no key');
    gate.park('no key still');
    expect(gate.capacity()).toBe(0);
    expect(gate.state()).toBe('unauthorized');
    expect(gate.reason).toBe('no key still');
    gate.unpark();
    gate.unpark();
    expect(gate.capacity()).toBe(4);
    expect(changes).toEqual([true, false]);
  });
});
