import { type Document, isMap, isNode, isPair, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
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
    this.value = this.doc.errors.some((e) => e.code !== 'DUPLICATE_KEY') ? undefined : this.toPlain();
  }

  /** Notes a problem at a path: at the key of its last step, or at its value. */
  add(path: Path, message: string, on: 'key' | 'value' = 'value'): void {
    this.problems.push({ path: path.join('.'), ...this.positionOf(path, on), message });
  }

  /** Whether something was noted at exactly this path. */
  has(path: Path): boolean {
    return this.problems.some((p) => p.path === path.join('.'));
  }

  private toPlain(): unknown {
    try {
      return this.doc.toJS({ maxAliasCount: 50 });
    } catch {
      this.problems.push({ path: '', message: 'the aliases of this file are undefined or expand too far' });
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
      doc.add([...path, key], `"${key}" is not known here; ${suggestion(key, allowed)}`, 'key');
}

/** A name as messages show it; anything that is no name is not shown. */
export const quoted = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number' ? `"${value}"` : 'that';
