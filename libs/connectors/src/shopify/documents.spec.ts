import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import { buildClientSchema, parse, validate } from 'graphql';
import { apiVersion, operations } from './documents.js';

const path = fileURLToPath(new URL(`../../../../apps/sandbox/schema/admin_${apiVersion}.json.gz`, import.meta.url));

describe(`Shopify's published schema of ${apiVersion}`, () => {
  if (!existsSync(path)) throw new Error(`${path} is missing: the sandbox serves the version that documents.ts names`);
  const schema = buildClientSchema(JSON.parse(gunzipSync(readFileSync(path)).toString('utf8')).data);

  it.each(Object.values(operations).map((o) => [o.name, o.document]))('allows %s', (_name, document) => {
    expect(validate(schema, parse(document)).map((e) => e.message)).toEqual([]);
  });
});
