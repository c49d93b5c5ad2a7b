// The way in for `npm start`, `npm test` and the rest: needs nothing but Node 20. It installs what is missing, goes on with
// the Node of node_modules, builds, and hands over. What it says goes to stderr, so that stdout belongs to the command.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = dirname(fileURLToPath(import.meta.url));
const installStamp = join(root, 'node_modules', '.syncline-install');
const programs = {
  start: { file: 'apps/cli/bin/syncline.mjs', args: ['up'] },
  stop: { file: 'apps/cli/bin/syncline.mjs', args: ['down'] },
  cli: { file: 'apps/cli/bin/syncline.mjs', args: [] },
  test: { file: 'test/support/run-tests.mjs', args: [] },
  bench: { file: 'test/dist/bench/run.js', args: [] },
  faults: { file: 'test/dist/faults/run.js', args: [] },
};

/** A failure that one sentence explains. */
class Stop extends Error {}

try {
  process.exitCode = await main(process.argv[2], process.argv.slice(3));
} catch (error) {
  console.error(error instanceof Stop ? error.message : error);
  process.exitCode = 1;
}

/** Runs one of the programs; resolves with an exit code where it ran in another process. */
async function main(verb, args) {
  const program = programs[verb];
  if (!program) {
    console.error(`Use: node start.mjs ${Object.keys(programs).join('|')} [arguments]`);
    return 2;
  }
  const major = Number(process.versions.node.split('.')[0]);
  if (major < 20)
    throw new Stop(
      `Syncline needs Node 20 or newer to start, and this is ${process.versions.node}. See https://nodejs.org`,
    );
  install();
  const node = packagedNode();
  if (realpathSync(process.execPath) !== node) return runWith(node, [fileURLToPath(import.meta.url), verb, ...args]);
  build(verb);
  const file = join(root, program.file);
  if (!existsSync(file)) throw new Stop(`${program.file} is missing from this checkout.`);
  process.argv = [process.argv[0], file, ...program.args, ...args];
  await import(pathToFileURL(file).href);
  return process.exitCode;
}

/** Installs the packages unless those of this very lockfile are there. */
function install() {
  const wanted = lockHash();
  if (existsSync(installStamp) && readFileSync(installStamp, 'utf8') === wanted) return;
  say('Installing packages (a minute the first time)');
  const began = Date.now();
  const command = ['install', '--no-audit', '--no-fund', '--loglevel=error'];
  // Inside an npm script npm says where it is; its name on the PATH may be a script that needs a shell.
  const npm = process.env.npm_execpath?.endsWith('.js') ? [process.execPath, process.env.npm_execpath] : ['npm'];
  const done = spawnSync(npm[0], [...npm.slice(1), ...command], { cwd: root, stdio: ['ignore', 2, 2] });
  if (done.error?.code === 'ENOENT')
    throw new Stop('npm is not on the PATH. It comes with Node: see https://nodejs.org');
  if (done.status !== 0) {
    throw new Stop(
      `The packages could not be installed (npm ${command.join(' ')} ended with ${done.signal ?? done.status}). The lines above say why; ` +
        'often it is the network or the registry in your npm configuration. Then start again.',
    );
  }
  // npm may have completed the lockfile for this platform.
  writeFileSync(installStamp, lockHash());
  say(`Packages installed in ${Math.round((Date.now() - began) / 1000)} s`);
}

function lockHash() {
  const hash = createHash('sha256').update(`${process.platform}-${process.arch}\n`);
  for (const name of ['package.json', 'package-lock.json']) {
    if (existsSync(join(root, name))) hash.update(readFileSync(join(root, name)));
  }
  return hash.digest('hex');
}

/** The Node that the project runs on: a package like any other. */
function packagedNode() {
  const link = join(root, 'node_modules', '.bin', 'node');
  if (existsSync(link)) return realpathSync(link);
  const name = `node-${process.platform}-${process.arch}`;
  throw new Stop(
    `node_modules has no Node for this platform (package ${name}, which the package "node" installs). ` +
      "Remove node_modules and start again; npm must be allowed to run that package's install script.",
  );
}

/** Compiles what changed (the compiler finds out itself, in a fraction of a second). */
function build(verb) {
  const isFirst = !existsSync(join(root, 'apps', 'cli', 'dist'));
  const began = Date.now();
  if (isFirst) say('Building');
  const projects = ['test', 'bench', 'faults'].includes(verb) ? ['.', 'test'] : ['.'];
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const done = spawnSync(process.execPath, [compiler, '-b', ...projects], { cwd: root, encoding: 'utf8' });
  const said = `${done.stdout ?? ''}${done.stderr ?? ''}`.trim() || done.error?.message;
  if (done.status === 0) {
    if (isFirst) say(`Built in ${((Date.now() - began) / 1000).toFixed(1)} s`);
    return;
  }
  const missing = /@typescript\/[\w]+-[\w-]+/.exec(said)?.[0];
  if (missing && !existsSync(join(root, 'node_modules', missing))) {
    throw new Stop(
      `The compiler does not run here: package ${missing} is not installed. The lockfile was made on another platform ` +
        'and misses it: remove node_modules and package-lock.json and start again.',
    );
  }
  // Looking at a running system and stopping it must work in the middle of an edit too.
  if ((verb === 'cli' || verb === 'stop') && !isFirst)
    return say('The sources do not compile at present: going on with the last build');
  throw new Stop(`The build failed:\n${said}`);
}

/** Runs this file again with the right Node, and ends as that one ends. */
function runWith(node, args) {
  const child = spawn(node, args, { stdio: 'inherit' });
  // Ctrl-C reaches the child from the terminal; this process stays until the child has cleaned up.
  process.on('SIGINT', () => {});
  for (const name of ['SIGTERM', 'SIGHUP']) process.on(name, () => child.kill(name));
  return new Promise((done) => {
    child.once('error', (error) => {
      console.error(`Node does not start (${node}): ${error.message}`);
      done(1);
    });
    child.once('exit', (code, signal) => done(signal ? 1 : code));
  });
}

function say(line) {
  console.error(line);
}
