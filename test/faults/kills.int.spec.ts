// kill -9 of each service, of Kafka and of PostgreSQL, and a pause of Kafka, one after the other while a shop sells and a
// carrier ships. FAULTS_RATE: orders a second; FAULTS_ROUNDS: how often each is hit; FAULTS_SEED: the plan of an earlier run;
// FAULTS_VICTIMS: only these, by comma; FAULTS_KEEP=true: leave logs and data in the state folder.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { control, readTruth } from '../support/sandbox.js';
import { type System, startSystem } from '../support/system.js';
import { differences, untilEqual } from '../support/truth.js';
import { surplus } from './effects.js';
import { allReady, type Blow, deal, owed, type Recovery } from './nemesis.js';
import { pause, until } from './patience.js';
import { inverted, lost, recordWrites, watchRevisions, wentBack } from './promises.js';
import { dice, seedOf, startTrade } from './trade.js';
import { startWitness, type Witness } from './witness.js';

const perSecond = Number(process.env.FAULTS_RATE ?? 100);
const rounds = Number(process.env.FAULTS_ROUNDS ?? 1);
const seed = seedOf();
const quietMsMax = 60_000;

const victims = process.env.FAULTS_VICTIMS?.split(',');
const everyBlow: readonly Blow[] = [
  { victim: 'ingestor-shopify' },
  { victim: 'ingestor-easypost' },
  { victim: 'transformer' },
  { victim: 'writer-postgres' },
  { victim: 'writer-easypost' },
  { victim: 'writer-shopify' },
  { victim: 'kafka' },
  { victim: 'postgres' },
  { victim: 'kafka', pauseMs: 12_000 },
];
const blows = everyBlow.filter(({ victim }) => victims?.includes(victim) ?? true);

let witness: Witness;
let system: System;
const recoveries: Recovery[] = [];

beforeAll(async () => {
  witness = await startWitness();
  system = await startSystem({ env: { PUBLIC_URL: witness.url, POLL_INTERVAL_MS: '10000' } });
  witness.forwardTo(system.local().webhooks);
  await watchRevisions(system);
  // Webhooks are tried again within seconds, not minutes; and the shop is one that may be asked as often as a big one.
  await control(system, 'POST', '/settings', { retryScale: 0.02, costMaximum: 20_000, costRestoreRate: 2_000 });
}, 150_000);

afterAll(async () => {
  await system?.stop({ keep: process.env.FAULTS_KEEP === 'true' });
  await witness?.close();
}, 90_000);

describe('kill -9 under load', () => {
  const log = () => recordWrites(system);
  let recorded: ReturnType<typeof recordWrites>;

  it(
    'everything comes back by itself',
    async () => {
      process.stdout.write(`seed ${seed}, ${perSecond} orders a second, state in ${system.stateDir}\n`);
      recorded = log();
      const random = dice(seed);
      const trade = startTrade(system, dice(seed + 1), perSecond);
      try {
        await pause(2_000);
        for (let round = 0; round < rounds; round++)
          for (const blow of shuffled(blows, random)) {
            await pause(random.int(200, 1_500));
            recoveries.push(await deal(system, trade, random, blow));
            await recorded.note();
          }
      } finally {
        show(recoveries);
        await trade.stop();
        process.stdout.write(
          `done: ${JSON.stringify(trade.done)}; webhooks answered: ${JSON.stringify(witness.answers)}\n`,
        );
      }
      expect(await allReady(system.local())).toBe(true);
    },
    (60_000 + 60_000 * rounds) * 4,
  );

  it(
    'and when it is quiet, warehouse, shop and carrier agree field by field',
    async () => {
      await untilEqual(system, quietMsMax);
      await until('nothing owed', quietMsMax, async () => {
        const { webhooks, pending } = await owed(system);
        return webhooks + pending === 0;
      });
      await recorded.note();
      expect(await differences(system)).toEqual([]);
      expect(await owed(system)).toEqual({ webhooks: 0, pending: 0, dead: 0 });
    },
    2 * quietMsMax + 30_000,
  );

  it('no webhook that was answered 2xx is lost', async () => {
    expect(witness.acknowledged.length).toBeGreaterThan(perSecond * 10);
    expect(await lost(system, witness.acknowledged)).toEqual([]);
  }, 60_000);

  it('no record ever went back', async () => {
    const { found, events, repeated } = await inverted(system);
    process.stdout.write(`${events} canonical events read, ${repeated} published again unchanged\n`);
    expect(found).toEqual([]);
    expect(await wentBack(system)).toEqual([]);
  }, 60_000);

  it('each change had one effect', async () => {
    expect(surplus(await readTruth(system), recorded.writes)).toEqual([]);
  }, 30_000);

  it('nothing ended but what was killed', () => {
    const { services, infra } = system.local();
    const hits = (name: string) => rounds * blows.filter((blow) => blow.victim === name && !blow.pauseMs).length;
    const restarts = [...services, ...infra].map(({ name, restarts: times }) => [name, times]);
    expect(restarts).toEqual([...services, ...infra].map(({ name }) => [name, hits(name)]));
  });
});

function shuffled<T>(items: readonly T[], random: ReturnType<typeof dice>): T[] {
  const left = [...items];
  return items.map(() => left.splice(random.int(0, left.length - 1), 1)[0]!);
}

function show(rows: readonly Recovery[]): void {
  const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`.padStart(9);
  const lines = rows.map(
    (r) =>
      `${r.blow.padEnd(26)}${seconds(r.readyMs)}${seconds(r.warehouseMs)}${seconds(r.carrierMs)}${seconds(r.shopMs)}`,
  );
  const head = `${'since the blow'.padEnd(26)}${['ready', 'warehouse', 'carrier', 'shop'].map((t) => t.padStart(9)).join('')}`;
  process.stdout.write(`${head}\n${lines.join('\n')}\n`);
}
