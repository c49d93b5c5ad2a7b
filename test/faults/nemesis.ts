// Kills and pauses parts of a running system, and measures how long it takes until everything works again.
import pg from 'pg';
import { control } from '../support/sandbox.js';
import type { LocalSystem, System } from '../support/system.js';
import { pause, until } from './patience.js';
import { type Dice, newNumber, type Trade } from './trade.js';

/** One thing the nemesis does. */
export interface Blow {
  victim: string;
  /** SIGKILL, or SIGSTOP and after so many milliseconds SIGCONT. */
  pauseMs?: number;
}

/** How a system got over a blow: milliseconds from the blow until all was ready, and until a story begun with it had got so far. */
export interface Recovery {
  blow: string;
  readyMs: number;
  /** An order placed just after the blow is in the warehouse. */
  warehouseMs: number;
  /** Its parcel, sent with a tracking number, is tracked at the carrier. */
  carrierMs: number;
  /** The carrier's first scan of the parcel shows in the shop. */
  shopMs: number;
}

const recoveryMsMax = 75_000;

/** Deals one blow and returns when the system is over it. */
export async function deal(system: System, trade: Trade, random: Dice, { victim, pauseMs }: Blow): Promise<Recovery> {
  const pid = pidOf(system.local(), victim);
  if (pid === null) throw new Error(`${victim} does not run`);
  const blowMs = Date.now();
  const since = () => Date.now() - blowMs;
  process.kill(pid, pauseMs === undefined ? 'SIGKILL' : 'SIGSTOP');
  const resumed = pauseMs === undefined ? Promise.resolve() : pause(pauseMs).then(() => process.kill(pid, 'SIGCONT'));
  const ready = resumed.then(async () => {
    await until(`${victim} ready again`, recoveryMsMax, async () => {
      const local = system.local();
      return (pauseMs !== undefined || pidOf(local, victim) !== pid) && (await allReady(local));
    });
    return since();
  });
  const [readyMs, story] = await Promise.all([ready, tellStory(system, trade, random, since)]);
  return { blow: `${pauseMs === undefined ? 'kill -9' : `pause ${pauseMs / 1000} s`} ${victim}`, readyMs, ...story };
}

/** The whole path once, for one order, begun while things are broken. */
async function tellStory(system: System, trade: Trade, random: Dice, since: () => number) {
  const number = newNumber(random);
  const name = await trade.placeKept();
  await control(system, 'POST', `/orders/${name}/fulfil`, { trackingNumber: number, company: 'USPS' });
  const warehouse = until(`order ${name} in the warehouse`, recoveryMsMax, async () => {
    return (await rowsOf(system, 'SELECT 1 FROM orders WHERE name = $1', [`#${name}`])).length > 0;
  }).then(since);
  const carrier = until(`tracker of order ${name}`, recoveryMsMax, () =>
    control(system, 'GET', `/trackers/${number}`),
  ).then(since);
  const shop = carrier.then(async () => {
    await control(system, 'POST', `/trackers/${number}/scan`, { status: 'in_transit' });
    await until(`the scan of order ${name} in the shop`, recoveryMsMax, async () => {
      const { fulfillments } = await control(system, 'GET', `/orders/${name}`);
      return fulfillments[0].shipmentStatus === 'IN_TRANSIT';
    });
    return since();
  });
  const [warehouseMs, carrierMs, shopMs] = await Promise.all([warehouse, carrier, shop]);
  return { warehouseMs, carrierMs, shopMs };
}

/** One question to the warehouse, over a connection of its own: it may just have been killed. */
export async function rowsOf<T = Record<string, unknown>>(system: System, sql: string, values: unknown[] = []) {
  const client = new pg.Client({ connectionString: system.local().warehouseUrl, connectionTimeoutMillis: 2_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return (await client.query(sql, values)).rows as T[];
  } finally {
    await client.end().catch(() => undefined);
  }
}

const pidOf = ({ services, infra }: LocalSystem, name: string): number | null =>
  [...services, ...infra].find((one) => one.name === name)?.pid ?? null;

/** Whether every process runs and every service says of itself that it can work. */
export async function allReady(local: LocalSystem): Promise<boolean> {
  if ([...local.services, ...local.infra].some(({ state }) => state !== 'ready')) return false;
  const answers = await Promise.all(
    local.services.map(({ url }) => fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(3_000) })),
  );
  return answers.every(({ ok }) => ok);
}

/** What is owed and not done yet: webhooks that wait, records behind their target, dead ones. */
export async function owed(system: System): Promise<{ webhooks: number; pending: number; dead: number }> {
  const { shop, carrier } = await control(system, 'GET', '/webhooks');
  const { code, stdout, stderr } = await system.cli('status', '--json');
  if (code !== 0) throw new Error(`status ended with ${code}: ${stderr}`);
  const { targets } = JSON.parse(stdout) as { targets: { pending: number; dead: number }[] };
  const sum = (of: (target: { pending: number; dead: number }) => number) => targets.reduce((n, t) => n + of(t), 0);
  return {
    webhooks: shop.waiting.length + carrier.waiting.length,
    pending: sum((t) => t.pending),
    dead: sum((t) => t.dead),
  };
}
