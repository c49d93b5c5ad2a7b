import {
  type Attributes,
  type Context,
  context,
  type Link,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TextMapGetter,
  type Tracer,
  trace,
} from '@opentelemetry/api';

export { type Context, type Link, type Span, SpanKind } from '@opentelemetry/api';

/** A tracer by the name of the lib that makes the spans. */
export const getTracer = (name: string): Tracer => trace.getTracer(`syncline.${name}`);

let own = getTracer('runtime');

/** Called by the telemetry start: a tracer keeps to the provider it first found. */
export function renewTracer(): void {
  own = getTracer('runtime');
}

/** Adds W3C traceparent (and tracestate) of a context, by default the active one, to message or request headers. */
export function inject(headers: Record<string, string>, from: Context = context.active()): Record<string, string> {
  propagation.inject(from, headers);
  return headers;
}

type CarriedHeaders = Record<string, Buffer | string | (Buffer | string)[] | undefined>;

const getter: TextMapGetter<CarriedHeaders> = {
  keys: (headers) => Object.keys(headers),
  get: (headers, name) => {
    const value = headers[name];
    const one = Array.isArray(value) ? value[0] : value;
    return one === undefined ? undefined : one.toString();
  },
};

/** The trace context that message or request headers carry; an empty context where they carry none. */
export function extract(headers: CarriedHeaders | undefined): Context {
  return propagation.extract(ROOT_CONTEXT, headers ?? {}, getter);
}

/** The link to the span that headers carry, for batch spans; null where they carry none. */
export function linkTo(headers: CarriedHeaders | undefined): Link | null {
  const carried = trace.getSpanContext(extract(headers));
  return carried ? { context: carried } : null;
}

/** The trace id of a context, by default the active one; null outside any span. */
export function traceId(from: Context = context.active()): string | null {
  return trace.getSpanContext(from)?.traceId ?? null;
}

export interface SpanOptions {
  kind?: SpanKind;
  attributes?: Attributes;
  /** Parent context; the active one when absent. */
  parent?: Context;
  links?: Link[];
  /** When it began, in milliseconds since the epoch, where that was before this call. */
  startedAt?: number;
}

/**
 * Runs a function inside a span, which ends with it. What it throws marks the span with error.type (the kind of a SyncError,
 * else the error's name) and is thrown on; messages of errors are not recorded, since they may quote data.
 */
export async function inSpan<T>(name: string, options: SpanOptions, fn: (span: Span) => Promise<T>): Promise<T> {
  const parent = options.parent ?? context.active();
  const { kind = SpanKind.INTERNAL, attributes = {}, links = [] } = options;
  const span = own.startSpan(
    name,
    { kind, attributes, links, ...(options.startedAt === undefined ? {} : { startTime: options.startedAt }) },
    parent,
  );
  try {
    return await context.with(trace.setSpan(parent, span), () => fn(span));
  } catch (thrown) {
    span.setAttribute('error.type', errorType(thrown));
    span.setStatus({ code: SpanStatusCode.ERROR });
    throw thrown;
  } finally {
    span.end();
  }
}

/** A word for a failure that is safe as an attribute of spans and metrics. */
export function errorType(thrown: unknown): string {
  if (!(thrown instanceof Error)) return typeof thrown;
  const { kind } = thrown as { kind?: unknown };
  return typeof kind === 'string' ? kind : thrown.name;
}
