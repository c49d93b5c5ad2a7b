import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { connectCommand } from './connect.js';

const folder = mkdtempSync(join(tmpdir(), 'syncline-connect-'));
const config = join(folder, 'syncline.yaml');
writeFileSync(
  config,
  `connections:
  carrier: { provider: easypost, settings: { url: "https://api.easypost.com" }, secrets: { apiKey: k, webhookSecret: a-long-enough-text-of-our-own } }
  warehouse: { provider: postgres, secrets: { url: "postgres://a:b@127.0.0.1:1/x" } }
flows: [{ kinds: [shipment], from: [carrier], to: [warehouse] }]
`,
);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('syncline connect', () => {
  it('names the connections there are', async () => {
    await expect(connectCommand('carier', { config, port: 0 })).rejects.toMatchObject({
      exitCode: 2,
      message: 'No connection is called carier; did you mean "carrier"?',
    });
  });

  it('takes no port that is none', async () => {
    await expect(connectCommand('carrier', { config, port: 70_000 })).rejects.toMatchObject({ exitCode: 2 });
  });

  it.each(['carrier', 'warehouse'])('says that %s needs no browser', async (name) => {
    await expect(connectCommand(name, { config, port: 0 })).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringMatching(/needs no browser.*syncline check/),
    });
  });
});
