// The shop's HTTP side: access tokens and the GraphQL endpoint.
// https://shopify.dev/docs/apps/build/authentication-authorization/access-tokens/client-credentials-grant
import { randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { type DocumentNode, Kind, type OperationDefinitionNode } from 'graphql';
import { type FaultDesk, installFaults } from '../faults.js';
import { type Journal, keepJournal } from '../journal.js';
import { actualCost, type CostBucket, QUERY_COST_MAX, requestedCost } from './cost.js';
import { fulfillmentMutations } from './fulfillment-mutations.js';
import { queryRoot } from './graph-queries.js';
import { orderMutations } from './order-mutations.js';
import { API_VERSION, checkDocument, run } from './schema.js';
import type { Shop } from './shop.js';
import { subscriptionMutations } from './subscriptions.js';

/** What the app was granted. */
export const SCOPES = [
  'read_orders',
  'write_orders',
  'read_fulfillments',
  'write_fulfillments',
  'write_merchant_managed_fulfillment_orders',
];

export interface ShopServerOptions {
  shop: Shop;
  clientId: string;
  clientSecret: string;
  bucket: CostBucket;
  faults: FaultDesk;
  journal: Journal;
  save: () => void;
}

const equal = (left: string, right: string): boolean => {
  const [a, b] = [Buffer.from(left), Buffer.from(right)];
  return a.length === b.length && timingSafeEqual(a, b);
};

/** Builds the server; the caller listens and closes. */
export function createShopServer(options: ShopServerOptions): FastifyInstance {
  const app = Fastify({ logger: false, bodyLimit: 4 << 20, forceCloseConnections: true, genReqId: () => randomUUID() });
  keepJournal(app, options.journal, 'shop');
  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) => {
    done(null, Object.fromEntries(new URLSearchParams(body as string)));
  });
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id).header('x-shopify-api-version', API_VERSION);
  });
  installFaults(app, options.faults, 'shop', ({ body }) => operationWords(body));
  app.setNotFoundHandler((_request, reply) => reply.code(404).send({ errors: 'Not Found' }));
  app.setErrorHandler((error: Error & { statusCode?: number }, _request, reply) => {
    const status = error.statusCode ?? 500;
    return reply.code(status).send({ errors: status < 500 ? 'Bad Request' : 'Internal Server Error' });
  });
  app.post('/admin/oauth/access_token', (request, reply) => grantToken(options, request, reply));
  app.post('/admin/api/:version/graphql.json', (request, reply) => graphql(options, request, reply));
  return app;
}

/** The text a fault rule's `match` is looked for in, beside the path. */
const operationWords = (body: unknown): string => {
  const { query, operationName } = (body ?? {}) as { query?: unknown; operationName?: unknown };
  return typeof query === 'string' ? `${operationName ?? ''} ${query}` : '';
};

function grantToken(
  { shop, clientId, clientSecret, save }: ShopServerOptions,
  request: FastifyRequest,
  reply: FastifyReply,
) {
  const body = (request.body ?? {}) as Record<string, unknown>;
  const fail = (status: number, error: string, text: string) =>
    reply.code(status).send({ error, error_description: text });
  if (body.grant_type !== 'client_credentials')
    return fail(400, 'unsupported_grant_type', 'grant_type must be client_credentials');
  if (body.client_id !== clientId) return fail(400, 'application_cannot_be_found', 'No app with that client_id');
  if (typeof body.client_secret !== 'string' || !equal(body.client_secret, clientSecret)) {
    return fail(401, 'invalid_client', 'Client authentication failed');
  }
  if (shop.data.uninstalled) return fail(400, 'shop_not_permitted', 'The app is not installed on this shop');
  const seconds = shop.settings.tokenLifetimeSeconds;
  const token = `shpat_${randomBytes(16).toString('hex')}`;
  const now = Date.now();
  shop.data.tokens = [
    ...shop.data.tokens.filter(({ expiresAt }) => expiresAt > now),
    { token, expiresAt: now + seconds * 1000 },
  ];
  save();
  return reply.send({ access_token: token, scope: SCOPES.join(','), expires_in: Math.floor(seconds) });
}

const authorized = (shop: Shop, header: string | string[] | undefined): boolean =>
  typeof header === 'string' &&
  shop.data.tokens.some(({ token, expiresAt }) => expiresAt > Date.now() && equal(token, header));

/** Versions up to the pinned one are served by it, as Shopify falls forward; what is newer does not exist. */
const servesVersion = (version: string): boolean => /^20\d\d-(01|04|07|10)$/.test(version) && version <= API_VERSION;

async function graphql(options: ShopServerOptions, request: FastifyRequest, reply: FastifyReply) {
  const { shop, bucket, journal } = options;
  if (!authorized(shop, request.headers['x-shopify-access-token'])) {
    return reply
      .code(401)
      .send({ errors: '[API] Invalid API key or access token (unrecognized login or wrong password)' });
  }
  const { version } = request.params as { version: string };
  if (!servesVersion(version)) return reply.code(404).send({ errors: 'Not Found' });
  const body = (request.body ?? {}) as {
    query?: unknown;
    variables?: Record<string, unknown> | null;
    operationName?: string | null;
  };
  if (typeof body.query !== 'string') {
    return reply.code(400).send({ errors: { query: 'Required parameter missing or invalid' } });
  }
  const { document, errors } = checkDocument(body.query);
  if (!document || errors.length > 0) return { errors: errors.map((error) => error.toJSON()) };
  const operation = pickOperation(document, body.operationName ?? undefined);
  if (!operation) return { errors: [{ message: 'Operation name is required', extensions: { code: 'BAD_REQUEST' } }] };
  const variables = body.variables ?? {};
  const requested = requestedCost(document, operation, variables);
  if (requested > QUERY_COST_MAX) {
    const message = `Query cost is ${requested}, which exceeds the single query max cost limit (${QUERY_COST_MAX}).`;
    return {
      errors: [{ message, extensions: { code: 'MAX_COST_EXCEEDED', cost: requested, maxCost: QUERY_COST_MAX } }],
    };
  }
  const cost = (actual: number | null) => ({
    cost: { requestedQueryCost: requested, actualQueryCost: actual, throttleStatus: bucket.status() },
  });
  if (!bucket.take(requested)) {
    const documentation = 'https://shopify.dev/api/usage/rate-limits';
    return {
      errors: [{ message: 'Throttled', extensions: { code: 'THROTTLED', documentation } }],
      extensions: cost(null),
    };
  }
  const effect = (kind: string, id: string) => journal.effect(request.id, kind, id);
  const root =
    operation.operation === 'mutation'
      ? {
          ...orderMutations(shop, effect),
          ...fulfillmentMutations(shop, effect),
          ...subscriptionMutations(shop, effect, options.save),
        }
      : queryRoot(shop, SCOPES);
  const result = await run({ document, root, variables, operationName: body.operationName ?? undefined });
  const actual = operation.operation === 'mutation' ? requested : Math.min(requested, actualCost(result.data));
  bucket.giveBack(requested - actual);
  return {
    ...(result.errors ? { errors: result.errors.map((error) => error.toJSON()) } : {}),
    data: result.data,
    extensions: cost(actual),
  };
}

function pickOperation(document: DocumentNode, name: string | undefined): OperationDefinitionNode | undefined {
  const all = document.definitions.filter((node) => node.kind === Kind.OPERATION_DEFINITION);
  if (name) return all.find((node) => node.name?.value === name);
  return all.length === 1 ? all[0] : undefined;
}
