// `npm test`: every test of the workspace against one real Kafka and PostgreSQL.
//   npm test                        all: unit tests, then integration tests by project, then test/e2e and test/faults
//   npm test -- --unit              unit tests only, nothing is started
//   npm test -- libs/messaging ...  only these folders
// The last line is `N passed, N failed`; the exit code is 1 when something failed or a runner crashed.
import { spawn } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const work = mkdtempSync(join(tmpdir(), 'syncline-tests-'));
const unitOnly = process.argv.includes('--unit');
const filters = process.argv
  .slice(2)
  .filter((arg) => !arg.startsWith('-'))
  .map((arg) => relative(root, resolve(root, arg)));
let infra;
let running;
let stopped = false;

for (const name of ['SIGINT', 'SIGTERM']) {
  process.on(name, () => {
    stopped = true;
    running?.kill(name);
  });
}

try {
  process.exitCode = await main();
} finally {
  await infra?.stop();
  rmSync(work, { recursive: true, force: true });
}
// Nothing is left to do; a test library's idle connection must not keep the process.
process.exit();

async function main() {
  const projects = chosen(projectFolders());
  if (projects.length === 0) {
    console.error(`No project fits ${filters.join(', ')}. There are: ${projectFolders().join(', ')}`);
    console.log('0 passed, 1 failed');
    return 2;
  }
  const results = [];
  const whole = projects.length === projectFolders().length;
  if (whole) results.push(...(await unitTests(projects)));
  else for (const project of projects) if (hasTests(project, false)) results.push(await runJest('unit', project));
  const withInt = unitOnly ? [] : projects.filter((project) => hasTests(project, true));
  if (withInt.length > 0 && !stopped) await startServices();
  for (const project of withInt) {
    if (stopped) break;
    results.push(await runJest('int', project));
  }
  return report(results);
}

/** Folders with tests, in the order they run: what others build on first. */
function projectFolders() {
  const packages = ['libs/*/package.json', 'apps/*/package.json', 'apps/*/*/package.json'].flatMap((glob) =>
    globSync(glob, { cwd: root, exclude: (name) => name === 'node_modules' || name === 'dist' }).sort(),
  );
  const folders = [...packages.map((file) => dirname(file)), 'test/support', 'test/e2e', 'test/faults'];
  return folders.filter((folder) => hasTests(folder, false) || hasTests(folder, true));
}

function chosen(projects) {
  if (filters.length === 0) return projects;
  return projects.filter((project) => filters.some((filter) => filter === project || project.startsWith(`${filter}/`)));
}

function hasTests(folder, int) {
  const visit = (path) =>
    existsSync(path) &&
    readdirSync(path, { withFileTypes: true }).some((entry) => {
      if (entry.isDirectory()) return !['node_modules', 'dist'].includes(entry.name) && visit(join(path, entry.name));
      return int ? entry.name.endsWith('.int.spec.ts') : /(?<!\.int)\.spec\.ts$/.test(entry.name);
    });
  return visit(join(root, folder));
}

/** All unit tests in one Jest, on all processors, told apart by folder afterwards. */
async function unitTests(projects) {
  const all = await runJest('unit', '.');
  if (!all.suites) return [all];
  return projects
    .flatMap((project) => {
      const suites = all.suites.filter((suite) => suite.name.startsWith(`${join(root, project)}/`));
      return suites.length > 0 ? [counted('unit', project, suites, all.seconds, false)] : [];
    })
    .concat(all.crashed ? [{ ...all, passed: 0, failed: 1, problems: ['the unit test run crashed'] }] : []);
}

/** One Kafka and one PostgreSQL for all integration tests. Tests that start their own do that beside them. */
async function startServices() {
  const { startInfra } = await import('@syncline/infra');
  infra = await startInfra({ stateDir: join(work, 'infra'), onStep: (line) => console.log(line) });
  process.env.KAFKA_BROKERS = infra.kafkaBrokers.join(',');
  process.env.DATABASE_URL = infra.databaseUrl;
  process.env.WAREHOUSE_URL = infra.warehouseUrl;
}

async function runJest(kind, project) {
  console.log(`\n── ${kind === 'int' ? 'integration' : 'unit'} tests of ${project === '.' ? 'all projects' : project}`);
  const began = Date.now();
  const code = await new Promise((done) => {
    running = spawn(process.execPath, [join(root, 'test/support/jest.mjs'), kind, project], {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, SYNCLINE_TEST_REPORTS: work },
    });
    running.once('error', () => done(1));
    running.once('exit', (exitCode, signal) => done(signal ?? exitCode));
  });
  const seconds = (Date.now() - began) / 1000;
  const suites = suitesOf(join(work, `${kind}-${project.replaceAll('/', '_')}.json`));
  if (!suites) return { kind, project, passed: 0, failed: 1, seconds, problems: [`the test run crashed (${code})`] };
  const result = counted(kind, project, suites, seconds, true);
  // Jest says that something is wrong without a failed test: an error outside of tests, or a hanging worker.
  const crashed = code !== 0 && result.failed === 0;
  if (crashed) Object.assign(result, { failed: 1, problems: [`the test run ended with ${code}`] });
  return { ...result, crashed, suites };
}

function suitesOf(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).testResults;
  } catch {
    return undefined;
  }
}

function counted(kind, project, suites, seconds, timed) {
  const result = { kind, project, passed: 0, failed: 0, skipped: 0, seconds: timed ? seconds : 0, problems: [] };
  for (const suite of suites) {
    const failures = suite.assertionResults.filter((test) => test.status === 'failed');
    result.passed += suite.assertionResults.filter((test) => test.status === 'passed').length;
    result.skipped += suite.assertionResults.filter((test) =>
      ['pending', 'skipped', 'todo'].includes(test.status),
    ).length;
    result.failed += failures.length;
    for (const test of failures) result.problems.push(`${relative(root, suite.name)}: ${test.fullName}`);
    // A file that did not even load has no tests to count.
    if (suite.status === 'failed' && failures.length === 0) {
      result.failed += 1;
      result.problems.push(
        `${relative(root, suite.name)}: ${suite.message.split('\n').find((line) => line.trim() !== '')}`,
      );
    }
    if (!timed) result.seconds += (suite.endTime - suite.startTime) / 1000;
  }
  return result;
}

function report(results) {
  const sum = (field) => results.reduce((total, result) => total + (result[field] ?? 0), 0);
  console.log('\n── Summary');
  for (const { kind, project, passed, failed, skipped, seconds } of results) {
    const rest = `${skipped ? `, ${skipped} skipped` : ''}  ${seconds.toFixed(1)} s`;
    console.log(
      `${failed > 0 ? '✗' : '✓'} ${kind.padEnd(4)} ${project.padEnd(24)} ${passed} passed, ${failed} failed${rest}`,
    );
  }
  const problems = results.flatMap((result) => result.problems);
  if (problems.length > 0) console.log(`\nFailed:\n${problems.map((line) => `  ${line}`).join('\n')}`);
  if (stopped) console.log('\nStopped before the end.');
  const failed = sum('failed') + (stopped ? 1 : 0);
  console.log(`\n${sum('passed')} passed, ${failed} failed`);
  return failed > 0 || sum('passed') === 0 ? 1 : 0;
}
