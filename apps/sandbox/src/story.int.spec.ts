// The seeded script over both systems. The test stands where a synchronising system stands: it makes the trackers.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Sandbox, startSandbox } from './index.js';
import { controlClient } from './testing/control.js';

interface Truth {
  orders: {
    name: string;
    email: string;
    lines: { sku: string }[];
    fulfillments: { trackingCompany: string; trackingNumbers: string[] }[];
  }[];
  trackers: { trackingCode: string; status: string }[];
  shipments: { reference: string; trackingCode: string }[];
}

const CARRIERS: Readonly<Record<string, string>> = {
  USPS: 'USPS',
  UPS: 'UPS',
  'DHL Express': 'DHLExpress',
  FedEx: 'FedEx',
};

let sandbox: Sandbox;
let control: ReturnType<typeof controlClient>;

beforeAll(async () => {
  sandbox = await startSandbox({ seed: 11, storyStepsPerSecond: 40 });
  control = controlClient(sandbox.urls.control);
});

afterAll(async () => await sandbox.close());

async function makeTrackers(): Promise<void> {
  const truth: Truth = await control('GET', '/truth');
  const known = new Set(truth.trackers.map(({ trackingCode }) => trackingCode));
  for (const { trackingCompany, trackingNumbers } of truth.orders.flatMap(({ fulfillments }) => fulfillments)) {
    for (const code of trackingNumbers.filter((number) => !known.has(number))) {
      await control('POST', '/trackers', { code, carrier: CARRIERS[trackingCompany] });
    }
  }
}

describe('the story', () => {
  it('tells the first order whole within 20 s, and waits for its tracker', async () => {
    const from = Date.now();
    await control('POST', '/story', {});
    await sleep(4_500);
    const waiting = await control('GET', '/story');
    expect(waiting.lead.done).toEqual(['placed', 'paid', 'fulfilled']);
    let { lead } = waiting;
    while (!lead.finished && Date.now() - from < 20_000) {
      await makeTrackers();
      await sleep(200);
      ({ lead } = await control('GET', '/story'));
    }
    await control('POST', '/story', { running: false });
    expect(lead).toMatchObject({
      finished: true,
      done: ['placed', 'paid', 'fulfilled', 'in transit', 'out for delivery', 'delivered'],
    });
    const truth: Truth = await control('GET', '/truth');
    expect(truth.orders.length).toBeGreaterThan(20);
    expect(truth.shipments.length).toBeGreaterThan(0);
    const codes = truth.orders.flatMap(({ fulfillments }) =>
      fulfillments.flatMap(({ trackingNumbers }) => trackingNumbers),
    );
    const bought = truth.shipments.map(({ trackingCode }) => trackingCode);
    // Nothing at the carrier that nobody sent: the script itself makes no trackers but those of bought labels.
    for (const { trackingCode } of truth.trackers) expect([...codes, ...bought]).toContain(trackingCode);
  });

  it('is the same for the same seed', async () => {
    const told = async (seed: number) => {
      const other = await startSandbox({ seed });
      for (let n = 0; n < 10; n++) other.world.story.step();
      const truth: Truth = await controlClient(other.urls.control)('GET', '/truth');
      await other.close();
      return truth.orders.map(({ name, email, lines }) => [name, email, lines.map(({ sku }) => sku)]);
    };
    const first = await told(5);
    expect(first).toHaveLength(10);
    expect(await told(5)).toEqual(first);
    expect(await told(6)).not.toEqual(first);
  });
});
