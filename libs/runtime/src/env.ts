import { z } from 'zod';
import { ConfigError } from './config-error.js';

const port = z.coerce.number().int().min(0).max(65_535);

/** What every service reads from its environment. The OTEL_* variables go to the OpenTelemetry SDK as they are. */
export const baseEnv = z.object({
  KAFKA_BROKERS: z
    .string()
    .transform((list) => list.split(',').map((b) => b.trim()))
    .refine(
      (list) => list.every((b) => /^[^\s:]+:\d+$|^\[[0-9a-f:]+\]:\d+$/i.test(b)),
      'expected host:port, comma separated',
    )
    .describe('Kafka brokers as host:port, comma separated'),
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\//, 'expected postgres://user:password@host:port/database')
    .describe("PostgreSQL with Syncline's own state: postgres://user:password@host:port/database"),
  SYNCLINE_CONFIG: z
    .string()
    .min(1)
    .default('syncline.yaml')
    .describe('Path of the configuration of connections and flows'),
  MANAGEMENT_PORT: port.default(0).describe('Port of health, metrics and status; 0 takes a free one'),
  MANAGEMENT_HOST: z.string().min(1).default('127.0.0.1').describe('Address the management port binds to'),
  LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
    .default('info')
    .describe('Least severe level that is logged'),
  SERVICE_INSTANCE: z
    .string()
    .min(1)
    .optional()
    .describe('Name of this process among its replicas; made up when absent'),
  SYNCLINE_READY_FILE: z
    .string()
    .min(1)
    .optional()
    .describe('File that gets {pid, url} as JSON when the service is ready'),
  SYNCLINE_TRACE_FILE: z.string().min(1).optional().describe('File that gets every span as a JSON line, for tests'),
});

/** SYNCLINE_SECRET_KEYS of the services that hold access tokens. */
export const secretKeys = z
  .string()
  .optional()
  .describe('Keys that encrypt kept tokens, 32 bytes in base64 or hex; the first encrypts, all decrypt');

/** The shared part of every service's environment, read. */
export type BaseEnv = z.infer<typeof baseEnv>;

/**
 * Reads and checks environment variables. An empty variable counts as absent.
 * Throws ConfigError with every problem at once, by name and never by value.
 */
export function readEnv<S extends z.ZodObject>(schema: S, env: NodeJS.ProcessEnv): z.infer<S> {
  const given = Object.fromEntries(
    Object.keys(schema.shape).flatMap((k) => (env[k] === undefined || env[k] === '' ? [] : [[k, env[k]]])),
  );
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => {
    const name = String(issue.path[0] ?? '');
    const about = (schema.shape[name] as z.ZodType | undefined)?.description;
    const what = name in given ? withoutValue(issue) : 'is not set';
    return { path: name, message: about ? `${what} (${about})` : what };
  });
  throw new ConfigError('The environment is incomplete', problems);
}

/** zod's words about an issue; they name types, limits and options, and only custom messages are taken from schemas. */
const withoutValue = (issue: z.core.$ZodIssue): string => issue.message;
