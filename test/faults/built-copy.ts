// A throw-away copy of the built programs, in which something can be broken: dist folders are copied, packages linked.
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Edit } from './breaks.js';

/** This checkout; the file also runs compiled, one folder deeper. */
export const builtRoot = ['../..', '../../..']
  .map((up) => join(import.meta.dirname, up))
  .find((folder) => existsSync(join(folder, 'start.mjs')))!;

/** What of a project its programs need beside its dist folder. */
const parts = ['dist', 'bin', 'schema', 'native', 'package.json'];

export interface BuiltCopy {
  readonly root: string;
  /** Breaks the copy; the function returned makes it whole again. Throws where a text is not there exactly once. */
  apply(edits: readonly Edit[]): () => void;
  remove(): void;
}

/** Copies the built checkout. */
export function copyBuilt(): BuiltCopy {
  const root = mkdtempSync(join(tmpdir(), 'syncline-built-'));
  for (const name of ['package.json', 'syncline.yaml']) cpSync(join(builtRoot, name), join(root, name));
  const manifests = ['libs/*/package.json', 'apps/*/package.json', 'apps/*/*/package.json'].flatMap((glob) =>
    globSync(glob, { cwd: builtRoot }),
  );
  const names = new Map<string, string>();
  for (const manifest of manifests) {
    const folder = dirname(manifest);
    names.set((JSON.parse(readFileSync(join(builtRoot, manifest), 'utf8')) as { name: string }).name, folder);
    for (const part of parts)
      if (existsSync(join(builtRoot, folder, part)))
        cpSync(join(builtRoot, folder, part), join(root, folder, part), { recursive: true });
    const own = join(builtRoot, folder, 'node_modules');
    if (existsSync(own)) symlinkSync(own, join(root, folder, 'node_modules'));
  }
  mkdirSync(join(root, 'node_modules'));
  for (const entry of readdirSync(join(builtRoot, 'node_modules')))
    if (entry !== '@syncline') symlinkSync(join(builtRoot, 'node_modules', entry), join(root, 'node_modules', entry));
  for (const [name, folder] of names) {
    mkdirSync(join(root, 'node_modules', dirname(name)), { recursive: true });
    symlinkSync(join(root, folder), join(root, 'node_modules', name));
  }
  return {
    root,
    apply: (edits) => {
      const before = new Map<string, string>();
      const whole = () => {
        for (const [file, text] of before) writeFileSync(file, text);
      };
      try {
        for (const { file, find, replace } of edits) {
          const path = join(root, file);
          const text = readFileSync(path, 'utf8');
          const broken = replaceOnce(file, text, find, replace);
          if (!before.has(path)) before.set(path, text);
          writeFileSync(path, broken);
        }
      } catch (error) {
        whole();
        throw error;
      }
      return whole;
    },
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}

/** The text with its one occurrence of `find` replaced. Throws where there is none or more than one: the program has changed. */
export function replaceOnce(file: string, text: string, find: string, replace: string): string {
  const found = text.split(find).length - 1;
  if (found !== 1) throw new Error(`${file}: ${found} places instead of one read ${JSON.stringify(find)}`);
  return text.replace(find, () => replace);
}
