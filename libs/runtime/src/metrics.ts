import {
  type Attributes,
  metrics as api,
  type Counter,
  type Histogram,
  type ObservableGauge,
} from '@opentelemetry/api';

/** A metric as it is declared: everything a reader of dashboards must know. */
export interface MetricDeclaration {
  name: string;
  type: 'counter' | 'histogram' | 'gauge';
  unit: string;
  attributes: readonly string[];
  description: string;
  /** Upper bounds of a histogram's buckets. */
  buckets?: readonly number[];
}

/** What a gauge reports when it is scraped. */
export interface Reading {
  value: number;
  attributes: Attributes;
}

const declarations: MetricDeclaration[] = [];

/** Raised when telemetry starts: instruments made before it would report nowhere. */
let generation = 0;

/** Called by the telemetry start: instruments are made again at their next use. */
export function renewInstruments(): void {
  generation++;
  for (const attach of observed) attach();
}

const observed = new Set<() => void>();

function lazily<T>(make: () => T): () => T {
  let made: T | undefined;
  let madeIn = -1;
  return () => {
    if (made === undefined || madeIn !== generation) {
      made = make();
      madeIn = generation;
    }
    return made;
  };
}

const meter = () => api.getMeter('syncline');

function counter(d: Omit<MetricDeclaration, 'type'>) {
  declarations.push({ ...d, type: 'counter' });
  const instrument = lazily<Counter>(() => meter().createCounter(d.name, { unit: d.unit, description: d.description }));
  return { name: d.name, add: (value: number, attributes: Attributes = {}) => instrument().add(value, attributes) };
}

function histogram(d: Omit<MetricDeclaration, 'type'>) {
  declarations.push({ ...d, type: 'histogram' });
  const instrument = lazily<Histogram>(() =>
    meter().createHistogram(d.name, {
      unit: d.unit,
      description: d.description,
      ...(d.buckets ? { advice: { explicitBucketBoundaries: [...d.buckets] } } : {}),
    }),
  );
  return {
    name: d.name,
    record: (value: number, attributes: Attributes = {}) => instrument().record(value, attributes),
  };
}

function gauge(d: Omit<MetricDeclaration, 'type'>) {
  declarations.push({ ...d, type: 'gauge' });
  const instrument = lazily<ObservableGauge>(() =>
    meter().createObservableGauge(d.name, { unit: d.unit, description: d.description }),
  );
  return {
    name: d.name,
    /** Reports what `read` returns at every scrape (a failure reports nothing); returns how to stop. */
    observe(read: () => Reading[] | Promise<Reading[]>): () => void {
      const callback = async (result: { observe(value: number, attributes: Attributes): void }) => {
        const readings = await Promise.resolve()
          .then(read)
          .catch(() => []);
        for (const r of readings) result.observe(r.value, r.attributes);
      };
      let attached: ObservableGauge | undefined;
      const attach = () => {
        attached = instrument();
        attached.addCallback(callback);
      };
      attach();
      observed.add(attach);
      return () => {
        observed.delete(attach);
        attached?.removeCallback(callback);
      };
    },
  };
}

const seconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 600, 3600];
const sizes = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000];

/** Every metric of Syncline, declared once. Names on /metrics have _ for . and counters end in _total. */
export const metrics = {
  freshness: histogram({
    name: 'syncline.freshness',
    unit: 's',
    attributes: ['connection', 'target', 'kind'],
    description: 'Time from the change at its source until the target has confirmed it.',
    buckets: seconds,
  }),
  accepted: counter({
    name: 'syncline.ingest.accepted',
    unit: '{message}',
    attributes: ['connection', 'noun', 'origin'],
    description: 'Messages of providers that are durable in their raw topic.',
  }),
  ignored: counter({
    name: 'syncline.ingest.ignored',
    unit: '{message}',
    attributes: ['connection'],
    description: 'Verified webhooks that say nothing Syncline keeps.',
  }),
  webhookRejections: counter({
    name: 'syncline.webhook.rejections',
    unit: '{request}',
    attributes: ['connection', 'reason'],
    description:
      'Webhook requests that were not accepted, by reason; connection is "unknown" where none has that name.',
  }),
  webhookDuration: histogram({
    name: 'http.server.request.duration',
    unit: 's',
    attributes: ['http.request.method', 'http.route', 'http.response.status_code'],
    description: 'Time from the headers of a webhook request until its answer.',
    buckets: seconds,
  }),
  pollWatermarkAge: gauge({
    name: 'syncline.poll.watermark_age',
    unit: 's',
    attributes: ['connection', 'noun'],
    description: 'How far behind now everything that changed at the source is known to be read.',
  }),
  pollFailures: counter({
    name: 'syncline.poll.failures',
    unit: '{poll}',
    attributes: ['connection', 'noun', 'kind'],
    description: 'Polls that ended early, by kind of failure.',
  }),
  webhooksRegistered: gauge({
    name: 'syncline.webhook.registered',
    unit: '1',
    attributes: ['connection'],
    description: '1 where the provider is known to send webhooks to us, else 0.',
  }),
  budgetAvailable: gauge({
    name: 'syncline.budget.available',
    unit: '1',
    attributes: ['connection'],
    description: "Requests, or the provider's points, that a connection may spend now.",
  }),
  unauthorized: gauge({
    name: 'syncline.connection.unauthorized',
    unit: '1',
    attributes: ['connection'],
    description: '1 while a connection is parked because its credentials or its grant are refused, else 0.',
  }),
  changed: counter({
    name: 'syncline.records.changed',
    unit: '{revision}',
    attributes: ['connection', 'kind'],
    description: 'Canonical revisions published, by the connection that caused them.',
  }),
  unknownStatuses: counter({
    name: 'syncline.status.unknown',
    unit: '{message}',
    attributes: ['connection', 'kind', 'field'],
    description: "Statuses that no table knows: kept in the provider's words and mapped to unknown.",
  }),
  deliveries: counter({
    name: 'syncline.deliveries',
    unit: '{delivery}',
    attributes: ['target', 'kind', 'outcome'],
    description:
      'Deliveries that ended, by outcome (written, declined, superseded, gone, dead) and attempts that failed for now (retried).',
  }),
  pending: gauge({
    name: 'syncline.deliveries.pending',
    unit: '{record}',
    attributes: ['target', 'kind'],
    description: 'Records whose newest revision is not yet at the target.',
  }),
  dead: gauge({
    name: 'syncline.deliveries.dead',
    unit: '{record}',
    attributes: ['target', 'kind'],
    description: 'Records whose newest revision was given up and waits for an operator.',
  }),
  circuitOpen: gauge({
    name: 'syncline.target.circuit_open',
    unit: '1',
    attributes: ['target'],
    description: '1 while a target is not tried because it failed too often, else 0.',
  }),
  clockSkew: gauge({
    name: 'syncline.clock.skew',
    unit: 's',
    attributes: [],
    description: "How far this machine's clock is ahead of the database's; negative where it is behind.",
  }),
  quarantined: counter({
    name: 'syncline.messages.quarantined',
    unit: '{message}',
    attributes: ['group', 'kind'],
    description: 'Records that went to an invalid or dead-letter topic, by kind of failure.',
  }),
  lagRecords: gauge({
    name: 'syncline.consumer.lag',
    unit: '{record}',
    attributes: ['group', 'topic'],
    description: 'Records of a topic that its consumer group has not finished.',
  }),
  lagSeconds: gauge({
    name: 'syncline.consumer.lag_time',
    unit: 's',
    attributes: ['group', 'topic'],
    description: 'Age of the oldest record that the consumer group has not finished.',
  }),
  batchSize: histogram({
    name: 'syncline.batch.size',
    unit: '{record}',
    attributes: ['group', 'topic'],
    description: 'Records handled in one batch.',
    buckets: sizes,
  }),
  messagesSent: counter({
    name: 'messaging.client.sent.messages',
    unit: '{message}',
    attributes: ['messaging.destination.name', 'error.type'],
    description: 'Messages given to Kafka.',
  }),
  messagesConsumed: counter({
    name: 'messaging.client.consumed.messages',
    unit: '{message}',
    attributes: ['messaging.destination.name', 'messaging.consumer.group.name'],
    description: 'Messages taken from Kafka.',
  }),
  messagingDuration: histogram({
    name: 'messaging.client.operation.duration',
    unit: 's',
    attributes: ['messaging.operation.name', 'messaging.destination.name', 'error.type'],
    description: 'Time of one request to Kafka.',
    buckets: seconds,
  }),
  processDuration: histogram({
    name: 'messaging.process.duration',
    unit: 's',
    attributes: ['messaging.destination.name', 'messaging.consumer.group.name', 'error.type'],
    description: 'Time to handle one batch.',
    buckets: seconds,
  }),
} as const;

/** The declarations, for documentation and for checks of rules and dashboards. */
export const declaredMetrics: readonly MetricDeclaration[] = declarations;
