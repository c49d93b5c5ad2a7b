import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { BatchItem } from '@syncline/connector-sdk';
import type { RunningService } from '@syncline/runtime';
import { claimDue, deliveriesOf, removePause, storePause } from '@syncline/store';
import { z } from 'zod';
import type { BatchProvider } from './serve-batches.js';
import { startWriter } from './start-writer.js';
import { Installation, until } from './testing/installation.js';
import { shipmentsTo, Testbed, testbedConnector } from './testing/testbed.js';

interface TargetStatus {
  name: string;
  paused: number | null;
  underWay: number;
  state: string;
}
const statusOf = async (writer: RunningService): Promise<TargetStatus> => {
  const body = (await (await fetch(`${writer.url}/status`)).json()) as { targets: TargetStatus[] };
  return body.targets[0]!;
};
/** A pause is in force when the writer says so and what was under way has ended. */
const inForce = (writer: RunningService) =>
  until(async () => {
    const { paused, underWay } = await statusOf(writer);
    return paused !== null && underWay === 0;
  });
const goesOn = (writer: RunningService) => until(async () => (await statusOf(writer)).paused === null);
const moment = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('a paused target of objects', () => {
  const own = new Installation();
  const bed = new Testbed();
  let writer: RunningService;
  let orderId = '';
  const start = () =>
    startWriter({
      connector: testbedConnector,
      env: own.env,
      ownsProcess: false,
      timing: { tickMs: 50, leaseMs: 2_000, recheckMs: 100, mergeWaitMs: 50 },
    });
  const row = async (id: string) => (await deliveriesOf(own.store, [own.target], id))[0];
  const shipment = (trackingNumber: string) => ({ status: 'pending', trackingNumber, orderId });

  beforeAll(async () => {
    await bed.start();
    await own.open(shipmentsTo(bed));
    writer = await start();
    orderId = (await own.publish({ kind: 'order', sources: [{ noun: 'deal', externalId: 'd1' }] })).id;
  }, 180_000);
  afterAll(async () => {
    await writer?.close();
    await own.close();
    await bed.stop();
  });

  it('is sent nothing, keeps what is due over a restart, and gets the newest state once when it goes on', async () => {
    await storePause(own.store, own.target);
    await inForce(writer);
    const requests = bed.requests.length;
    const { id } = await own.publish({ fields: shipment('T1') });
    await own.publish({ id, fields: shipment('T2') });
    const { revision } = await own.publish({ id, fields: shipment('T3') });
    const isPending = () =>
      until(async () => {
        const r = await row(id);
        return r?.state === 'pending' && r.desiredRevision === revision;
      });
    await isPending();
    await writer.close();
    writer = await start();
    await inForce(writer);
    await moment(600);
    expect(await row(id)).toMatchObject({ state: 'pending', deliveredRevision: 0, attempts: 0 });
    expect(bed.requests.length).toBe(requests);
    const listed = (await (await fetch(`${writer.url}/deliveries?state=pending`)).json()) as {
      deliveries: { id: string }[];
    };
    expect(listed.deliveries.map((d) => d.id)).toEqual([id]);

    await removePause(own.store, own.target);
    await until(async () => (await row(id))?.deliveredRevision === revision);
    await goesOn(writer);
    expect(bed.of(id)).toMatchObject([{ fields: { trackingNumber: 'T3' } }]);
    expect(bed.requests.slice(requests).filter((r) => r.startsWith('POST') || r.startsWith('PUT'))).toHaveLength(1);
  });

  it('is not asked whether it is back while its credentials are refused', async () => {
    bed.faults = [
      { on: 'GET /things', fault: 401, always: true },
      { on: 'GET /check', fault: 401, always: true },
    ];
    const { id, revision } = await own.publish({ fields: shipment('T4') });
    await until(async () => (await statusOf(writer)).state === 'unauthorized');
    await storePause(own.store, own.target);
    await inForce(writer);
    await moment(200);
    const requests = bed.requests.length;
    await moment(600);
    expect(bed.requests.length).toBe(requests);
    bed.faults = [];
    await removePause(own.store, own.target);
    await until(async () => (await row(id))?.deliveredRevision === revision);
  });

  it('has no row that anybody can claim, whoever has not heard of the pause yet', async () => {
    await writer.close();
    const id = randomUUID();
    await own.store.query(
      `INSERT INTO deliveries (target, id, kind, desired_revision, state) VALUES ('elsewhere', $1, 'shipment', 1, 'pending')`,
      [id],
    );
    const claim = () => claimDue(own.store, 'elsewhere', ['shipment'], 'test', 10, 1);
    await storePause(own.store, 'elsewhere');
    expect(await claim()).toEqual([]);
    await removePause(own.store, 'elsewhere');
    expect(await claim()).toMatchObject([{ id }]);
    writer = await start();
  });
});

describe('a paused target that takes batches', () => {
  const own = new Installation();
  let writer: RunningService;
  let opened = 0;
  const written: BatchItem[] = [];
  const target = {
    shape: 'batch' as const,
    write: async (items: readonly BatchItem[]) => {
      written.push(...items);
      return items.map(() => null);
    },
  };
  const provider: BatchProvider = {
    provider: 'scratch',
    title: 'A list',
    settings: z.object({}),
    secrets: z.object({}),
    open: async () => {
      opened += 1;
      return { targets: { order: target }, check: async () => undefined, close: async () => undefined };
    },
  };
  const start = () => startWriter({ batch: provider, env: own.env, ownsProcess: false });
  const revisionsOf = (id: string) => written.filter((item) => item.id === id).map((item) => item.revision);

  beforeAll(async () => {
    await own.open(
      ({ shop, target: name }) => `connections:
  ${shop}: { provider: elsewhere }
  ${name}: { provider: scratch }
flows:
  - { kinds: [order], from: [${shop}], to: [${name}] }
`,
    );
    await storePause(own.store, own.target);
    writer = await start();
  }, 180_000);
  afterAll(async () => {
    await writer?.close();
    await own.close();
  });

  it('is neither opened nor written to, also from a start on, and gets the newest state of a record once', async () => {
    await inForce(writer);
    const { id } = await own.publish({ kind: 'order' });
    await own.publish({ kind: 'order', id });
    const { revision } = await own.publish({ kind: 'order', id });
    await until(async () => {
      const { consumers } = (await (await fetch(`${writer.url}/status`)).json()) as {
        consumers: { lagRecords: number }[];
      };
      return consumers.some((c) => c.lagRecords > 0);
    });
    await moment(800);
    expect([opened, written]).toEqual([0, []]);
    const refused = await fetch(`${writer.url}/retry?target=${own.target}`, { method: 'POST' });
    expect([refused.status, await refused.json()]).toEqual([
      400,
      { error: expect.stringContaining('syncline resume'), kind: 'rejected' },
    ]);

    await removePause(own.store, own.target);
    await until(() => revisionsOf(id).includes(revision));
    await moment(300);
    expect(revisionsOf(id)).toEqual([revision]);
  });

  it('takes no further record once the pause is in force', async () => {
    await storePause(own.store, own.target);
    await inForce(writer);
    const { id } = await own.publish({ kind: 'order' });
    await moment(800);
    expect(revisionsOf(id)).toEqual([]);
    await removePause(own.store, own.target);
    await until(() => revisionsOf(id).length > 0);
  });
});
