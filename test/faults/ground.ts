// The ground a campaign is fought on: Kafka and PostgreSQL of its own, with a proxy before each, and a whole system that knows
// only the proxies. What judges look at is read past them.
import { mkdirSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Infra, type ServiceName, startInfra } from '@syncline/infra';
import { TcpProxy } from '@syncline/messaging/testing';
import { control } from '../support/sandbox.js';
import { type System, startSystem } from '../support/system.js';
import { pause, until } from './patience.js';
import type { linked } from './plan.js';
import { startWitness, type Witness } from './witness.js';

/** How to lay it out. */
export interface GroundOptions {
  brokers: 1 | 3;
  /** The built checkout whose programs run; default: this one. */
  root?: string;
}

export interface Ground {
  readonly folder: string;
  readonly system: System;
  readonly infra: Infra;
  readonly witness: Witness;
  readonly links: Readonly<Record<(typeof linked)[number], readonly TcpProxy[]>>;
  /** Addresses past the proxies; they hold a password. */
  readonly direct: {
    readonly kafkaBrokers: readonly string[];
    readonly storeUrl: string;
    readonly warehouseUrl: string;
  };
  /** Values of this ground that may stand in no log. */
  readonly secrets: readonly string[];
  /** Kills a broker or PostgreSQL; it is started again after `awayMs`. */
  fell(name: ServiceName, signal: NodeJS.Signals, awayMs: number): Promise<void>;
  /** Waits until every broker and PostgreSQL are up again. */
  allUp(): Promise<void>;
  /** Ends everything. The folder stays where it is to be looked at. */
  stop(): Promise<void>;
}

/** Lays out a ground; resolves when the whole system is ready. */
export async function startGround({ brokers, root }: GroundOptions): Promise<Ground> {
  const folder = mkdtempSync(join(tmpdir(), 'syncline-faults-'));
  const listen = (count: number) => Promise.all(Array.from({ length: count }, () => TcpProxy.listen()));
  const links = { kafka: await listen(brokers), postgres: await listen(1), warehouse: await listen(1) };
  const proxies = Object.values(links).flat();
  const up = keepUp();
  process.env.INFRA = 'native';
  const advertisedPorts = links.kafka.map((proxy) => proxy.port);
  const infra = await startInfra({
    stateDir: join(folder, 'infra'),
    brokers,
    extraListener: { name: 'PROXIED', advertisedPorts },
    onExit: (name) => up.ended(infra, name),
  });
  links.kafka.forEach((proxy, i) => {
    proxy.target = infra.extraListenerPorts![i]!;
  });
  for (const proxy of [...links.postgres, ...links.warehouse]) proxy.target = Number(new URL(infra.databaseUrl).port);
  const proxied = (url: string, by: readonly TcpProxy[]) =>
    Object.assign(new URL(url), { port: String(by[0]!.port) }).href;
  const witness = await startWitness();
  const end = async () => {
    await witness.close();
    await infra.stop();
    await Promise.all(proxies.map((proxy) => proxy.close()));
  };
  try {
    const stateDir = join(folder, 'system');
    mkdirSync(stateDir);
    const env = {
      INFRA: 'external',
      KAFKA_BROKERS: advertisedPorts.map((port) => `127.0.0.1:${port}`).join(','),
      DATABASE_URL: proxied(infra.databaseUrl, links.postgres),
      WAREHOUSE_URL: proxied(infra.warehouseUrl, links.warehouse),
      PUBLIC_URL: witness.url,
      POLL_INTERVAL_MS: '3000',
      SETTLE_MS: '3000',
    };
    const system = await startSystem({ env, stateDir, ...(root ? { root } : {}) });
    witness.forwardTo(system.local().webhooks);
    // Webhooks are tried again within seconds, not minutes; and the shop is one that may be asked as often as a big one.
    await control(system, 'POST', '/settings', { retryScale: 0.02, costMaximum: 20_000, costRestoreRate: 2_000 });
    const { password } = new URL(infra.databaseUrl);
    return {
      folder,
      system,
      infra,
      witness,
      links,
      direct: { kafkaBrokers: infra.kafkaBrokers, storeUrl: infra.databaseUrl, warehouseUrl: infra.warehouseUrl },
      secrets: [password, ...secretsOf(stateDir)],
      fell: async (name, signal, awayMs) => {
        up.away(name, awayMs);
        await infra.kill(name, signal);
      },
      allUp: () => up.all(),
      stop: async () => {
        up.close();
        // With `keep` the folder stays, also where it is to be removed: by whom laid the ground.
        await system.stop({ keep: true });
        await end();
      },
    };
  } catch (error) {
    up.close();
    await end();
    throw error;
  }
}

/** Starts what ended again, after the time it is to be away. */
function keepUp() {
  const awayMs = new Map<ServiceName, number>();
  const under = new Map<ServiceName, Promise<void>>();
  let closed = false;
  return {
    away: (name: ServiceName, ms: number) => void awayMs.set(name, ms),
    ended: (infra: Infra, name: ServiceName) => {
      if (closed) return;
      const back = async (): Promise<void> => {
        await pause(awayMs.get(name) ?? 0);
        awayMs.delete(name);
        for (let tries = 1; !closed; tries++) {
          try {
            return await infra.restart(name);
          } catch (error) {
            if (tries === 3) throw error;
            await pause(1_000);
          }
        }
      };
      const work = back().finally(() => under.delete(name));
      work.catch(() => {}); // `all` tells
      under.set(name, work);
    },
    all: async () => {
      await Promise.all(under.values());
    },
    close: () => {
      closed = true;
    },
  };
}

function secretsOf(stateDir: string): string[] {
  const lines = readFileSync(join(stateDir, 'sandbox.env'), 'utf8').split('\n');
  return lines.flatMap((line) => (/^[A-Z_]*(SECRET|KEY)=./.test(line) ? [line.slice(line.indexOf('=') + 1)] : []));
}

/** The services that do not say of themselves that they can work. */
export async function unready(system: System): Promise<string[]> {
  const { services } = system.local();
  const answers = await Promise.all(
    services.map(async ({ name, url, state }) => {
      if (state !== 'ready') return name;
      const ok = await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(3_000) }).then(
        (answer) => answer.ok,
        () => false,
      );
      return ok ? null : name;
    }),
  );
  return answers.filter((name) => name !== null);
}

/** Ends every fault there is and waits until all runs again; what does not come back in time is left to the judges. */
export async function heal({ system, links, allUp }: Ground, msMax: number): Promise<void> {
  for (const proxy of Object.values(links).flat()) {
    proxy.latencyMs = 0;
    proxy.heal();
    proxy.release();
  }
  await allUp();
  await control(system, 'DELETE', '/faults');
  await control(system, 'POST', '/webhooks', {});
  await until('every service ready again', msMax, async () => (await unready(system)).length === 0).catch(() => {});
}
