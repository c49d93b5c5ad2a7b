import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { headerText } from '@syncline/contracts';
import { createTestDatabase } from '@syncline/store';
import {
  arrived,
  database,
  folder,
  name,
  object,
  records,
  source,
  start,
  statusOf,
  times,
  topic,
  until,
} from './testing/ingestor-harness.js';
import { sendRaw } from './testing/raw-http.js';
import { sign } from './testing/source.js';

describe('an ingestor', () => {
  it('sleeps through an outage and catches up by itself', async () => {
    source.status = 503;
    const ingestor = await start();
    await until(
      'the error',
      () => statusOf(ingestor),
      (s) => s.state === 'error',
    );
    source.objects = [object(1)];
    source.status = 200;
    await until('the object', arrived, (n) => n === 1);
    await until(
      'the state',
      () => statusOf(ingestor),
      (s) => s.state === 'connected',
    );
  });

  it('parks a connection whose credentials are refused, asks seldom, and recovers', async () => {
    source.status = 401;
    source.objects = [object(1)];
    const ingestor = await start({}, { times: { ...times, parkedMs: 700 } });
    await until(
      'the state',
      () => statusOf(ingestor),
      (s) => s.state === 'unauthorized',
    );
    const asked = source.requests.length;
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(source.requests.length - asked).toBeLessThanOrEqual(3);
    source.status = 200;
    await until('the object', arrived, (n) => n === 1);
    await until(
      'the state',
      () => statusOf(ingestor),
      (s) => s.state === 'connected',
    );
    expect((await statusOf(ingestor)).reason).toBeNull();
  });

  it('shows a removed app, and a returned one', async () => {
    const ingestor = await start({}, { times: { ...times, parkedMs: 600 } });
    await until(
      'the registration',
      () => statusOf(ingestor),
      (s) => s.webhook.state === 'registered',
    );
    source.status = 401;
    source.registered.clear();
    const body = '{"topic":"removed"}';
    const headers = { 'content-type': 'application/json', 'x-signature': sign(body) };
    const reply = await fetch(`${ingestor.webhooksUrl}/webhooks/${name}`, { method: 'POST', headers, body });
    expect(reply.status).toBe(200);
    await until(
      'the state',
      () => statusOf(ingestor),
      (s) => s.state === 'disconnected',
    );
    await new Promise((resolve) => setTimeout(resolve, 800));
    expect((await statusOf(ingestor)).state).toBe('disconnected');
    source.status = 200;
    await until(
      'the state',
      () => statusOf(ingestor),
      (s) => s.state === 'connected',
    );
    await until(
      'the registration',
      async () => source.registered.size,
      (n) => n === 1,
    );
  });

  it('registers at PUBLIC_URL, again when the provider dropped it, and not at all with WEBHOOKS=off', async () => {
    const ingestor = await start({ PUBLIC_URL: 'https://sync.example/', REGISTER_INTERVAL_MS: '1000' });
    const address = `https://sync.example/webhooks/${name}`;
    // Ready means registered: what changes after the start is not left to the next poll.
    expect([...source.registered]).toEqual([address]);
    source.registered.clear();
    await until(
      'the repair',
      async () => [...source.registered],
      (r) => r[0] === address,
    );
    await ingestor.close();
    source.registered.clear();
    const off = await start({ WEBHOOKS: 'off' });
    await until(
      'the state',
      () => statusOf(off),
      (s) => s.webhook.state === 'off',
    );
    expect(source.registered.size).toBe(0);
  });

  it("makes one trace of the provider's request, its message and the send", async () => {
    const file = join(folder, 'spans.jsonl');
    process.env.SYNCLINE_TRACE_FILE = file;
    const ingestor = await start();
    const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
    const body = '{"id":"traced","version":1,"email":"jane@example.com"}';
    // Over a bare socket: fetch is instrumented here too, and would send a traceparent of its own.
    const ask = (signature: string) =>
      sendRaw(ingestor.webhooksUrl, [
        `POST /webhooks/${name}?email=jane@example.com HTTP/1.1\r\nHost: a\r\ncontent-type: application/json\r\n`,
        `traceparent: 00-${trace}-00f067aa0ba902b7-01\r\nx-signature: ${signature}\r\n`,
        `content-length: ${body.length}\r\n\r\n${body}`,
      ]);
    expect((await ask('none')).status).toBe(401);
    expect((await ask(sign(body))).status).toBe(200);
    await ingestor.close();
    delete process.env.SYNCLINE_TRACE_FILE;
    const text = await readFile(file, 'utf8');
    expect(text).not.toContain('jane');
    const spans = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { name: string; traceId: string; spanId: string; parentSpanId: string | null })
      .filter((span) => span.traceId === trace);
    const [server, create, send] = ['POST /webhooks/:connection', `create ${topic}`, `send ${topic}`].map((wanted) => {
      const found = spans.filter((span) => span.name === wanted);
      expect([wanted, found.length]).toEqual([wanted, 1]);
      return found[0]!;
    });
    expect(server!.parentSpanId).toBe('00f067aa0ba902b7');
    expect(create!.parentSpanId).toBe(server!.spanId);
    expect(send!.parentSpanId).toBe(create!.spanId);
    const [record] = await records();
    expect(headerText(record?.headers, 'traceparent')).toBe(`00-${trace}-${create!.spanId}-01`);
  });

  it('says what is wrong and does not start', async () => {
    await expect(start({ HOOK_SECRET: '' })).rejects.toThrow('HOOK_SECRET is not set');
    await expect(start({ CONNECTIONS: 'elsewhere' })).rejects.toThrow('CONNECTIONS names elsewhere');
    await expect(start({ PUBLIC_URL: 'ftp://x' })).rejects.toThrow('PUBLIC_URL');
    const empty = await createTestDatabase(database.url, { migrate: false });
    await expect(start({ DATABASE_URL: empty.url })).rejects.toThrow('syncline migrate');
    await empty.drop();
  });

  it('is ready while broker and store answer', async () => {
    const ingestor = await start();
    expect((await fetch(`${ingestor.url}/health/ready`)).status).toBe(200);
    const metrics = await (await fetch(`${ingestor.url}/metrics`)).text();
    expect(metrics).toContain(`syncline_webhook_registered{connection="${name}"}`);
  });
});
