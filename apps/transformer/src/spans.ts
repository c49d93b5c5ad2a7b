import { trace } from '@opentelemetry/api';
import { extract, getTracer, inject, SpanKind } from '@syncline/runtime';
import type { Step } from './decode.js';

const tracer = getTracer('transformer');

/**
 * The span of a message becoming a canonical event: child of the producer's span that the message carries. Returns the trace
 * headers of the event.
 */
export function processSpan(step: Step, kind: string): Record<string, string> {
  const parent = extract(step.record.headers);
  const span = tracer.startSpan(
    `process ${step.record.topic}`,
    {
      kind: SpanKind.CONSUMER,
      attributes: {
        'messaging.system.name': 'kafka',
        'messaging.destination.name': step.record.topic,
        'messaging.destination.partition.id': String(step.record.partition),
        'messaging.operation.name': 'process',
        'messaging.operation.type': 'process',
        'kafka.offset': Number(step.record.offset),
        'cloudevents.event_type': `syncline.${kind}`,
      },
    },
    parent,
  );
  const headers = inject({}, trace.setSpan(parent, span));
  span.end();
  return headers;
}
