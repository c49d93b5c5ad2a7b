// Writes the JSON Schemas of what stands on our topics to schemas/, for subscribers in any language: `npm run schemas`.
// With --check it only says which are stale, exit code 1.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { canonicalOrder, canonicalShipment, receipt } from '@syncline/contracts';

const root = fileURLToPath(new URL('../', import.meta.url));
// The zod that the schemas were made with.
const { z } = createRequire(pathToFileURL(join(root, 'libs/contracts/package.json')))('zod');

const schemas = {
  'canonical.order': {
    schema: canonicalOrder,
    description:
      'Value of a record of canonical.order: the full state of an order. A record without a value means the order was deleted.',
  },
  'canonical.shipment': {
    schema: canonicalShipment,
    description:
      'Value of a record of canonical.shipment: the full state of a shipment. A record without a value means it was deleted.',
  },
  receipt: {
    schema: receipt,
    description:
      'Value of a record of receipts.<provider>: what a writer is about to create, or how a revision ended at its target.',
  },
};

/** File name and text of every schema as it should be. */
export function wanted() {
  return Object.entries(schemas).map(([name, { schema, description }]) => {
    const { $schema, ...rest } = z.toJSONSchema(schema, { target: 'draft-2020-12', io: 'output' });
    const whole = { $schema, $id: `syncline:${name}:1`, title: name, description, ...rest };
    return { file: `${name}.json`, text: `${JSON.stringify(whole, null, 2)}\n` };
  });
}

/** Names of the committed files that differ from what the code says. */
export function stale(folder = join(root, 'schemas')) {
  return wanted().flatMap(({ file, text }) => {
    try {
      return readFileSync(join(folder, file), 'utf8') === text ? [] : [file];
    } catch {
      return [file];
    }
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const found = stale();
  if (process.argv.includes('--check')) {
    for (const file of found) console.error(`schemas/${file} is stale: run "npm run schemas"`);
    process.exitCode = found.length > 0 ? 1 : 0;
  } else {
    mkdirSync(join(root, 'schemas'), { recursive: true });
    for (const { file, text } of wanted()) writeFileSync(join(root, 'schemas', file), text);
    console.log(
      found.length > 0
        ? `Written: ${found.map((file) => `schemas/${file}`).join(', ')}`
        : 'The schemas are up to date.',
    );
  }
}
