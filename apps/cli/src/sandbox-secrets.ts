import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { writeWhole } from '@syncline/infra';
import { places } from './places.js';

/** The credentials the sandbox shop and carrier accept, under the names the default syncline.yaml uses. */
export interface SandboxSecrets {
  SHOP_ID: string;
  SHOP_SECRET: string;
  CARRIER_KEY: string;
  CARRIER_WEBHOOK_SECRET: string;
}

const names = ['SHOP_ID', 'SHOP_SECRET', 'CARRIER_KEY', 'CARRIER_WEBHOOK_SECRET'] as const;

/** Reads the sandbox's credentials; undefined before the first start. */
export function readSandboxSecrets(): SandboxSecrets | undefined {
  let text: string;
  try {
    text = readFileSync(places.sandboxSecrets, 'utf8');
  } catch {
    return undefined;
  }
  const pairs = text.split('\n').flatMap((line) => {
    const at = line.indexOf('=');
    return at > 0 ? [[line.slice(0, at), line.slice(at + 1)]] : [];
  });
  const found = Object.fromEntries(pairs) as Partial<SandboxSecrets>;
  return names.every((name) => found[name]) ? (found as SandboxSecrets) : undefined;
}

/** The sandbox's credentials: made once, kept in a file only its owner can read. */
export function sandboxSecrets(): SandboxSecrets {
  const known = readSandboxSecrets();
  if (known) return known;
  const secret = (prefix: string) => `${prefix}${randomBytes(20).toString('hex')}`;
  const made: SandboxSecrets = {
    SHOP_ID: randomBytes(16).toString('hex'),
    SHOP_SECRET: secret('shpss_'),
    CARRIER_KEY: secret('EZTK'),
    CARRIER_WEBHOOK_SECRET: secret(''),
  };
  const lines = names.map((name) => `${name}=${made[name]}\n`);
  writeWhole(
    places.sandboxSecrets,
    `# Made up for the sandbox of this checkout; good for nothing else.\n${lines.join('')}`,
  );
  return made;
}
