import { type Kind, kinds } from './record.js';

const day = 24 * 3600 * 1000;

/** A topic as `syncline migrate` makes it. */
export interface TopicSpec {
  name: string;
  partitions: number;
  /** Topic configuration by Kafka's own names. */
  config: Record<string, string>;
}

/** Providers with a raw topic per noun. Nouns are the provider's own. A new provider adds one line. */
export const rawNouns = {
  shopify: { order: 6, fulfillment: 6 },
  easypost: { tracker: 6, shipment: 3 },
} as const satisfies Record<string, Record<string, number>>;

export type Provider = keyof typeof rawNouns;

/** raw.<provider>.<noun>: the provider's bytes. */
export const rawTopic = (provider: string, noun: string): string => `raw.${provider}.${noun}`;
/** canonical.<kind>: full canonical records, compacted. */
export const canonicalTopic = (kind: Kind): string => `canonical.${kind}`;
/** receipts.<provider>: intents and receipts of that provider's writer. */
export const receiptsTopic = (provider: string): string => `receipts.${provider}`;
/** dead-letter.<consumer group>: what a consumer gave up, replayable. */
export const deadLetterTopic = (group: string): string => `dead-letter.${group}`;
/** invalid.<consumer group>: what could not be understood. */
export const invalidTopic = (group: string): string => `invalid.${group}`;

/** The transformer's consumer group. */
export const transformerGroup = 'transformer';
/** The consumer group of the writer that serves one target connection. */
export const writerGroup = (connection: string): string => `writer.${connection}`;

/** Key of a raw message: messages of one aggregate root (an order's fulfilments: the order's) stay in order. */
export const rawKey = (connection: string, aggregateId: string): string => `${connection}/${aggregateId}`;

/** Noun, provider and kind of one of our topic names; null for a topic that is not ours. */
export function parseTopic(
  name: string,
):
  | { role: 'raw'; provider: string; noun: string }
  | { role: 'canonical'; kind: Kind }
  | { role: 'receipts'; provider: string }
  | null {
  const [role, a, b] = name.split('.');
  if (role === 'raw' && a && b) return { role, provider: a, noun: b };
  if (role === 'canonical' && (kinds as readonly string[]).includes(a ?? '')) return { role, kind: a as Kind };
  if (role === 'receipts' && a) return { role, provider: a };
  return null;
}

/** Topics the transformer reads. */
export function transformerTopics(): string[] {
  const providers = Object.entries(rawNouns);
  return [
    ...providers.flatMap(([p, nouns]) => Object.keys(nouns).map((n) => rawTopic(p, n))),
    ...providers.map(([p]) => receiptsTopic(p)),
  ];
}

const deleteAfter = (days: number): Record<string, string> => ({
  'cleanup.policy': 'delete',
  'retention.ms': String(days * day),
});

/**
 * Every topic of an installation whose targets are the given connections: the one declared list.
 * Canonical topics are compacted and keep tombstones for at least 7 days.
 */
export function declaredTopics(targetConnections: readonly string[]): TopicSpec[] {
  const raw = Object.entries(rawNouns).flatMap(([p, nouns]) =>
    Object.entries(nouns as Record<string, number>).map(([n, partitions]) => ({
      name: rawTopic(p, n),
      partitions,
      config: deleteAfter(7),
    })),
  );
  const receipts = Object.keys(rawNouns).map((p) => ({
    name: receiptsTopic(p),
    partitions: 3,
    config: deleteAfter(7),
  }));
  const canonical = kinds.map((k) => ({
    name: canonicalTopic(k),
    partitions: 6,
    config: { 'cleanup.policy': 'compact', 'delete.retention.ms': String(7 * day), 'min.cleanable.dirty.ratio': '0.1' },
  }));
  const consumers = [transformerGroup, ...targetConnections.map(writerGroup)];
  const failures = consumers.flatMap((g) => [
    { name: deadLetterTopic(g), partitions: 1, config: deleteAfter(30) },
    { name: invalidTopic(g), partitions: 1, config: deleteAfter(30) },
  ]);
  return [...raw, ...receipts, ...canonical, ...failures];
}
