export * from './config.js';
export { ConfigError, type ConfigProblem } from './config-error.js';
export { type LoadOptions, loadSynclineConfig, parseSynclineConfig } from './config-parse.js';
export { envTable, metricsTable, prometheusName, staleParts } from './docs.js';
export * from './env.js';
export { createLogger, describeError, type Logger } from './logger.js';
export type { Get, ManagementRoute, ReadyCheck } from './management.js';
export { declaredMetrics, type MetricDeclaration, metrics, type Reading } from './metrics.js';
export { nearest, suggestion } from './nearest.js';
export { type RunningService, type ServiceOptions, startService } from './service.js';
export { runMain } from './shutdown.js';
export { startTelemetry, type Telemetry } from './telemetry.js';
export {
  type Context,
  errorType,
  extract,
  getTracer,
  inject,
  inSpan,
  type Link,
  linkTo,
  type Span,
  SpanKind,
  type SpanOptions,
  traceId,
} from './tracing.js';
