import { describe, expect, it } from '@jest/globals';
import { readable } from './logs.js';

describe('a log line for people', () => {
  it('leads with time, level and message', () => {
    const line = JSON.stringify({
      level: 40,
      time: Date.UTC(2026, 10, 23, 10, 0, 1, 5),
      pid: 3,
      msg: 'slow',
      topic: 'raw.x',
      ms: 12,
    });
    expect(readable(line)).toBe('10:00:01.005 warn  slow topic=raw.x ms=12');
  });

  it('leaves alone what is no JSON, cut lines too', () => {
    expect(readable('[2026-11-23] INFO Kafka Server started')).toBe('[2026-11-23] INFO Kafka Server started');
    expect(readable('{"level":30,"ms')).toBe('{"level":30,"ms');
  });
});
