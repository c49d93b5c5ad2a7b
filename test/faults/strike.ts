// Makes the faults of a plan happen.
import { type ChildProcess, spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BrokerName } from '@syncline/infra';
import { control } from '../support/sandbox.js';
import type { Ground } from './ground.js';
import type { Poison, Struck } from './histories.js';
import { pause } from './patience.js';
import { type Fault, faultText } from './plan.js';

/** What has been done, in time order, and messages that were sent on purpose. */
export interface Blows {
  struck: Struck[];
  poisons: Poison[];
}

const brokerOf = (n: number): BrokerName => (n === 1 ? 'kafka' : (`kafka-${n}` as BrokerName));

/** Makes one fault happen and resolves when it is over. What does not run just now cannot be hit, and that is noted. */
export async function strike(ground: Ground, fault: Fault, blows: Blows): Promise<void> {
  const note = (what: string) => void blows.struck.push({ atMs: Date.now(), what });
  note(faultText(fault));
  try {
    await hit(ground, fault, blows);
  } catch (error) {
    note(`${fault.do} missed: ${(error as Error).message.split('\n')[0]}`);
    return;
  }
  note(`${fault.do} is over`);
}

async function hit(ground: Ground, fault: Fault, blows: Blows): Promise<void> {
  const { system } = ground;
  switch (fault.do) {
    case 'kill':
      return send(ground, fault.victim, 'SIGKILL');
    case 'stop':
      return send(ground, fault.victim, 'SIGTERM');
    case 'pause': {
      const pid = pidOf(ground, fault.victim);
      return during(
        fault.ms,
        () => process.kill(pid, 'SIGSTOP'),
        () => process.kill(pid, 'SIGCONT'),
      );
    }
    case 'broker-kill':
      return ground.fell(brokerOf(fault.broker), 'SIGKILL', fault.awayMs);
    case 'broker-pause': {
      const name = brokerOf(fault.broker);
      return during(
        fault.ms,
        () => ground.infra.kill(name, 'SIGSTOP'),
        () => ground.infra.kill(name, 'SIGCONT'),
      );
    }
    case 'postgres-kill':
      // PostgreSQL's immediate shutdown: as after a crash.
      return ground.fell('postgres', 'SIGQUIT', fault.awayMs);
    case 'link':
      return disturbLink(ground, fault);
    case 'provider': {
      const { target, mode, rate, match, retryAfter, delayMs } = fault;
      const body = {
        target,
        mode,
        rate,
        ...(match ? { match } : {}),
        ...(retryAfter ? { retryAfter } : {}),
        ...(delayMs ? { delayMs } : {}),
      };
      return during(
        fault.ms,
        () => control(system, 'POST', '/faults', body),
        () => control(system, 'DELETE', `/faults?target=${target}`),
      );
    }
    case 'webhooks':
      return during(
        fault.ms,
        () => control(system, 'POST', '/webhooks', fault.trouble),
        () => control(system, 'POST', '/webhooks', {}),
      );
    case 'rebalance':
      for (let n = 0; n < fault.times; n++) await comeAndGo(ground, fault.everyMs, n % 2 === 0 ? 'SIGTERM' : 'SIGKILL');
      return;
    case 'poison':
      for (let n = 0; n < fault.count; n++) await poison(ground, blows);
      return;
    case 'tokens':
      await control(system, 'POST', '/tokens/expire', {});
  }
}

function pidOf({ system }: Ground, victim: string): number {
  const pid = system.local().services.find(({ name }) => name === victim)?.pid;
  if (!pid) throw new Error(`${victim} does not run`);
  return pid;
}

async function send(ground: Ground, victim: string, signal: NodeJS.Signals): Promise<void> {
  process.kill(pidOf(ground, victim), signal);
}

async function during(ms: number, begin: () => unknown, end: () => unknown): Promise<void> {
  await begin();
  await pause(ms);
  await end();
}

async function disturbLink(ground: Ground, fault: Extract<Fault, { do: 'link' }>): Promise<void> {
  const proxies = ground.links[fault.to];
  const each = (act: (proxy: (typeof proxies)[number]) => void) => () => proxies.forEach(act);
  const heal = each((proxy) => proxy.heal());
  switch (fault.how) {
    case 'latency':
      return during(
        fault.ms,
        each((proxy) => {
          proxy.latencyMs = fault.latencyMs;
        }),
        each((proxy) => {
          proxy.latencyMs = 0;
        }),
      );
    case 'answers lost':
      return during(
        fault.ms,
        each((proxy) => proxy.strand('down')),
        heal,
      );
    case 'requests lost':
      return during(
        fault.ms,
        each((proxy) => proxy.strand('up')),
        heal,
      );
    case 'held':
      return during(
        fault.ms,
        each((proxy) => proxy.hold()),
        each((proxy) => void proxy.release()),
      );
    case 'reset':
      for (let leftMs = fault.ms; leftMs > 0; leftMs -= 500) {
        for (const proxy of proxies) proxy.reset();
        await pause(500);
      }
  }
}

/** A second transformer joins, works for a while and leaves. */
async function comeAndGo(ground: Ground, ms: number, signal: NodeJS.Signals): Promise<void> {
  const { kafkaBrokers, databaseUrl, warehouseUrl, sandbox } = ground.system.local();
  const stateDir = ground.system.stateDir;
  const lines = readFileSync(join(stateDir, 'sandbox.env'), 'utf8').split('\n');
  const secrets = lines.flatMap((line) =>
    /^[A-Z_]+=/.test(line) ? [[line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]] : [],
  );
  const env = {
    ...process.env,
    ...Object.fromEntries(secrets),
    KAFKA_BROKERS: kafkaBrokers,
    DATABASE_URL: databaseUrl,
    WAREHOUSE_URL: warehouseUrl,
    SHOP_URL: sandbox!.shop,
    CARRIER_URL: sandbox!.carrier,
    SYNCLINE_CONFIG: join(stateDir, 'syncline.yaml'),
    SERVICE_INSTANCE: 'transformer-2',
  };
  const program = join(ground.system.root, 'apps/transformer/dist/main.js');
  const child: ChildProcess = spawn(process.execPath, [program], { env, stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  // Its start takes about as long as a rebalance.
  await pause(ms + 2_000);
  child.kill(signal);
  const last = setTimeout(() => child.kill('SIGKILL'), 15_000);
  await ended;
  clearTimeout(last);
}

let poisoned = 0;

/** A signed webhook of an order whose amounts are beyond what can be held exactly: accepted as raw, and no record. */
async function poison(ground: Ground, blows: Blows): Promise<void> {
  const eventId = `poison-${process.pid}-${++poisoned}`;
  const price = '90071992547409.91';
  const body = JSON.stringify({
    id: 9_000_000_000_000 + poisoned,
    updated_at: new Date().toISOString(),
    currency: 'USD',
    shipping_lines: [{ price }, { price }],
  });
  const line = readFileSync(join(ground.system.stateDir, 'sandbox.env'), 'utf8').split('\n');
  const secret = line.find((one) => one.startsWith('SHOP_SECRET='))?.slice('SHOP_SECRET='.length) ?? '';
  const headers = {
    'content-type': 'application/json',
    'x-shopify-topic': 'orders/updated',
    'x-shopify-webhook-id': eventId,
    'x-shopify-hmac-sha256': createHmac('sha256', secret).update(body).digest('base64'),
  };
  const answer = await fetch(`${ground.witness.url}/webhooks/shop`, { method: 'POST', headers, body });
  // Refused, it is the provider's to send again: here nobody does.
  if (answer.ok) blows.poisons.push({ eventId, topic: 'raw.shopify.order' });
}
