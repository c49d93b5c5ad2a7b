import { setTimeout as pause } from 'node:timers/promises';
import { header, type Kind, type Receipt, receiptsTopic, SyncError } from '@syncline/contracts';
import { inject } from '@syncline/runtime';
import type { ReceiptDraft } from './decide.js';

/** The part of a producer that the writer uses. */
export interface Sender {
  send(message: { topic: string; key: string; value: string | null; headers: Record<string, string> }): Promise<void>;
}

/** What a receipt or an intent is about. */
export interface About {
  provider: string;
  connection: string;
  noun: string;
  kind: Kind;
  id: string;
  revision: number;
}

const attemptsMax = 6;
const pauseMsMin = 100;

/** Publishes that an object is about to be created, durable before the request. */
export async function publishIntent(sender: Sender, about: About, signal: AbortSignal): Promise<void> {
  await publish(sender, about, { type: 'intent', ...core(about) }, signal);
}

/** Publishes how a revision ended, durable before its row is closed. */
export async function publishReceipt(
  sender: Sender,
  about: About,
  draft: ReceiptDraft,
  signal: AbortSignal,
): Promise<void> {
  await publish(
    sender,
    about,
    { type: 'receipt', ...core(about), ...draft, tries: [...draft.tries] } satisfies Receipt,
    signal,
  );
}

const core = ({ id, kind, connection, noun, revision }: About) => ({
  id,
  kind,
  connection,
  noun,
  revision,
  at: Date.now(),
});

async function publish(sender: Sender, about: About, value: Receipt, signal: AbortSignal): Promise<void> {
  const headers = inject({
    [header.specVersion]: '1.0',
    [header.id]: `${about.connection}:${about.id}:${about.revision}:${value.type}`,
    [header.source]: `/connections/${about.connection}`,
    [header.type]: `syncline.${value.type}`,
    [header.subject]: about.id,
    [header.contentType]: 'application/json',
    [header.receivedAt]: String(value.at),
  });
  const message = { topic: receiptsTopic(about.provider), key: about.id, value: JSON.stringify(value), headers };
  await sendPatiently(sender, message, signal);
}

/** Sends with a few retries: what follows at the target must not be undone by a short pause of the broker. */
export async function sendPatiently(
  sender: Sender,
  message: Parameters<Sender['send']>[0],
  signal: AbortSignal,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await sender.send(message);
    } catch (error) {
      const passing = error instanceof SyncError && (error.kind === 'transient' || error.kind === 'throttled');
      if (!passing || attempt >= attemptsMax || signal.aborted) throw error;
      await pause(pauseMsMin * 2 ** attempt, undefined, { signal }).catch(() => undefined);
    }
  }
}
