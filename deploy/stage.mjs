// Puts one app with exactly what it needs at run time into an empty folder: `node deploy/stage.mjs <app folder> <target>`.
// It needs the compiled workspace. Third-party packages are installed by npm from the lockfile, without install scripts.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, globSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../', import.meta.url));
const [app, to] = process.argv.slice(2);
if (!app || !to || !existsSync(join(root, app, 'package.json'))) {
  console.error('Use: node deploy/stage.mjs <app folder, e.g. apps/transformer> <empty folder>');
  process.exit(2);
}
const target = resolve(to);
if (existsSync(target) && readdirSync(target).length > 0) {
  console.error(`${target} is not empty`);
  process.exit(2);
}

const manifests = new Map(
  ['libs/*/package.json', 'apps/*/package.json', 'apps/*/*/package.json']
    .flatMap((glob) => globSync(glob, { cwd: root, exclude: (name) => name === 'node_modules' || name === 'dist' }))
    .map((file) => [dirname(file), JSON.parse(readFileSync(join(root, file), 'utf8'))]),
);
const folderOf = new Map([...manifests].map(([folder, { name }]) => [name, folder]));

/** The app and the workspace packages it depends on, directly or not. */
function closure(folder, found = new Set()) {
  if (found.has(folder)) return found;
  found.add(folder);
  for (const name of Object.keys(manifests.get(folder).dependencies ?? {})) {
    if (folderOf.has(name)) closure(folderOf.get(name), found);
  }
  return found;
}

const folders = closure(app.replace(/\/$/, ''));
mkdirSync(target, { recursive: true });
for (const folder of folders) {
  const { devDependencies, scripts, ...manifest } = manifests.get(folder);
  mkdirSync(join(target, folder), { recursive: true });
  writeFileSync(join(target, folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  for (const name of ['dist', ...(manifest.files ?? []), 'bin']) {
    if (!existsSync(join(root, folder, name))) continue;
    cpSync(join(root, folder, name), join(target, folder, name), {
      recursive: true,
      filter: (path) =>
        !/\.(spec\.js|spec\.js\.map|d\.ts|d\.ts\.map|tsbuildinfo)$/.test(path) && !/\/testing(\/|$)/.test(path),
    });
  }
}
const { devDependencies, scripts, ...manifest } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
writeFileSync(join(target, 'package.json'), `${JSON.stringify({ ...manifest, workspaces: [...folders] }, null, 2)}\n`);
cpSync(join(root, 'package-lock.json'), join(target, 'package-lock.json'));
// Not `npm ci`: a lockfile made where a registry lacks other platforms' packages is incomplete, and ci refuses it.
execFileSync('npm', ['install', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
  cwd: target,
  stdio: ['ignore', 'inherit', 'inherit'],
});
rmSync(join(target, 'package-lock.json'));
console.log(`${app} with ${folders.size - 1} packages of ours in ${target}`);
