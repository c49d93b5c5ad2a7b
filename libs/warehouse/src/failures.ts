import { SyncError } from '@syncline/contracts';

/** SQLSTATE classes and codes by what they mean for a write; https://www.postgresql.org/docs/current/errcodes-appendix.html */
const dataCodes = ['22', '23', '21000', '54000'];
const accessCodes = ['28', '3D000', '42501', '3F000'];
const schemaCodes = ['42P01', '42703', '42704', '42883', '42P10'];

const startsWithAny = (code: string, prefixes: readonly string[]): boolean => prefixes.some((p) => code.startsWith(p));

/** True where PostgreSQL refused a value, so that other records of the batch may still be written. */
export function isDataError(thrown: unknown): boolean {
  return startsWithAny(codeOf(thrown), dataCodes);
}

/**
 * What a failure of PostgreSQL means. Messages keep PostgreSQL's words without what it quotes (values of the record):
 * data → rejected; credentials, rights, a missing database or table → unauthorized, so that the target is parked until
 * someone mends it; everything else (connection, time-out, deadlock, disk full, read-only, restart) → transient.
 */
export function toSyncError(thrown: unknown): SyncError {
  if (thrown instanceof SyncError) return thrown;
  const code = codeOf(thrown);
  const words = (thrown instanceof Error && withoutValues(thrown.message)) || networkCode(thrown) || 'unknown failure';
  const text = `PostgreSQL${code ? ` (${code})` : ''}: ${words}`;
  // No cause: errors of the driver carry statements, parameters and rows.
  if (startsWithAny(code, dataCodes)) return new SyncError('rejected', text, { path: columnOf(thrown) });
  if (startsWithAny(code, accessCodes))
    return new SyncError('unauthorized', `${text}. Check secrets.url and the rights of its role`);
  if (startsWithAny(code, schemaCodes))
    return new SyncError(
      'unauthorized',
      `${text}. The warehouse's tables are not as they should be: run the migration`,
    );
  return new SyncError('transient', text, { outcomeUnknown: true });
}

function codeOf(thrown: unknown): string {
  const code = typeof thrown === 'object' && thrown !== null && 'code' in thrown ? thrown.code : undefined;
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : '';
}

/** Node's code of a failed connection (ECONNREFUSED), whose message is empty where several addresses were tried. */
function networkCode(thrown: unknown): string | undefined {
  const code = typeof thrown === 'object' && thrown !== null && 'code' in thrown ? thrown.code : undefined;
  return typeof code === 'string' ? code : undefined;
}

function columnOf(thrown: unknown): string | undefined {
  const column = typeof thrown === 'object' && thrown !== null && 'column' in thrown ? thrown.column : undefined;
  return typeof column === 'string' ? column : undefined;
}

/** Values stand in double quotes, or follow a colon, in PostgreSQL's messages. */
function withoutValues(message: string): string {
  return message
    .replace(/"(?:[^"]|"")*("|$)/gs, '"…"')
    .replace(/:.*$/s, '')
    .slice(0, 200);
}
