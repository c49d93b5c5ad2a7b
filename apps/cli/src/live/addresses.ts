import type { Local } from '../local.js';

/** Where the parts of a running system are, for people; without the passwords that local.json holds. */
export function addressLines(local: Local): string[] {
  const pairs: [string, string][] = [];
  if (local.sandbox) {
    pairs.push(
      ['sandbox shop', local.sandbox.shop],
      ['sandbox carrier', local.sandbox.carrier],
      ['sandbox control', local.sandbox.control],
    );
  }
  for (const [connection, url] of Object.entries(local.webhooks)) pairs.push([`webhooks of ${connection}`, url]);
  pairs.push(['Kafka', local.kafkaBrokers], ['warehouse', withoutPassword(local.warehouseUrl)]);
  const width = Math.max(...pairs.map(([name]) => name.length));
  return pairs.map(([name, url]) => `${name.padEnd(width)}  ${url}`);
}

function withoutPassword(address: string): string {
  const url = new URL(address);
  url.password = '';
  return url.href;
}
