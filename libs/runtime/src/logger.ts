import pino from 'pino';

/** The log of a service: JSON lines on stdout, secrets and personal data removed. */
export type Logger = pino.Logger;

/** Names of fields whose value never reaches a log, at the top of a log object or up to three levels below it. */
const secretNames = [
  'authorization',
  'cookie',
  'password',
  'secret',
  'secrets',
  'clientSecret',
  'webhookSecret',
  'apiKey',
  'token',
  'accessToken',
  'refreshToken',
  'signature',
  'databaseUrl',
];
const personalNames = [
  'email',
  'phone',
  'address',
  'address1',
  'address2',
  'shippingAddress',
  'billingAddress',
  'customer',
  'firstName',
  'lastName',
  'first_name',
  'last_name',
  'fullName',
  'recipient',
  'note',
  'body',
  'payload',
];

const redacted = [...secretNames, ...personalNames].flatMap((name) => [
  name,
  `*.${name}`,
  `*.*.${name}`,
  `*.*.*.${name}`,
]);

/** What a log shows of a thrown value: type, kind, code and our own message; the words of others may quote data. */
export function describeError(thrown: unknown): Record<string, unknown> {
  if (!(thrown instanceof Error)) return { type: typeof thrown };
  const { code, kind, path } = thrown as { code?: unknown; kind?: unknown; path?: unknown };
  const cause = thrown.cause instanceof Error ? describeError(thrown.cause) : undefined;
  return {
    type: thrown.name,
    ...(typeof code === 'string' ? { code } : {}),
    ...(kind === undefined ? {} : { kind, message: thrown.message }),
    ...(typeof path === 'string' && kind !== undefined ? { path } : {}),
    ...(cause === undefined ? {} : { cause }),
    at: thrown.stack
      ?.split('\n')
      .filter((line) => /^\s+at /.test(line))
      .slice(0, 8)
      .map((line) => line.trim()),
  };
}

/** A logger for a service. Errors go in as `{ err }` and come out by type; see describeError. */
export function createLogger(
  service: string,
  level = process.env.LOG_LEVEL || 'info',
  destination: pino.DestinationStream = pino.destination({ fd: 1, sync: true }),
): Logger {
  const options: pino.LoggerOptions = {
    level,
    base: { service },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { err: describeError, error: describeError, cause: describeError },
    redact: { paths: redacted, censor: '[redacted]' },
  };
  return pino(options, destination);
}
