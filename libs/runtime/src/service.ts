import 'reflect-metadata';
import { rename, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import {
  type ArgumentsHost,
  Catch,
  type ExceptionFilter,
  type LoggerService,
  Module,
  type Provider,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { CustomTransportStrategy } from '@nestjs/microservices';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { throwError } from 'rxjs';
import { createLogger, type Logger } from './logger.js';
import {
  declareManagementRoutes,
  type Get,
  type ManagementRoute,
  type ManagementState,
  type ReadyCheck,
} from './management.js';
import { handleProcessEvents, within } from './shutdown.js';
import { startTelemetry } from './telemetry.js';

/** What a service is made of. */
export interface ServiceOptions {
  /** Name in logs, traces and metrics: transformer, ingestor-shopify, writer-warehouse. */
  name: string;
  /** Nest providers. Their onApplicationShutdown runs after consumers and HTTP have stopped. */
  providers: Provider[];
  controllers?: Type[];
  /** Kafka strategies, connected as Nest microservices. */
  strategies?: (get: Get) => (CustomTransportStrategy & { close(): unknown })[];
  /** What readiness depends on. */
  ready?: (get: Get) => ReadyCheck[];
  /** JSON for GET /status. */
  status?: (get: Get) => () => Promise<unknown>;
  routes?: ManagementRoute[];
  managementPort: number;
  /** Default MANAGEMENT_HOST, else 127.0.0.1. */
  managementHost?: string;
  /** Runs once everything is connected, before the service calls itself ready. */
  started?: (get: Get) => Promise<void> | void;
  /** Runs first in a shutdown, right after readiness says no: stop taking work (own HTTP servers, loops). */
  stopping?: (get: Get) => Promise<void> | void;
  /** Added to the ready line and the ready file, e.g. further addresses. */
  extra?: (get: Get) => Record<string, unknown>;
  logger?: Logger;
  /** False leaves signals and unhandled errors to the caller: for tests, which start services in their own process. */
  ownsProcess?: boolean;
}

/** A service that runs. */
export interface RunningService {
  /** Address of the management port. */
  url: string;
  get: Get;
  /** Stops gracefully, at most 15 s: readiness, consumers and HTTP, providers, telemetry. */
  close(): Promise<void>;
}

const shutdownMsMax = 15_000;

/** Without it Nest hides a handler's error from the transport behind "Internal server error", and with it what to do about it. */
@Catch()
class RethrowFilter implements ExceptionFilter {
  catch(thrown: unknown, host: ArgumentsHost): unknown {
    if (host.getType() === 'http') throw thrown;
    return throwError(() => thrown);
  }
}

/**
 * Starts a service: telemetry, Nest with its providers, the Kafka strategies, and the management port with health, metrics
 * and status. Prints one log line {"msg":"ready","url":...} when ready, and writes the file SYNCLINE_READY_FILE names.
 */
export async function startService(options: ServiceOptions): Promise<RunningService> {
  const log = options.logger ?? createLogger(options.name);
  const telemetry = startTelemetry(options.name);
  const state: ManagementState = { started: false, stopping: false, checks: [] };
  const app = await createApplication(options, log);
  const get: Get = (token) => app.get(token, { strict: false });
  let closing: Promise<void> | null = null;
  const close = () => {
    closing ??= (async () => {
      state.stopping = true;
      await within('stop taking work', shutdownMsMax / 3, async () => options.stopping?.(get), log);
      await within('consumers and providers', shutdownMsMax / 2, () => app.close(), log);
      await within('telemetry', 2_000, () => telemetry.stop(), log);
      release();
      log.info('stopped');
      log.flush();
    })();
    return closing;
  };
  const release = options.ownsProcess === false ? () => undefined : handleProcessEvents(log, close);
  try {
    for (const strategy of options.strategies?.(get) ?? [])
      app.connectMicroservice({ strategy }, { inheritAppConfig: true });
    const status = options.status?.(get);
    declareManagementRoutes(app.getHttpAdapter().getInstance(), state, {
      get,
      metricsHandler: telemetry.metricsHandler,
      routes: options.routes ?? [],
      ...(status ? { status } : {}),
    });
    // The port opens first, so that liveness answers while a consumer waits for its group.
    await app.listen(options.managementPort, options.managementHost ?? (process.env.MANAGEMENT_HOST || '127.0.0.1'));
    await app.startAllMicroservices();
    await options.started?.(get);
    state.checks = options.ready?.(get) ?? [];
    state.started = true;
    const url = urlOf(app);
    const extra = options.extra?.(get) ?? {};
    await writeReadyFile(process.env.SYNCLINE_READY_FILE, { pid: process.pid, url, ...extra });
    log.info({ url, ...extra }, 'ready');
    return { url, get, close };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

async function createApplication(options: ServiceOptions, log: Logger): Promise<NestFastifyApplication> {
  class ServiceModule {}
  Module({ providers: options.providers, controllers: options.controllers ?? [] })(ServiceModule);
  const adapter = new FastifyAdapter({ bodyLimit: 64 * 1024, forceCloseConnections: true });
  const app = await NestFactory.create<NestFastifyApplication>(ServiceModule, adapter, {
    logger: nestLogger(log),
    abortOnError: false,
  });
  app.useGlobalFilters(new RethrowFilter());
  return app;
}

function urlOf(app: NestFastifyApplication): string {
  const { address, port, family } = app.getHttpServer().address() as AddressInfo;
  const host = address === '0.0.0.0' || address === '::' ? '127.0.0.1' : family === 'IPv6' ? `[${address}]` : address;
  return `http://${host}:${port}`;
}

/** Written beside and renamed, so that whoever waits for the file never reads half of it. */
async function writeReadyFile(path: string | undefined, content: unknown): Promise<void> {
  if (!path) return;
  await writeFile(`${path}.${process.pid}`, JSON.stringify(content), { mode: 0o600 });
  await rename(`${path}.${process.pid}`, path);
}

/** Nest's own lines at debug; its errors by their first word only, since they may quote what a handler was given. */
function nestLogger(log: Logger): LoggerService {
  const context = (rest: unknown[]) => ({ nest: typeof rest.at(-1) === 'string' ? rest.at(-1) : undefined });
  return {
    log: (message, ...rest) => log.debug(context(rest), String(message)),
    debug: (message, ...rest) => log.trace(context(rest), String(message)),
    verbose: (message, ...rest) => log.trace(context(rest), String(message)),
    warn: (message, ...rest) => log.warn(context(rest), String(message)),
    error: (message, ...rest) => logNestError(log, message, context(rest)),
    fatal: (message, ...rest) => logNestError(log, message, context(rest)),
  };
}

function logNestError(log: Logger, message: unknown, context: Record<string, unknown>): void {
  if (message instanceof Error) log.error({ ...context, err: message }, 'an error reached the framework');
  else log.error(context, 'an error reached the framework');
}
