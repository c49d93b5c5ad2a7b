import './kafkajs-repairs.js';
import { Kafka, type KafkaConfig, type LogEntry, logLevel } from 'kafkajs';

/** A warning or error of the Kafka client, free of headers, keys and values; `reason` is a sentence. */
export interface KafkaLogLine {
  level: 'warn' | 'error';
  msg: string;
  [field: string]: string | number | undefined;
}

/** Where the brokers are and how this process names itself to them. */
export interface KafkaSettings {
  /** host:port of one or more brokers. */
  brokers: string[];
  clientId: string;
  /** Takes the client's warnings and errors; by default JSON lines on stderr. */
  log?: (line: KafkaLogLine) => void;
}

const kept = ['groupId', 'memberId', 'topic', 'partition', 'broker', 'clientId', 'retryCount'] as const;

/** Writes a line where the settings want it. */
export function logTo(settings: KafkaSettings): (line: KafkaLogLine) => void {
  return settings.log ?? writeLine;
}

function writeLine(line: KafkaLogLine): void {
  const { level, ...rest } = line;
  process.stderr.write(`${JSON.stringify({ level: level === 'error' ? 50 : 40, time: Date.now(), ...rest })}\n`);
}

/**
 * A kafkajs client. Each purpose (a consumer, a producer, a transactional id) gets its own, so that their time-outs differ and
 * a broken connection of one is thrown away without the others. Every caller states its retry: kafkajs has other defaults
 * under NODE_ENV=test, and tests must run what production runs.
 */
export function createKafka(
  settings: KafkaSettings,
  options: Required<Pick<KafkaConfig, 'requestTimeout' | 'connectionTimeout' | 'retry'>>,
): Kafka {
  return new Kafka({
    brokers: settings.brokers,
    clientId: settings.clientId,
    logLevel: logLevel.WARN,
    logCreator: () => (entry) => forward(entry, logTo(settings)),
    ...options,
  });
}

/** The retry of clients that may take a few seconds: administration and consumers. */
export const patientRetry = { retries: 5, initialRetryTime: 100, maxRetryTime: 2_000 } as const;

// What every outage or rebalance brings by the dozen and the code around here deals with itself.
const routine = [
  /rebalancing, re-joining/,
  /not aware of this member/,
  /another concurrent operation on the same transaction/,
  /coordinator is (loading|not available)/,
];

const repeatMs = 10_000;
const lastLogged = new Map<string, number>();

/** True for a line that was written a moment ago: an outage says the same many times a second. */
function isRepeated(msg: string): boolean {
  const now = Date.now();
  if (now - (lastLogged.get(msg) ?? 0) < repeatMs) return true;
  if (lastLogged.size > 200) lastLogged.clear();
  lastLogged.set(msg, now);
  return false;
}

function forward(entry: LogEntry, log: (line: KafkaLogLine) => void): void {
  const { message, ...extra } = entry.log;
  const said = `${message} ${typeof extra.error === 'string' ? extra.error : ''}`;
  if (routine.some((pattern) => pattern.test(said))) return;
  const line: KafkaLogLine = {
    level: entry.level === logLevel.ERROR ? 'error' : 'warn',
    msg: `kafka ${entry.namespace}: ${message}`.slice(0, 500),
  };
  if (isRepeated(line.msg)) return;
  for (const name of kept) {
    const value: unknown = extra[name];
    if (typeof value === 'string' || typeof value === 'number') line[name] = value;
  }
  if (typeof extra.error === 'string') line.reason = extra.error.slice(0, 300);
  log(line);
}
