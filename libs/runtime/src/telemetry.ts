import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { context, metrics as metricsApi, propagation, trace } from '@opentelemetry/api';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { UndiciInstrumentation } from '@opentelemetry/instrumentation-undici';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { NodeSDK } from '@opentelemetry/sdk-node';
import {
  AlwaysOffSampler,
  BatchSpanProcessor,
  NoopSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  SimpleSpanProcessor,
  type SpanProcessor,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace';
import { renewInstruments } from './metrics.js';
import { fileExporter, scrubbing } from './span-export.js';
import { renewTracer } from './tracing.js';

/** Telemetry of this process. */
export interface Telemetry {
  /** Answers a scrape with everything measured, in Prometheus' text format. */
  metricsHandler(request: IncomingMessage, response: ServerResponse): void;
  /** Sends what is left and stops. */
  stop(): Promise<void>;
}

let running: Telemetry | null = null;

/**
 * Starts OpenTelemetry for this process; a second call returns what runs. Spans go to OTEL_EXPORTER_OTLP_ENDPOINT (HTTP) and
 * to the file SYNCLINE_TRACE_FILE; with neither they are not recorded, yet traceparent is made and passed on.
 * New traces are sampled by the ratio OTEL_TRACES_SAMPLER_ARG (default 1), others as their parent says.
 */
export function startTelemetry(service: string, env: NodeJS.ProcessEnv = process.env): Telemetry {
  if (running) return running;
  const processors = spanProcessors(env);
  const exporter = new PrometheusExporter({ preventServerStart: true, withoutScopeInfo: true });
  const sdk = new NodeSDK({
    autoDetectResources: false, // the detectors would export command lines and host names
    resource: resourceFromAttributes({
      'service.name': service,
      'service.namespace': 'syncline',
      'service.instance.id': env.SERVICE_INSTANCE || randomUUID(),
    }),
    sampler: sampler(env, processors.length > 0),
    spanProcessors: processors.length > 0 ? processors : [new NoopSpanProcessor()],
    metricReaders: [exporter],
    logRecordProcessors: [], // logs go to stdout; without this the SDK would send them to a collector on localhost
    instrumentations: processors.length > 0 ? [new UndiciInstrumentation()] : [],
  });
  sdk.start();
  renewInstruments();
  renewTracer();
  running = {
    metricsHandler: (request, response) => exporter.getMetricsRequestHandler(request, response),
    async stop() {
      running = null;
      await sdk.shutdown().catch(() => undefined); // a collector that is away must not keep a service from stopping
      for (const api of [trace, metricsApi, context, propagation]) api.disable();
    },
  };
  return running;
}

function spanProcessors(env: NodeJS.ProcessEnv): SpanProcessor[] {
  const out: SpanProcessor[] = [];
  if (env.OTEL_EXPORTER_OTLP_ENDPOINT || env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT)
    out.push(new BatchSpanProcessor({ exporter: scrubbing(new OTLPTraceExporter()) }));
  if (env.SYNCLINE_TRACE_FILE)
    out.push(new SimpleSpanProcessor({ exporter: scrubbing(fileExporter(env.SYNCLINE_TRACE_FILE)) }));
  return out;
}

function sampler(env: NodeJS.ProcessEnv, exported: boolean): Sampler {
  if (!exported)
    return new ParentBasedSampler({ root: new AlwaysOffSampler(), remoteParentSampled: new AlwaysOffSampler() });
  const ratio = Number(env.OTEL_TRACES_SAMPLER_ARG || '1');
  return new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(Number.isFinite(ratio) ? ratio : 1) });
}
