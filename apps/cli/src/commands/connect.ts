import type { Connector } from '@syncline/connector-sdk';
import { suggestion } from '@syncline/runtime';
import { grantStore } from '@syncline/store';
import { commandEnv, configPath, connectorOf, loadConfig } from '../config.js';
import { giveAccess } from '../connect/give-access.js';
import { Failure } from '../failure.js';

const waitMinutes = 10;

/**
 * `syncline connect <connection>`: a person gives access in a browser; prints the address to open. Exit code 1 where no access
 * was given or the connection does not work with it.
 */
export async function connectCommand(
  name: string,
  options: { json?: boolean; config?: string; port: number },
): Promise<number> {
  if (options.port > 65_535) throw new Failure('--port takes a number up to 65535.', 2);
  const env = commandEnv();
  const config = loadConfig(configPath(options.config ?? process.env.SYNCLINE_CONFIG), env);
  const connection = config.connections[name];
  if (!connection)
    throw new Failure(`No connection is called ${name}; ${suggestion(name, Object.keys(config.connections))}`, 2);
  const connector: Connector | undefined = connectorOf[connection.provider];
  if (connector?.auth.type !== 'authorizationCode')
    throw new Failure(
      `${name} (${connection.provider}) needs no browser: its secrets in the configuration are all it takes. Try them with "syncline check".`,
      2,
    );
  const { DATABASE_URL: url, SYNCLINE_SECRET_KEYS: keys } = env;
  if (!url) throw new Failure('Set DATABASE_URL, or start the local system with "npm start".', 2);
  const tokens = grantStore('needed', { url, keys, applicationName: 'syncline connect' });
  if (!tokens) throw new Failure(`${name} keeps no tokens.`);
  const show = ({ url: place, redirectUri }: { url: string; redirectUri: string }): void =>
    console.log(
      options.json
        ? JSON.stringify({ connection: name, url: place, redirectUri })
        : `Open this address in a browser on this machine and give access:\n\n  ${place}\n\nWaiting ${waitMinutes} minutes at most for the answer at ${redirectUri} (Ctrl-C ends).`,
    );
  try {
    const signal = AbortSignal.timeout(waitMinutes * 60_000);
    const { renewable, problem } = await giveAccess({
      connector,
      connection,
      tokens,
      port: options.port,
      show,
      signal,
    });
    if (options.json)
      console.log(JSON.stringify({ connection: name, connected: problem === null, renewable, problem }));
    else {
      console.log(
        problem === null ? `${name} is connected.` : `Access was given, but ${name} does not work: ${problem}`,
      );
      if (!renewable) console.log('The provider gave no refresh token: access ends with the present access token.');
    }
    return problem === null ? 0 : 1;
  } finally {
    await tokens.close();
  }
}
