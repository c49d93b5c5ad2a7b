import { describe, expect, it } from '@jest/globals';
import type { ConnectionContext, HttpReply } from '@syncline/connector-sdk';
import { gentle } from './gentle.js';

const request = { method: 'GET', path: '/', safe: true } as const;

function counting(): { context: ConnectionContext; most: () => number } {
  let active = 0;
  let most = 0;
  const send = async () => {
    most = Math.max(most, ++active);
    await new Promise((resolve) => setTimeout(resolve, 5));
    active--;
    return { status: 200 } as HttpReply<never>;
  };
  const signal = new AbortController().signal;
  return { context: { connection: 'c', settings: {}, secrets: {}, http: { send }, signal }, most: () => most };
}

describe('a backfill’s share of a connection', () => {
  it('sends one request at a time, no faster than its rate', async () => {
    const { context, most } = counting();
    const paced = gentle(context, 50, context.signal);
    const began = performance.now();
    await Promise.all(Array.from({ length: 6 }, () => paced.http.send(request)));
    expect(performance.now() - began).toBeGreaterThanOrEqual(98);
    expect(most()).toBe(1);
  });

  it('sends nothing while it is held, and goes on after', async () => {
    const { context, most } = counting();
    let held = true;
    const paced = gentle(context, 1_000, context.signal, () => held);
    const sent = paced.http.send(request);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(most()).toBe(0);
    held = false;
    await sent;
    expect(most()).toBe(1);
  });

  it('goes on after a failure, and ends with the signal', async () => {
    const { context } = counting();
    const stop = new AbortController();
    let calls = 0;
    const send = async () => {
      if (calls++ === 0) throw new Error('once');
      return context.http.send<never>(request);
    };
    const paced = gentle({ ...context, http: { send } }, 1_000, stop.signal);
    await expect(paced.http.send(request)).rejects.toThrow('once');
    await expect(paced.http.send(request)).resolves.toMatchObject({ status: 200 });
    stop.abort();
    await expect(paced.http.send(request)).rejects.toMatchObject({ kind: 'transient' });
    expect(calls).toBe(2);
  });
});
