// A process that uses a connection again and again, as a service does: every request it makes is a line on stdout.
// Its settings are TOKEN_USER (JSON: {name, url, clientId, clientSecret}), DATABASE_URL and SYNCLINE_SECRET_KEYS.
import { setTimeout as pause } from 'node:timers/promises';
import { asSyncError } from '@syncline/contracts';
import { grantStore } from '@syncline/store';
import { connect } from '../connect.js';
import { granted } from './granted.js';

const everyMs = 40;

const { name, url, clientId, clientSecret } = JSON.parse(process.env.TOKEN_USER ?? '{}') as Record<string, string>;
const tokens = grantStore('needed', {
  url: process.env.DATABASE_URL ?? '',
  keys: process.env.SYNCLINE_SECRET_KEYS,
  applicationName: 'token-user',
});
const stop = new AbortController();
process.stdin.on('end', () => stop.abort()).resume();
const connection = connect(
  granted,
  { name: name ?? '', settings: { url }, secrets: { clientId, clientSecret } },
  stop.signal,
  { tokens },
);
while (!stop.signal.aborted) {
  try {
    await granted.check(connection);
    console.log('ok');
  } catch (thrown) {
    const error = asSyncError(thrown);
    if (!stop.signal.aborted)
      console.log(
        `${error.kind}: ${error.message}${error.outcomeUnknown ? ' (outcome unknown)' : ''} ${JSON.stringify(error.cause ?? null)}`,
      );
  }
  await pause(everyMs);
}
await connection.close();
await tokens?.close();
