import { beginGrant, type Connector, connect, endGrant, fitsOf, oauthClient } from '@syncline/connector-sdk';
import { asSyncError } from '@syncline/contracts';
import type { ConnectionConfig } from '@syncline/runtime';
import type { GrantStore } from '@syncline/store';
import { Failure } from '../failure.js';
import { listenForAnswer } from './callback.js';

const checkMsMax = 20_000;

export interface AccessRequest {
  connector: Connector;
  connection: ConnectionConfig;
  tokens: GrantStore;
  /** Local port the browser comes back to; 0 takes a free one. */
  port: number;
  /** Shows the person where to go. */
  show(place: { url: string; redirectUri: string }): void;
  /** Ends the wait. */
  signal: AbortSignal;
}

/** How it went: `problem` is null where the connection works now. */
export interface AccessGiven {
  /** False where access ends with the first access token. */
  renewable: boolean;
  problem: string | null;
}

/**
 * The browser round trip of OAuth 2 (authorization code with PKCE): shows the address, waits for the answer, exchanges the
 * code, stores the tokens in place of earlier ones, and tries them. Throws a Failure where no access was given; an earlier grant
 * is kept then.
 */
export async function giveAccess(request: AccessRequest): Promise<AccessGiven> {
  const { connector, connection, tokens } = request;
  const { auth } = connector;
  if (auth.type !== 'authorizationCode')
    throw new Failure(
      `${connection.name} needs no grant: ${connector.title} is authorized by its secrets in syncline.yaml alone. Try them with "syncline check".`,
      2,
    );
  const baseUrl = connector.baseUrl(connection.settings);
  const client = oauthClient(auth, baseUrl, connection.secrets);
  // Before anybody is sent anywhere: what is given must have a place.
  await tokens.read(connection.name);
  const callback = await listenForAnswer(request.port);
  try {
    const pending = await beginGrant(client, callback.redirectUri);
    const answered = callback.answer(pending.state, request.signal);
    answered.catch(() => undefined);
    request.show({ url: pending.url, redirectUri: callback.redirectUri });
    const { url, done } = await answered;
    try {
      const given = await endGrant(client, pending, url);
      await tokens.save(connection.name, null, fitsOf(auth, baseUrl, connection.secrets), given);
      done('Access was given. You can close this page.');
      return { renewable: given.refreshToken !== null, problem: await problemOf(request) };
    } catch (thrown) {
      done('No access: the terminal says why.');
      const error = asSyncError(thrown);
      throw new Failure(`${connection.name} was not connected: ${error.message}.`);
    }
  } finally {
    await callback.close();
  }
}

async function problemOf({ connector, connection, tokens }: AccessRequest): Promise<string | null> {
  const context = connect(connector, connection, AbortSignal.timeout(checkMsMax), { tokens });
  try {
    await connector.check(context);
    return null;
  } catch (thrown) {
    return asSyncError(thrown).message;
  } finally {
    await context.close();
  }
}
