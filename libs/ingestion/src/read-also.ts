import { asSyncError } from '@syncline/contracts';
import { inSpan, type Logger } from '@syncline/runtime';
import { backoffMs, pause } from './backoff.js';
import type { Served } from './connection.js';
import { publish, type Sender } from './publish.js';

const triesMax = 6;
const waitingMax = 1_000;

/** Reads objects that webhooks named. */
export interface AlsoReader {
  read(served: Served, objects: readonly { noun: string; externalId: string }[]): void;
  /** Resolves when what is under way has ended; nothing new is begun after the signal. */
  done(): Promise<void>;
}

/**
 * Reads, right after a webhook, the objects it named without carrying them, and publishes what it finds. It is the fast way,
 * not the safe one: what cannot be read after a few tries, or is lost with the process, the next poll brings.
 */
export function createAlsoReader(deps: {
  sender: Sender;
  log: Logger;
  signal: AbortSignal;
  /** Nothing is read of a paused connection: the first poll after it goes on brings what webhooks named meanwhile. */
  paused(connection: string): boolean;
  accepted(connection: string, receivedAt: number): void;
}): AlsoReader {
  const running = new Set<Promise<void>>();

  const once = async (served: Served, noun: string, externalId: string): Promise<void> => {
    const found = await served.connector.objects[noun]?.read?.(served.at('webhook'), externalId);
    if (!found) return;
    const receivedAt = Date.now();
    const { item, readAt } = found;
    await publish(deps.sender, {
      provider: served.connector.provider,
      connection: served.name,
      item,
      value: Buffer.from(item.body),
      eventId: `${item.noun}/${item.externalId}/${item.version}`,
      type: 'read',
      occurredAt: null,
      origin: 'webhook',
      apiVersion: served.connector.apiVersion,
      receivedAt,
      readAt,
    });
    deps.accepted(served.name, receivedAt);
  };

  const persist = async (served: Served, noun: string, externalId: string): Promise<void> => {
    for (let tries = 1; !deps.signal.aborted && !deps.paused(served.name); tries++) {
      try {
        return await once(served, noun, externalId);
      } catch (thrown) {
        const error = asSyncError(thrown);
        const passing = error.kind === 'transient' || error.kind === 'throttled';
        if (!passing || tries === triesMax) {
          deps.log.warn(
            { err: error, connection: served.name, noun, tries },
            'an object a webhook named could not be read',
          );
          return;
        }
        await pause(error.retryAfterMs ?? backoffMs(tries, { firstMs: 250, mostMs: 10_000 }), deps.signal);
      }
    }
  };

  return {
    read(served, objects) {
      for (const { noun, externalId } of objects) {
        if (running.size >= waitingMax) return;
        const attributes = { 'syncline.connection': served.name, 'syncline.noun': noun };
        const work = inSpan(`read ${noun}`, { attributes }, () => persist(served, noun, externalId));
        running.add(work);
        void work.finally(() => running.delete(work));
      }
    },
    done: async () => {
      await Promise.all(running);
    },
  };
}
