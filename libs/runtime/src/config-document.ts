import { type Document, isMap, isNode, isPair, isSeq, LineCounter, type Node, parseDocument, visit } from 'yaml';
import type { ConfigProblem } from './config-error.js';
import { suggestion } from './nearest.js';

/** Where something stands in a file; lines and columns count from 1. */
interface Position {
  line: number;
  column: number;
}

export type Path = readonly (string | number)[];

/** A YAML text with the positions of its parts, and the problems found so far. */
export class ConfigDocument {
  readonly value: unknown;
  readonly problems: ConfigProblem[] = [];
  private readonly doc: Document.Parsed;
  private readonly lines = new LineCounter();

  constructor(text: string) {
    this.doc = parseDocument(text, { lineCounter: this.lines, prettyErrors: false, uniqueKeys: true });
    for (const error of this.doc.errors) {
      const message =
        error.code === 'DUPLICATE_KEY' ? `this name is used twice; names must differ` : syntaxWords(error.code);
      this.problems.push({ path: '', ...this.at(error.pos[0]), message });
    }
    const broken = this.doc.errors.some((e) => e.code !== 'DUPLICATE_KEY');
    this.value = broken || !this.resolvesAliases() ? undefined : this.toPlain();
  }

  /** Notes a problem at a path: at the key of its last step, or at its value. `hidden`: that key must not be shown. */
  add(path: Path, message: string, on: 'key' | 'value' = 'value', hidden = false): void {
    const shown = shownPath(hidden ? path.slice(0, -1) : path);
    this.problems.push({ path: shown, ...this.positionOf(path, on), message });
  }

  /** Whether something was noted at exactly this path. */
  has(path: Path): boolean {
    return this.problems.some((p) => p.path === shownPath(path));
  }

  /** Notes every alias without an anchor before it. */
  private resolvesAliases(): boolean {
    const before = this.problems.length;
    visit(this.doc, {
      Alias: (_, node) => {
        if (node.resolve(this.doc) === undefined)
          this.problems.push({
            path: '',
            ...this.at(node.range?.[0] ?? 0),
            message: 'this alias (*name) has no anchor (&name) before it; a text that begins with * needs quotes',
          });
      },
    });
    return this.problems.length === before;
  }

  private toPlain(): unknown {
    try {
      return this.doc.toJS({ maxAliasCount: 50 });
    } catch {
      this.problems.push({ path: '', ...this.at(0), message: 'the aliases (*name) of this file expand too far' });
      return undefined;
    }
  }

  private at(offset: number): Position {
    const { line, col } = this.lines.linePos(offset);
    return { line, column: col };
  }

  /** The position of the node at a path, or of the nearest one above it that exists. */
  private positionOf(path: Path, on: 'key' | 'value'): Position {
    let node: unknown = this.doc.contents;
    let found: Node | null = this.doc.contents;
    path.forEach((step, i) => {
      const last = i === path.length - 1;
      let next: unknown;
      if (isMap(node)) {
        const pair = node.items.find(
          (p) => isPair(p) && String(isNode(p.key) ? p.key.toJSON() : p.key) === String(step),
        );
        next = last && on === 'key' ? pair?.key : (pair?.value ?? pair?.key);
      } else if (isSeq(node)) next = node.items[Number(step)];
      if (isNode(next)) found = next;
      node = next;
    });
    return this.at(found?.range?.[0] ?? 0);
  }
}

/** A sentence for a YAML error code. The parser's own words may quote the text, and so a secret in it. */
function syntaxWords(code: string): string {
  return `this is no valid YAML (${code.toLowerCase().replaceAll('_', ' ')})`;
}

/** A mapping of the file as a plain object. */
export const isTree = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Notes every key that is not among the allowed ones, with the nearest of them. */
export function checkKeys(
  doc: ConfigDocument,
  path: Path,
  tree: Record<string, unknown>,
  allowed: readonly string[],
): void {
  for (const key of Object.keys(tree))
    if (!allowed.includes(key))
      doc.add([...path, key], unknownKey(path, key, allowed), 'key', path.at(-1) === 'secrets');
}

/** What stands among secrets, or after a colon without a space, may be one: it is not shown. */
function unknownKey(path: Path, key: string, allowed: readonly string[]): string {
  const space = key.includes(':') && !key.includes(': ') ? ' (a space belongs after a colon)' : '';
  const name = path.at(-1) === 'secrets' ? 'this name' : `"${shownName(key)}"`;
  return `${name} is not known here${space}; ${suggestion(key.split(':')[0] as string, allowed)}`;
}

/** A name as messages show it: what follows after the part that is one may be anything. */
const shownName = (name: string): string => {
  const part = /^[\w-]{0,64}/.exec(name)?.[0] ?? '';
  return part === name ? name : `${part}…`;
};

const shownPath = (path: Path): string => path.map((step) => shownName(String(step))).join('.');

/** A name as messages show it; anything that is no name is not shown. */
export const quoted = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number' ? `"${value}"` : 'that';
