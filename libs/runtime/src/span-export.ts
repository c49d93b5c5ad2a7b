import { appendFile } from 'node:fs/promises';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace';

type Exported = Parameters<Parameters<SpanExporter['export']>[1]>[0];

/** ExportResultCode of @opentelemetry/core. */
const done: Exported = { code: 0 };
const failed = (error: Error): Exported => ({ code: 1, error });

/** Attributes that may quote a customer: queries of URLs, SQL parameters, messages and stacks of errors. */
const unsafe = new Set(['url.query', 'exception.message', 'exception.stacktrace', 'db.query.parameter']);

/** A span with everything removed that could quote personal data or a secret. */
export function scrubbed(span: ReadableSpan): ReadableSpan {
  return Object.create(span, {
    attributes: { value: safeAttributes(span.attributes), enumerable: true },
    events: {
      value: span.events.map((e) => ({ ...e, attributes: safeAttributes(e.attributes ?? {}) })),
      enumerable: true,
    },
    status: { value: { code: span.status.code }, enumerable: true },
  }) as ReadableSpan;
}

function safeAttributes(attributes: ReadableSpan['attributes']): ReadableSpan['attributes'] {
  return Object.fromEntries(
    Object.entries(attributes)
      .filter(([name]) => !unsafe.has(name))
      .map(([name, value]) => [name, name === 'url.full' && typeof value === 'string' ? value.split('?')[0] : value]),
  );
}

/** An exporter that hands scrubbed spans to another one. */
export function scrubbing(exporter: SpanExporter): SpanExporter {
  return {
    export: (spans, callback) => exporter.export(spans.map(scrubbed), callback),
    shutdown: () => exporter.shutdown(),
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
  };
}

/** Writes each span as one JSON line to a file: {name, kind, traceId, spanId, parentSpanId, attributes, links, startMs, endMs, error}. */
export function fileExporter(path: string): SpanExporter {
  let last: Promise<void> = Promise.resolve();
  return {
    export(spans, callback) {
      const lines = spans.map((s) => `${JSON.stringify(plain(s))}\n`).join('');
      last = last
        .then(() => appendFile(path, lines))
        .then(
          () => callback(done),
          (error: Error) => callback(failed(error)),
        );
    },
    shutdown: () => last,
    forceFlush: () => last,
  };
}

function plain(span: ReadableSpan): Record<string, unknown> {
  const ms = ([s, ns]: readonly [number, number]) => s * 1000 + ns / 1e6;
  return {
    service: span.resource.attributes['service.name'],
    name: span.name,
    kind: span.kind,
    traceId: span.spanContext().traceId,
    spanId: span.spanContext().spanId,
    parentSpanId: span.parentSpanContext?.spanId ?? null,
    startMs: ms(span.startTime),
    endMs: ms(span.endTime),
    error: span.status.code === 2,
    attributes: span.attributes,
    links: span.links.map((l) => ({ traceId: l.context.traceId, spanId: l.context.spanId })),
  };
}
