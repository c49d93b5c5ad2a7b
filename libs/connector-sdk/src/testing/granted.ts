import { z } from 'zod';
import type { AuthSpec } from '../auth.js';
import { fitsOf } from '../authorize.js';
import { defineConnector } from '../connector.js';
import { beginGrant, endGrant, oauthClient } from '../oauth.js';
import type { TokenStore } from '../token-store.js';
import type { AuthorizationServer } from './authorization-server.js';

/** How the test's system is authorized. */
export const grantedAuth = {
  type: 'authorizationCode',
  authorizePath: '/auth',
  tokenPath: '/token',
  clientIdSecret: 'clientId',
  clientSecretSecret: 'clientSecret',
  scopes: ['orders:read'],
  header: 'authorization',
  prefix: 'Bearer ',
} as const satisfies AuthSpec;

/** A system whose connections live by a grant: what `startAuthorizationServer` serves, as a connector. */
export const granted = defineConnector({
  provider: 'granted',
  title: 'Granted',
  settings: z.object({ url: z.string().describe('Address of the server') }),
  secrets: z.object({
    clientId: z.string().describe('The client'),
    clientSecret: z.string().describe("The client's secret"),
  }),
  apiVersion: null,
  baseUrl: (settings) => settings.url,
  auth: grantedAuth,
  limits: { perSecond: 1_000, burst: 100, concurrency: 10 },
  objects: { order: { kind: 'order', toCanonical: () => [] } },
  check: async ({ http }) => {
    await http.send({ method: 'GET', path: '/resource', safe: true });
  },
});

/** Gives a connection access as a person does, and stores the grant. */
export async function giveGrant(server: AuthorizationServer, connection: string, tokens: TokenStore): Promise<void> {
  const { url, clientId, clientSecret } = server;
  const client = oauthClient(grantedAuth, url, { clientId, clientSecret });
  const pending = await beginGrant(client, 'http://127.0.0.1:54321/callback');
  const given = await endGrant(client, pending, new URL(await server.approve(pending.url)));
  await tokens.save(connection, null, fitsOf(grantedAuth, url, { clientId, clientSecret }), given);
}
