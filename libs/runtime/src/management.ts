import type { IncomingMessage, ServerResponse } from 'node:http';
import { errorType } from './tracing.js';

/** Gets a provider of the service by its token. */
// biome-ignore lint/suspicious/noExplicitAny: Nest's tokens are classes, symbols or strings
export type Get = <T>(token: any) => T;

/** An extra route of the management port, for the CLI. GET where no method is named. */
export interface ManagementRoute {
  method?: 'GET' | 'POST';
  path: string;
  /** What it returns is answered as JSON; null is a 404. Query values are the last of their name. */
  handler(get: Get, query: Readonly<Record<string, string>>): Promise<unknown>;
}

/** One thing a service needs to be ready. */
export interface ReadyCheck {
  name: string;
  check(): Promise<boolean> | boolean;
}

/** What the management port shows of a service. */
export interface ManagementState {
  started: boolean;
  stopping: boolean;
  checks: readonly ReadyCheck[];
}

/** The part of a Fastify instance that routes are declared on. */
interface Routes {
  route(options: { method: string; url: string; handler(request: RoutedRequest, reply: Reply): unknown }): unknown;
}
interface RoutedRequest {
  raw: IncomingMessage;
  query: unknown;
}
interface Reply {
  raw: ServerResponse;
  code(status: number): Reply;
  header(name: string, value: string): Reply;
  send(body: unknown): unknown;
  hijack(): void;
}

/** Declares health, metrics, status and the service's own routes. */
export function declareManagementRoutes(
  server: Routes,
  state: ManagementState,
  options: {
    get: Get;
    metricsHandler(request: IncomingMessage, response: ServerResponse): void;
    status?: () => Promise<unknown>;
    routes: readonly ManagementRoute[];
  },
): void {
  const on = (method: string, url: string, handler: (request: RoutedRequest, reply: Reply) => unknown) =>
    server.route({ method, url, handler });
  on('GET', '/health/live', () => ({ status: 'ok' }));
  on('GET', '/health/startup', (_, reply) =>
    reply.code(state.started ? 200 : 503).send({ status: state.started ? 'ok' : 'starting' }),
  );
  on('GET', '/health/ready', async (_, reply) => {
    const { ready, checks } = await readiness(state);
    return reply.code(ready ? 200 : 503).send({ status: ready ? 'ok' : 'not ready', checks });
  });
  on('GET', '/metrics', (request, reply) => {
    reply.hijack();
    options.metricsHandler(request.raw, reply.raw);
  });
  const routes: ManagementRoute[] = [...options.routes];
  if (options.status) routes.unshift({ path: '/status', handler: options.status });
  for (const route of routes)
    on(route.method ?? 'GET', route.path, async (request, reply) => {
      try {
        const body = await route.handler(options.get, queryOf(request.query));
        return body === null ? reply.code(404).send({ error: 'not found' }) : reply.send(body);
      } catch (thrown) {
        const { kind, message } = thrown as { kind?: string; message?: string };
        const known = typeof kind === 'string';
        return reply
          .code(kind === 'rejected' ? 400 : 500)
          .send({ error: known ? message : 'the request failed', kind: errorType(thrown) });
      }
    });
}

/** Whether the service can do its work now. A check that throws or takes over 2 s counts as not ready. */
export async function readiness(state: ManagementState): Promise<{ ready: boolean; checks: Record<string, boolean> }> {
  const results = await Promise.all(state.checks.map(async (c) => [c.name, await passes(c)] as const));
  const ready = state.started && !state.stopping && results.every(([, ok]) => ok);
  return { ready, checks: Object.fromEntries(results) };
}

async function passes(check: ReadyCheck): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), 2_000);
  });
  try {
    return await Promise.race([Promise.resolve(check.check()), late]);
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
  }
}

function queryOf(query: unknown): Record<string, string> {
  return Object.fromEntries(
    Object.entries((query ?? {}) as Record<string, string | string[]>).map(([k, v]) => [
      k,
      Array.isArray(v) ? (v.at(-1) ?? '') : v,
    ]),
  );
}
