import { deadLetterTopic, header, invalidTopic, type SyncError } from '@syncline/contracts';
import type { Outcome } from './batch.js';
import type { KafkaSettings } from './client.js';
import { backoffMs, pause } from './failure.js';
import { countQuarantined } from './measure.js';
import { MicroBatchProducer } from './micro-batch-producer.js';
import type { InboundRecord } from './record.js';

const reasonLengthMax = 1_000;
const tooLarge = ' (too large to copy: its value is at the source offset)';

/** Where a record of this outcome goes; null where it is done, undefined where the whole batch has to be tried again. */
export function routeOf(outcome: Outcome, groupId: string): string | null | undefined {
  switch (outcome?.kind) {
    case undefined:
    case 'superseded':
      return null;
    case 'unmappable':
      return invalidTopic(groupId);
    case 'rejected':
    case 'defect':
      return deadLetterTopic(groupId);
    default:
      return undefined;
  }
}

/** Failure headers: why, and where the record came from. They replace those of an earlier failure. */
export function failureHeaders(record: InboundRecord, failure: SyncError): Record<string, string> {
  return {
    [header.failureKind]: failure.kind,
    [header.failureReason]: failure.message.slice(0, reasonLengthMax),
    ...(failure.path === undefined ? {} : { [header.failurePath]: failure.path }),
    [header.sourceTopic]: record.topic,
    [header.sourcePartition]: String(record.partition),
    [header.sourceOffset]: String(record.offset),
  };
}

/** Sends records that failed for good to the group's failure topics. */
export class FailureRouting {
  readonly #producer: MicroBatchProducer;
  #connected: Promise<void> | undefined;

  constructor(
    kafka: KafkaSettings,
    private readonly groupId: string,
  ) {
    this.#producer = new MicroBatchProducer(kafka);
  }

  /**
   * Resolves when every failed record is durable in its failure topic, however long that takes; false when the signal came first.
   * Outcomes are in the order of the records.
   */
  async route(records: readonly InboundRecord[], outcomes: readonly Outcome[], signal: AbortSignal): Promise<boolean> {
    const sends: Promise<boolean>[] = [];
    for (let i = 0; i < outcomes.length; i++) {
      const outcome = outcomes[i];
      if (!outcome) continue;
      const topic = routeOf(outcome, this.groupId);
      if (topic) sends.push(this.#insist(topic, records[i]!, outcome, signal));
    }
    return (await Promise.all(sends)).every((sent) => sent);
  }

  async #insist(topic: string, record: InboundRecord, failure: SyncError, signal: AbortSignal): Promise<boolean> {
    this.#connected ??= this.#producer.connect();
    await this.#connected;
    let { value } = record;
    const headers = { ...(record.headers as Record<string, string>), ...failureHeaders(record, failure) };
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        await this.#producer.send({ topic, key: record.key, value, headers });
        countQuarantined(this.groupId, failure);
        return true;
      } catch (error) {
        if ((error as SyncError).kind === 'rejected' && value !== null) {
          // The failure headers took it over the limit.
          value = null;
          headers[header.failureReason] += tooLarge;
          continue;
        }
        await pause(backoffMs(attempt), signal);
      }
    }
    return false;
  }

  async close(): Promise<void> {
    if (this.#connected) await this.#producer.disconnect();
  }
}
