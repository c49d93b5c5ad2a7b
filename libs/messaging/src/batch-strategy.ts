import { BaseRpcContext, type CustomTransportStrategy, type MessageHandler, Server } from '@nestjs/microservices';
import { isObservable, lastValueFrom } from 'rxjs';
import type { Batch, BatchStrategyOptions, Outcome } from './batch.js';
import { GroupWork } from './group-work.js';
import type { TopicLag } from './lag.js';

/**
 * Kafka as a Nest transport: `@EventPattern('<topic>')` methods get whole batches and return one outcome per record. Heartbeats,
 * fetching and joining go on beside the handlers, one partition's trouble stops no other, offsets move only over what is done or
 * durable in a failure topic, and nothing that a handler or the broker does ends the process. Needs a global exception filter
 * that rethrows: Nest's own replaces what handlers throw before it gets here.
 */
export class KafkaBatchStrategy extends Server implements CustomTransportStrategy {
  readonly #work: GroupWork;
  readonly #methods = new Map<string, MessageHandler>();

  constructor(private readonly options: BatchStrategyOptions) {
    super();
    this.#work = new GroupWork(options, (batch) => this.#call(batch));
  }

  /** Called by Nest. Does not wait for the group: a service also starts while Kafka is away, and is not ready. */
  listen(callback: (error?: unknown) => void): void {
    for (const topic of this.options.topics) {
      const method = this.getHandlerByPattern(topic);
      if (!method) {
        callback(new Error(`no handler for topic ${topic}: add @EventPattern('${topic}') to a controller's method`));
        return;
      }
      this.#methods.set(topic, method);
    }
    this.#work.start();
    callback();
  }

  close(): Promise<void> {
    return this.#work.stop();
  }

  /** Starts no more batches of these topics; all topics when absent. What is fetched meanwhile waits, bounded. */
  pause(topics?: string[]): void {
    this.#work.pause(topics);
  }

  resume(topics?: string[]): void {
    this.#work.resume(topics);
  }

  /** True while this member belongs to its group and hears from the broker. */
  isReady(): boolean {
    return this.#work.isReady();
  }

  /** How far this member is behind on the partitions it owns. Asks the broker for the ends. */
  lag(): Promise<TopicLag[]> {
    return this.#work.lag();
  }

  override on(): never {
    throw new Error('this transport has no events: ask isReady()');
  }

  override unwrap<T>(): T {
    return this.#work as T;
  }

  async #call(batch: Batch): Promise<readonly Outcome[] | undefined> {
    const context = new BaseRpcContext([batch.topic, batch.partition]);
    const result: unknown = await this.#methods.get(batch.topic)!(batch, context);
    const outcomes = isObservable(result) ? await lastValueFrom(result, { defaultValue: undefined }) : result;
    return outcomes as readonly Outcome[] | undefined;
  }
}
