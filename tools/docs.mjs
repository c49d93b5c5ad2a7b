// Writes the parts of the documentation that come from code: `npm run docs`. With --check it only says what is stale.
// A generated part stands between `<!-- generated: <name> -->` and `<!-- end -->`; around it people write what they like.
// (The READMEs of the libs are checked against their code by tests beside them.)
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { declaredTopics } from '@syncline/contracts';
import { mutants } from '../test/dist/faults/breaks.js';
import { promises } from '../test/dist/faults/check.js';

const root = fileURLToPath(new URL('../', import.meta.url));

/** A Markdown table, aligned as the formatter would. */
function table(head, rows) {
  const cells = [head, ...rows].map((row) => row.map((cell) => String(cell).replaceAll('|', '\\|')));
  const widths = head.map((_, column) => Math.max(3, ...cells.map((row) => row[column].length)));
  const line = (row) => `| ${row.map((cell, column) => cell.padEnd(widths[column])).join(' | ')} |`;
  const [titles, ...others] = cells.map(line);
  return [titles, line(widths.map((width) => '-'.repeat(width))), ...others].join('\n');
}

const topics = () =>
  table(
    ['topic', 'partitions', 'configuration'],
    declaredTopics(['<target>']).map(({ name, partitions, config }) => [
      `\`${name}\``,
      partitions,
      Object.entries(config)
        .map(([key, value]) => `${key}=${value}`)
        .join(', '),
    ]),
  );

const broken = () =>
  table(
    ['promise', 'in short', 'what the mutant breaks'],
    mutants.map(({ promise, what }) => [promise, promises[promise].says, what]),
  );

/** Every generated part: the file it stands in, its name there, and its text. */
const parts = [
  { file: 'deploy/README.md', name: 'topics', make: topics },
  { file: 'docs/promises.md', name: 'mutants', make: broken },
];

const isCheck = process.argv.includes('--check');
for (const { file, name, make } of parts) {
  const path = join(root, file);
  const text = readFileSync(path, 'utf8');
  const begin = `<!-- generated: ${name} -->`;
  const from = text.indexOf(begin);
  const to = text.indexOf('<!-- end -->', from);
  if (from < 0 || to < 0) {
    console.error(`${file} has no place for ${begin} ... <!-- end -->`);
    process.exitCode = 1;
    continue;
  }
  const next = `${text.slice(0, from)}${begin}\n\n${make()}\n\n${text.slice(to)}`;
  if (next === text) continue;
  if (isCheck) {
    console.error(`${file} is stale: run "npm run docs"`);
    process.exitCode = 1;
  } else {
    writeFileSync(path, next);
    console.log(`Written: ${file}`);
  }
}

// A page that names a file which is not there misleads its reader.
const pages = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], {
  cwd: root,
  encoding: 'utf8',
});
for (const page of pages.split('\n').filter((name) => name !== ''))
  for (const [, to] of readFileSync(join(root, page), 'utf8').matchAll(/\]\(([^)\s#]+)(?:#[^)]*)?\)/g)) {
    if (/^[a-z]+:/.test(to) || existsSync(join(root, dirname(page), to))) continue;
    console.error(`${page} links to ${to}, which does not exist`);
    process.exitCode = 1;
  }
