import { Controller, type Type } from '@nestjs/common';
import { EventPattern } from '@nestjs/microservices';
import type { Kind } from '@syncline/contracts';
import { type Batch, type BatchHandler, KafkaBatchStrategy, type KafkaSettings } from '@syncline/messaging';
import type { TargetHealth } from './status.js';

/** One target connection as the service runs it, whatever its shape. */
export interface ServedTarget {
  readonly name: string;
  readonly group: string;
  readonly strategy: KafkaBatchStrategy;
  readonly controller: Type;
  health(): TargetHealth;
  /** Begins to work off what is due. */
  start(): void;
  /** Takes no more work and waits for what is under way, so long at most. */
  stop(graceMs: number): Promise<void>;
  close(): Promise<void>;
  /** An operator paused the target, or lets it go on: while it is paused nothing is sent to it. */
  setPaused(paused: boolean): void;
  /** Tries what was given up once more: one record, or all that failed for one kind of reason. */
  retry(which: { id?: string; failureKind?: string }): Promise<Retried>;
}

/** What became of given-up deliveries that were tried once more. */
export interface Retried {
  /** Due again, or taken by the target now. */
  retried: number;
  /** Not tried: the target has that revision or a newer one. */
  superseded: number;
  /** Refused by the target once more. */
  refused: number;
}

/** The consumer of one target: its own group over its topics, bound to its own handler. */
export function consumerOf(
  kafka: KafkaSettings,
  name: string,
  group: string,
  topics: string[],
  handler: BatchHandler,
  how: { together?: boolean } = {},
): { strategy: KafkaBatchStrategy; controller: Type } {
  const strategy = new KafkaBatchStrategy({ kafka, groupId: group, topics, ...how });
  // Several targets read the same topics, each in its own group: the transport tells their handlers apart.
  const transport = Symbol(name);
  strategy.transportId = transport;
  class CanonicalEvents {
    handle(batch: Batch) {
      return handler(batch);
    }
  }
  const method = Object.getOwnPropertyDescriptor(CanonicalEvents.prototype, 'handle')!;
  EventPattern(topics, transport)(CanonicalEvents.prototype, 'handle', method);
  Controller()(CanonicalEvents);
  return { strategy, controller: CanonicalEvents };
}

/** A target connection of this writer as syncline.yaml has it. */
export interface TargetConnection {
  readonly name: string;
  readonly kinds: Kind[];
  readonly settings: Record<string, unknown>;
  readonly secrets: Record<string, unknown>;
}
