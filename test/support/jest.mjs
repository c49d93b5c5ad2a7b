// Runs one project's tests: `node test/support/jest.mjs unit|int <project root> [jest arguments]`.
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const [kind, project, ...rest] = process.argv.slice(2);
const jest = createRequire(import.meta.url).resolve('jest/bin/jest');
const args = [
  '--experimental-vm-modules',
  '--disable-warning=ExperimentalWarning',
  jest,
  '--config',
  join(root, 'jest.config.mjs'),
];
if (kind === 'int') args.push('--runInBand', '--forceExit');
const report = process.env.SYNCLINE_TEST_REPORTS;
if (report) args.push('--json', '--outputFile', join(report, `${kind}-${project.replaceAll('/', '_')}.json`));
const child = spawn(process.execPath, [...args, ...rest], {
  stdio: 'inherit',
  cwd: root,
  env: { ...process.env, SYNCLINE_TESTS: kind, SYNCLINE_TEST_ROOT: resolve(root, project) },
});
child.on('exit', (code, signal) => process.exit(signal ? 1 : (code ?? 1)));
