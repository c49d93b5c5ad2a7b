import type { Local, LocalService } from '../local.js';
import { mergeStatus, type ServiceStatus, type Status, serviceStatus } from './merge.js';

const answerMsMax = 1_500;

/** A JSON answer of a service's management port; undefined where it does not answer, or says 404. */
export async function askService(service: LocalService, path: string): Promise<unknown> {
  if (!service.url) return undefined;
  try {
    const reply = await fetch(new URL(path, service.url), { signal: AbortSignal.timeout(answerMsMax) });
    return reply.ok ? await reply.json() : undefined;
  } catch {
    return undefined;
  }
}

/** Asks every service for its part of the status and puts the parts together. */
export async function askStatus(local: Local): Promise<Status> {
  return mergeStatus(local, await askParts(local));
}

/** What each service that answers says of itself, by its name. */
export async function askParts(local: Local): Promise<Map<string, ServiceStatus>> {
  const answers = new Map<string, ServiceStatus>();
  await Promise.all(
    local.services.map(async (service) => {
      const parsed = serviceStatus.safeParse(await askService(service, '/status'));
      if (parsed.success) answers.set(service.name, parsed.data);
    }),
  );
  return answers;
}
