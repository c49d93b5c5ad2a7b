import { request } from 'undici';
import { Failure } from './failure.js';
import type { Local, LocalService } from './local.js';

/** The service of a role that has a connection (any of that role where none is named); a failure says which there are. */
export function needService(local: Local, role: LocalService['role'], connection?: string): LocalService {
  const all = local.services.filter((s) => s.role === role);
  const found = all.find((s) => connection === undefined || s.connections.includes(connection));
  if (found) return found;
  const names = all.flatMap((s) => s.connections).join(', ') || 'none';
  throw new Failure(`No ${role} serves "${connection}". Connections there are: ${names}.`, 2);
}

/**
 * The JSON answer of a service's management port, however long it takes: replays read whole topics. Throws a failure with the
 * service's own sentence where it refuses (exit code 2 for a wrong request) or does not answer.
 */
export async function callService(
  service: LocalService,
  method: 'GET' | 'POST',
  path: string,
  query: Readonly<Record<string, string | undefined>> = {},
): Promise<unknown> {
  const dead = new Failure(`${service.name} does not answer. "npm run -s syncline -- status" shows what is up.`);
  if (!service.url) throw dead;
  const given = Object.entries(query).filter((pair): pair is [string, string] => pair[1] !== undefined);
  const url = new URL(`${path}?${new URLSearchParams(given)}`, service.url);
  const reply = await request(url, { method, headersTimeout: 0, bodyTimeout: 0 }).catch(() => {
    throw dead;
  });
  const body = (await reply.body.json().catch(() => null)) as { error?: string } | null;
  if (reply.statusCode < 300) return body;
  throw new Failure(`${service.name} refused: ${body?.error ?? reply.statusCode}`, reply.statusCode === 400 ? 2 : 1);
}
