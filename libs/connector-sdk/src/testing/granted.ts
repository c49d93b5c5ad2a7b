import { z } from 'zod';
import type { AuthSpec } from '../auth.js';
import { defineConnector } from '../connector.js';

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
  objects: {},
  check: async ({ http }) => {
    await http.send({ method: 'GET', path: '/resource', safe: true });
  },
});
