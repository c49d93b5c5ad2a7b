import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { type CustomTransportStrategy, EventPattern, Payload, Server } from '@nestjs/microservices';
import { SyncError } from '@syncline/contracts';
import { isObservable, lastValueFrom } from 'rxjs';
import { createLogger } from './logger.js';
import { metrics } from './metrics.js';
import { type RunningService, startService } from './service.js';
import { inject, inSpan, SpanKind } from './tracing.js';

const order: string[] = [];

class Held {
  onApplicationShutdown() {
    order.push('provider');
  }
}

class OneMessage extends Server implements CustomTransportStrategy {
  listen(callback: () => void) {
    callback();
  }
  close() {
    order.push('consumer');
  }
  on(): never {
    throw new Error('not used');
  }
  unwrap(): never {
    throw new Error('not used');
  }
  async give(payload: unknown): Promise<unknown> {
    const result = await this.getHandlerByPattern('topic')?.(payload);
    return isObservable(result) ? lastValueFrom(result) : result;
  }
}

@Controller()
class Consumer {
  @EventPattern('topic')
  handle(@Payload() payload: string): string {
    if (payload === 'bad') throw new SyncError('unmappable', 'no such field', { path: 'a.b' });
    return `${payload} done`;
  }
}

let service: RunningService | null = null;
afterEach(async () => {
  await service?.close();
  service = null;
  delete process.env.SYNCLINE_READY_FILE;
  delete process.env.SYNCLINE_TRACE_FILE;
});

const strategy = new OneMessage();
const start = (ready: () => boolean) =>
  startService({
    name: 'probe',
    providers: [Held],
    controllers: [Consumer],
    strategies: () => [strategy],
    ready: () => [{ name: 'broker', check: ready }],
    status: () => async () => ({ connections: [] }),
    routes: [
      { path: '/records', handler: async (get, query) => ({ query: query.q, held: get(Held) instanceof Held }) },
      {
        path: '/fails',
        handler: async () => {
          throw new Error('jane@example.com');
        },
      },
    ],
    managementPort: 0,
    logger: createLogger('probe', 'silent'),
    ownsProcess: false,
    stopping: () => {
      order.push('stopping');
    },
  });

describe('startService', () => {
  it('serves health, status, routes and metrics, and stops in order', async () => {
    let ready = true;
    const folder = await mkdtemp(join(tmpdir(), 'runtime-'));
    process.env.SYNCLINE_READY_FILE = join(folder, 'ready.json');
    process.env.SYNCLINE_TRACE_FILE = join(folder, 'spans.jsonl');
    service = await start(() => ready);
    const { url } = service;
    const get = async (path: string) => {
      const reply = await fetch(url + path);
      return [reply.status, await reply.text()] as const;
    };
    expect(JSON.parse(await readFile(process.env.SYNCLINE_READY_FILE, 'utf8'))).toEqual({ pid: process.pid, url });
    expect((await get('/health/live'))[0]).toBe(200);
    expect((await get('/health/startup'))[0]).toBe(200);
    expect((await get('/health/ready'))[0]).toBe(200);
    ready = false;
    expect(await get('/health/ready')).toEqual([503, '{"status":"not ready","checks":{"broker":false}}']);
    expect(await get('/status')).toEqual([200, '{"connections":[]}']);
    expect(await get('/records?q=1042')).toEqual([200, '{"query":"1042","held":true}']);
    expect(await get('/fails')).toEqual([500, '{"error":"the request failed","kind":"Error"}']);

    metrics.accepted.add(2, { connection: 'shop', noun: 'order', origin: 'webhook' });
    metrics.freshness.record(0.04, { connection: 'shop', target: 'warehouse', kind: 'order' });
    const stop = metrics.pending.observe(() => [{ value: 7, attributes: { target: 'warehouse', kind: 'order' } }]);
    const [, text] = await get('/metrics');
    stop();
    expect(text).toContain('syncline_ingest_accepted_total{connection="shop",noun="order",origin="webhook"} 2');
    expect(text).toContain('syncline_deliveries_pending{target="warehouse",kind="order"} 7');
    expect(text).toContain('syncline_freshness_bucket{connection="shop",target="warehouse",kind="order",le="0.05"} 1');

    const headers: Record<string, string> = {};
    await inSpan('send raw.x.y', { kind: SpanKind.PRODUCER }, async () => {
      inject(headers);
    });
    expect(headers.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    await expect(
      inSpan('bad', {}, async () => {
        throw new SyncError('transient', 'secret words');
      }),
    ).rejects.toThrow('secret words');

    await service.close();
    service = null;
    expect(order).toEqual(['stopping', 'consumer', 'provider']);
    const spans = await readFile(join(folder, 'spans.jsonl'), 'utf8');
    expect(spans).toContain(headers.traceparent!.split('-')[1]);
    expect(spans).toContain('"error.type":"transient"');
    expect(spans).not.toContain('secret words');
    await rm(folder, { recursive: true });
  });

  it("gives a handler's own error to the transport", async () => {
    service = await start(() => true);
    await expect(strategy.give('good')).resolves.toMatchObject({ current: 'good done' });
    await expect(strategy.give('bad')).rejects.toMatchObject({ kind: 'unmappable', path: 'a.b' });
  });
});
