// A fresh Kafka and PostgreSQL for one measurement, with Syncline's topics and tables, and its services as processes.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { declaredTopics } from '@syncline/contracts';
import { type Infra, startInfra } from '@syncline/infra';
import { type KafkaSettings, migrateTopics } from '@syncline/messaging';
import { migrateStore } from '@syncline/store';
import { warehouse } from '@syncline/warehouse';
import pg from 'pg';

const root = join(import.meta.dirname, '../../..');

/** One measurement's surroundings. */
export interface Place {
  infra: Infra;
  kafka: KafkaSettings;
  warehouse: pg.Pool;
  /** Process ids of Kafka and PostgreSQL, for the meter. */
  servers: Record<string, number>;
  /** Starts a compiled program of ours and resolves when it says it is ready. */
  run(
    name: string,
    file: string,
    env?: Record<string, string>,
    args?: string[],
  ): Promise<{ pid: number; ready: Record<string, unknown>; stop(): Promise<void> }>;
  stop(): Promise<void>;
}

/** Starts servers in a new folder. `config` is the text of syncline.yaml. */
export async function makePlace(config: string): Promise<Place> {
  const dir = mkdtempSync(join(tmpdir(), 'syncline-bench-'));
  const infra = await startInfra({ stateDir: dir });
  const kafka = { brokers: [...infra.kafkaBrokers], clientId: 'bench' };
  await migrateTopics(kafka, declaredTopics(['warehouse']));
  await migrateStore(infra.databaseUrl);
  await warehouse.migrate(infra.warehouseUrl);
  writeFileSync(join(dir, 'syncline.yaml'), config);
  const pool = new pg.Pool({ connectionString: infra.warehouseUrl, max: 4 });
  pool.on('error', () => undefined);
  const running: ChildProcess[] = [];
  const env = {
    ...process.env,
    KAFKA_BROKERS: infra.kafkaBrokers.join(','),
    DATABASE_URL: infra.databaseUrl,
    WAREHOUSE_URL: infra.warehouseUrl,
    SYNCLINE_CONFIG: join(dir, 'syncline.yaml'),
    LOG_LEVEL: 'warn',
  };
  return {
    infra,
    kafka,
    warehouse: pool,
    servers: Object.fromEntries(infra.processes.map((p) => [p.name, p.pid])),
    run: async (name, file, more = {}, args = []) => {
      const readyFile = join(dir, `${name}.ready`);
      const child = spawn(process.execPath, [join(root, file), ...args], {
        env: { ...env, SYNCLINE_READY_FILE: readyFile, ...more },
        stdio: ['ignore', 'inherit', 'inherit'],
      });
      running.push(child);
      const ready = args.includes('serve') ? {} : await untilWritten(readyFile, child, name);
      return { pid: child.pid as number, ready, stop: () => ended(child) };
    },
    stop: async () => {
      await Promise.all(running.map(ended));
      await pool.end();
      await infra.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

async function untilWritten(file: string, child: ChildProcess, name: string): Promise<Record<string, unknown>> {
  for (let i = 0; i < 600; i++) {
    if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode} before it was ready`);
    try {
      return JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
    } catch {
      await new Promise((r) => setTimeout(r, 50));
    }
  }
  throw new Error(`${name} was not ready within 30 s`);
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((r) => child.once('exit', r));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 20_000);
  await gone;
  clearTimeout(timer);
}
