import { type SyncError } from '@syncline/contracts';
import { errorType, metrics } from '@syncline/runtime';
import type { TopicLag } from './lag.js';

const seconds = (since: number) => (performance.now() - since) / 1_000;

/** Counts and times a send of some messages to one topic; `error.type` only where it failed. */
export async function measuredSend<T>(topic: string, count: number, send: () => Promise<T>): Promise<T> {
  const began = performance.now();
  const about = { 'messaging.destination.name': topic };
  try {
    const result = await send();
    metrics.messagesSent.add(count, about);
    metrics.messagingDuration.record(seconds(began), { ...about, 'messaging.operation.name': 'send' });
    return result;
  } catch (error) {
    const failed = { ...about, 'error.type': errorType(error) };
    metrics.messagesSent.add(count, failed);
    metrics.messagingDuration.record(seconds(began), { ...failed, 'messaging.operation.name': 'send' });
    throw error;
  }
}

/** Counts and times the handling of one batch. */
export async function measuredBatch<T>(
  group: string,
  topic: string,
  count: number,
  handle: () => Promise<T>,
): Promise<T> {
  const began = performance.now();
  const about = { 'messaging.destination.name': topic, 'messaging.consumer.group.name': group };
  metrics.batchSize.record(count, { group, topic });
  try {
    const result = await handle();
    metrics.messagesConsumed.add(count, about);
    metrics.processDuration.record(seconds(began), about);
    return result;
  } catch (error) {
    metrics.processDuration.record(seconds(began), { ...about, 'error.type': errorType(error) });
    throw error;
  }
}

/** Counts a record that went to a failure topic. */
export const countQuarantined = (group: string, failure: SyncError): void =>
  metrics.quarantined.add(1, { group, kind: failure.kind });

/**
 * Reports the lag of consumers at every scrape: records, and seconds since the oldest one. Both gauges share one question to
 * the broker. Returns how to stop.
 */
export function observeLag(read: () => Promise<readonly (TopicLag & { group: string })[]>): () => void {
  let asked: ReturnType<typeof read> | undefined;
  const readings = (field: 'lagRecords' | 'lagSeconds') => async () => {
    asked ??= read().finally(() => {
      asked = undefined;
    });
    return (await asked).map((l) => ({ value: l[field], attributes: { group: l.group, topic: l.topic } }));
  };
  const stops = [
    metrics.lagRecords.observe(readings('lagRecords')),
    metrics.lagSeconds.observe(readings('lagSeconds')),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}
