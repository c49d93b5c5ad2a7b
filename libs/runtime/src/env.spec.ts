import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { baseEnv, readEnv } from './env.js';

const schema = baseEnv.extend({
  POLL_INTERVAL_MS: z.coerce.number().int().min(100).default(30_000).describe('Pause between polls'),
});

describe('readEnv', () => {
  it('reads, splits and defaults', () => {
    const env = readEnv(schema, { KAFKA_BROKERS: 'a:9092, b:9093', DATABASE_URL: 'postgres://x@h/db', LOG_LEVEL: '' });
    expect(env).toMatchObject({
      KAFKA_BROKERS: ['a:9092', 'b:9093'],
      SYNCLINE_CONFIG: 'syncline.yaml',
      MANAGEMENT_PORT: 0,
      LOG_LEVEL: 'info',
      POLL_INTERVAL_MS: 30_000,
    });
  });

  it('tells every problem at once, by name and never by value', () => {
    const read = () =>
      readEnv(schema, { DATABASE_URL: 'mysql://user:hush@h', POLL_INTERVAL_MS: 'soon', MANAGEMENT_PORT: '70000' });
    expect(read).toThrow(
      /KAFKA_BROKERS: is not set[\s\S]*DATABASE_URL: [\s\S]*MANAGEMENT_PORT: [\s\S]*POLL_INTERVAL_MS: /,
    );
    expect(read).toThrow(expect.not.objectContaining({ message: expect.stringContaining('hush') }));
  });
});
