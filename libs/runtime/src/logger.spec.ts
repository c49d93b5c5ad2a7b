import { Writable } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { SyncError } from '@syncline/contracts';
import { createLogger } from './logger.js';

const lines: string[] = [];
const sink = new Writable({
  write(chunk, _, done) {
    lines.push(String(chunk));
    done();
  },
});

describe('the log', () => {
  it('holds no secret, no personal data and no words of others', () => {
    const log = createLogger('test', 'info', sink);
    const inner = new Error('duplicate key (email)=(jane@example.com)');
    log.info({
      connection: 'shop',
      headers: { authorization: 'Basic aaaa' },
      order: { email: 'jane@example.com', shippingAddress: { address1: 'Main St 1' }, name: '#1042' },
      err: new SyncError('transient', 'the database is away', { cause: inner }),
    });
    log.error({ err: new TypeError('cannot read jane@example.com') }, 'failed');
    const text = lines.join('');
    expect(text).not.toMatch(/jane|Basic|Main St/);
    expect(text).toContain('the database is away');
    expect(text).toContain('"type":"TypeError"');
    expect(text).toContain('#1042');
  });
});
